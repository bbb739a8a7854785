"""Goal: an episode says since when there was trouble wherever a look before it knows that, and never claims less than
there was. Method: the detectors themselves, with a clock that a test moves between their looks."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.services.recovery.adapters import Disk, Leaves
from ecosystem.services.recovery.watching.database import Server
from ecosystem.services.recovery.watching.well import Well
from tests.services.recovery.conftest import Watched
from tests.services.recovery.test_counting import LOOK_SECONDS, NOW, Counting, answers

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


class Postgres:
    """Answers what the kernel's function says of connections and start."""

    def __init__(self) -> None:
        self.row = SimpleNamespace(used=10, allowed=100, started_at=START)

    async def read(self, _: Any) -> Any:
        return self.row


class TestCounted:
    async def test_errors_began_after_the_last_look_that_saw_none(self) -> None:
        counting = Counting()
        creditx = counting.starts("creditx-service")
        await counting.looks(3)
        last_good = counting.clock.now() - timedelta(seconds=LOOK_SECONDS)
        answers(creditx, 500, 5)
        await counting.looks()
        answers(creditx, 500, 30)
        await counting.looks(2)
        (told,) = await counting.detector.look()

        assert (told.fault, told.since) == (FaultKind.ERROR_RATE_HIGH, last_good)

    async def test_who_was_sent_away_before_is_no_beginning_of_errors(self) -> None:
        counting = Counting()
        creditx = counting.starts("creditx-service")
        await counting.looks()
        answers(creditx, 503, 100)
        creditx.http_requests_refused_total.labels("overloaded", "bulk").inc(100)
        await counting.looks(3)
        last_good = counting.clock.now() - timedelta(seconds=LOOK_SECONDS)
        answers(creditx, 500, 100)
        await counting.looks()
        (told,) = await counting.detector.look()

        assert told.since == last_good

    async def test_an_instance_that_did_not_answer_may_have_failed_since_it_did(self) -> None:
        counting = Counting()
        creditx = counting.starts("creditx-service")
        await counting.looks()
        last_good = counting.clock.now() - timedelta(seconds=LOOK_SECONDS)
        counting.silent = True
        await counting.looks(4)
        counting.silent = False
        answers(creditx, 500, 100)
        await counting.looks()
        (told,) = await counting.detector.look()

        assert told.since == last_good

    async def test_calls_that_found_no_room_and_events_past_the_log_say_so_too(self) -> None:
        counting = Counting()
        orchestrator = counting.starts("orchestrator-agent")
        await counting.looks(2)
        last_good = counting.clock.now() - timedelta(seconds=LOOK_SECONDS)
        orchestrator.calls_not_permitted_total.labels("a -> ocr-agent", "bulkhead_full").inc(9)
        counting.direct.labels("orchestrator-runs", "handled").inc(9)
        await counting.looks()
        told = await counting.detector.look()

        assert [(one.fault, one.since) for one in told] == [
            (FaultKind.POOL_EXHAUSTED, last_good), (FaultKind.LOG_LATE, last_good)
        ]  # fmt: skip


class TestDatabase:
    async def test_connections_ran_out_after_the_last_look_that_saw_room(self, clock: FrozenClock) -> None:
        postgres = Postgres()
        server = Server(postgres, clock, 0.9)  # type: ignore[arg-type]
        await server.look()
        clock.advance(5)
        postgres.row.used = 95
        (first,) = await server.look()
        clock.advance(5)
        (second,) = await server.look()

        assert first.since == second.since == NOW

    async def test_a_server_that_started_anew_was_away_since_its_last_answer(self, clock: FrozenClock) -> None:
        postgres = Postgres()
        server = Server(postgres, clock, 0.9)  # type: ignore[arg-type]
        await server.look()
        clock.advance(30)
        postgres.row.started_at = NOW + timedelta(seconds=20)
        (told,) = await server.look()

        assert (told.fault, told.since) == (FaultKind.DATABASE_RESTARTED, NOW)

    async def test_who_did_not_look_for_long_knows_only_when_it_started(self, clock: FrozenClock) -> None:
        postgres = Postgres()
        server = Server(postgres, clock, 0.9)  # type: ignore[arg-type]
        await server.look()
        clock.advance(7200)
        postgres.row.started_at = NOW + timedelta(seconds=7100)
        (told,) = await server.look()

        assert told.since == postgres.row.started_at


class TestMachine:
    async def test_a_disk_is_full_since_the_last_look_that_saw_room(
        self, tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        disk = Disk(tmp_path, clock, 2**20)
        await disk.look()
        clock.advance(5)
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2**10))
        (first,) = await disk.look()
        clock.advance(5)
        (second,) = await disk.look()

        assert first.since == second.since == NOW

    async def test_who_comes_to_a_full_disk_does_not_know(self, tmp_path: Path, clock: FrozenClock) -> None:
        (told,) = await Disk(tmp_path, clock, 2**50).look()

        assert told.since is None

    async def test_a_certificate_should_have_been_renewed_when_its_share_of_life_was_used(
        self, watched: Watched, tmp_path: Path
    ) -> None:
        leaves = Leaves(tmp_path, lambda _: False, watched.clock, 0.2)
        watched.clock.advance(55 * 60)
        (told,) = await leaves.look()

        assert told.since is not None
        assert timedelta(0) < watched.clock.now() - told.since < timedelta(minutes=10)


def test_a_clock_that_is_set_changes_nothing_about_how_long_ago_it_was(clock: FrozenClock) -> None:
    well = Well(clock)
    well.note()
    clock.advance(5)
    clock.jump(3600)

    assert well.at == clock.now() - timedelta(seconds=5)
