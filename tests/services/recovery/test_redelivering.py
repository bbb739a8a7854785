"""Goal: what consumers gave up on waits for a person, who may try again; a consumer that somebody set back is behind
only where it does not come nearer. Method: dead letters in a real log; the states of a consumer."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from ecosystem.contracts.creditx import DocumentFailed
from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel import context
from ecosystem.kernel.messaging.log import ConsumerState
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.services.recovery.watching.consumers import Consumers
from tests.services.recovery.conftest import Watched

COMPANY = UUID(int=0xA1)
LOOK_SECONDS, LAG_SECONDS_MAX = 5, 60


class TestPoisonedEvents:
    async def bury(self, watched: Watched) -> None:
        """A dead letter of a consumer that is far from home."""
        rows, kernel = watched.platform.rows, watched.agent.kernel
        with context.scope(company_id=COMPANY):
            event = DocumentFailed(document_id=uuid4(), code="broken")
            await kernel.database.run(lambda: kernel.outbox.add(event))
        rows("insert into kernel.consumers (name, role, schema) values ('counting', 'eco_events', 'events')"
             " on conflict do nothing")  # fmt: skip
        rows(
            "insert into kernel.dead_letters (dead_letter_id, company_id, consumer, event_id, type, subject, epoch,"
            " xid, id, recorded_at, attempts, code, message)"
            " select gen_random_uuid(), company_id, 'counting', event_id, type, subject, epoch,"
            " xid, id, recorded_at, 5, 'internal_error', 'broke' from kernel.log"
            " where type = 'compliance_document_failed'"
        )

    async def test_it_calls_a_person_and_is_redelivered_when_that_person_says_so(self, watched: Watched) -> None:
        await self.bury(watched)
        await watched.look()
        observed, proposed, needed = watched.told()
        assert (observed["component"], observed["companies"]) == ("consumer:counting", [str(COMPANY)])
        assert observed["cause"] == "1 dead letter: internal_error"
        assert (proposed["action"], proposed["outcome"]) == ("redeliver", "proposed")
        assert "needs a decision" in needed["reason"]

        await watched.post(f"/actions/{proposed['action_id']}/approve")
        assert watched.platform.rows("select consumer, code from events.parked") == [("counting", "redelivered")]
        await watched.look()
        assert watched.story()[-2:] == ["approved", "done"]

        watched.platform.rows("delete from events.parked")
        await watched.look()
        assert watched.story()[-3:] == ["approved", "done", "fault_cleared"]

    async def test_what_fails_again_is_proposed_again_with_what_to_do_before(self, watched: Watched) -> None:
        await self.bury(watched)
        await watched.look()
        for attempt in (1, 2):
            (action,) = (await watched.get())["proposed"]
            await watched.post(f"/actions/{action['action_id']}/approve")
            await watched.look()
            assert (await watched.get())["proposed"] == []

            self.fail(watched)
            await watched.look()
            (again,) = (await watched.get())["proposed"]
            assert (again["action"], again["attempt"]) == ("redeliver", attempt + 1)

        assert again["reason"] == (
            "1 dead letter: internal_error: approved before, and it came again;"
            " `eco logs --level warning --counted` tells why: mend that before you approve it again"
        )
        assert len(watched.told("fault_observed")) == len(watched.told("help_needed")) == 1
        assert watched.told("fault_cleared") == []

    def fail(self, watched: Watched) -> None:
        """What was handed over again is a dead letter again."""
        watched.platform.rows("delete from events.parked")
        watched.platform.rows("update kernel.dead_letters set redelivered_at = null, died_at = now()")

    async def test_what_was_approved_late_was_done_late(self, watched: Watched) -> None:
        await self.bury(watched)
        await watched.look()
        (action,) = (await watched.get())["proposed"]
        watched.clock.advance(2 * 3600)
        done = await watched.post(f"/actions/{action['action_id']}/approve")
        (shown,) = (await watched.get("/actions"))["items"]
        budget = next(one for one in (await watched.get())["kinds"] if one["fault"] == "poisoned_event")

        assert shown["at"] == done["at"] > action["at"]
        assert budget["budget_left"] == budget["budget"] - 1

    async def test_what_a_person_refused_is_not_proposed_again(self, watched: Watched) -> None:
        await self.bury(watched)
        await watched.look()
        (action,) = (await watched.get())["proposed"]
        await watched.post(f"/actions/{action['action_id']}/refuse", reason="the code is not mended")
        await watched.look()

        assert [one["outcome"] for one in watched.told("repair_recorded")] == ["proposed", "refused"]
        assert watched.platform.rows("select count(*) from events.parked") == [(0,)]

    async def test_a_refusal_is_taken_back(self, watched: Watched) -> None:
        await self.bury(watched)
        await watched.look()
        (action,) = (await watched.get())["proposed"]
        await watched.post(f"/actions/{action['action_id']}/refuse", reason="the code is not mended")
        again = await watched.post(f"/actions/{action['action_id']}/undo")
        await watched.look()

        assert again["outcome"] == "proposed"
        await watched.post(f"/actions/{action['action_id']}/approve")
        assert [one["outcome"] for one in watched.told("repair_recorded")] == [
            "proposed", "refused", "proposed", "approved", "done"
        ]  # fmt: skip
        assert [one["action"] for one in watched.told("audit_recorded")] == [
            "repair_refused", "repair_proposed", "repair_approved"
        ]  # fmt: skip


class Log:
    """Of one consumer, as far as the detector asks."""

    def __init__(self) -> None:
        self.lag_events, self.lag_seconds = 0, 0.0

    async def consumers(self) -> list[ConsumerState]:
        return [ConsumerState("counting", "events", None, self.lag_events, self.lag_seconds, 0, 0, None)]


class Reading:
    """A consumer that is looked at; `looks` are (events behind, seconds behind), five seconds apart."""

    def __init__(self) -> None:
        self.clock, self.log = FrozenClock(datetime(2026, 3, 2, 9, tzinfo=UTC)), Log()
        self.detector = Consumers(self.log, self.clock, LAG_SECONDS_MAX)  # type: ignore[arg-type]

    async def looks(self, *lags: tuple[int, float]) -> list[tuple[FaultKind, datetime | None]]:
        for self.log.lag_events, self.log.lag_seconds in lags:
            self.clock.advance(LOOK_SECONDS)
            found = await self.detector.look()
        return [(one.fault, one.since) for one in found]


@pytest.fixture
def reading() -> Reading:
    return Reading()


HOUR = 3600.0


class TestReplays:
    async def test_a_replay_that_comes_nearer_is_not_behind(self, reading: Reading) -> None:
        await reading.looks((0, 0))
        for lag in ((900, HOUR), (600, HOUR - 900), (600, HOUR - 2000), (300, HOUR - 2000), (10, 100), (0, 0)):
            assert await reading.looks(lag) == []

    async def test_one_that_comes_no_nearer_is_behind_since_it_came_nearer_last(self, reading: Reading) -> None:
        await reading.looks((0, 0), (900, HOUR), (600, HOUR - 900))
        nearest_at = reading.clock.now()
        standing = [(600, HOUR - 900 + passed) for passed in range(5, 65, 5)]
        assert await reading.looks(*standing) == []

        assert await reading.looks((600, HOUR - 835)) == [(FaultKind.CONSUMER_BEHIND, nearest_at)]
        assert await reading.looks((10, 100)) == []

    async def test_one_that_falls_behind_by_itself_is_told_at_once(self, reading: Reading) -> None:
        await reading.looks((0, 0), (5, 30), (9, 59))

        assert await reading.looks((9, 64)) == [
            (FaultKind.CONSUMER_BEHIND, reading.clock.now() - timedelta(seconds=64))
        ]

    async def test_a_replay_that_is_over_excuses_nothing_later(self, reading: Reading) -> None:
        await reading.looks((0, 0), (900, HOUR), (0, 0), (3, 55))

        assert [fault for fault, _ in await reading.looks((3, 61))] == [FaultKind.CONSUMER_BEHIND]

    async def test_who_has_not_looked_before_cannot_know_of_a_replay(self, reading: Reading) -> None:
        assert [fault for fault, _ in await reading.looks((900, HOUR))] == [FaultKind.CONSUMER_BEHIND]
