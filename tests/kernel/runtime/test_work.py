"""Goal: timed work is done by one replica, readiness tells the truth. Method: real locks; parts that fail."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from ecosystem.kernel.clock import SystemClock
from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.http.health import Health, answer
from ecosystem.kernel.runtime.jobs import Leadership, run_job, tick
from ecosystem.kernel.runtime.service import Job
from ecosystem.kernel.runtime.settings import RuntimeSettings
from ecosystem.kernel.runtime.watching import ParentLine, Watch
from ecosystem.kernel.runtime.work import keep
from ecosystem.kernel.telemetry.metrics import METRICS
from tests.kernel.db.fixtures import Platform
from tests.support.poll import PATIENCE_SECONDS, eventually


class Counter:
    def __init__(self, error: Exception | None = None) -> None:
        self.ticks, self.error = 0, error

    async def __call__(self) -> None:
        self.ticks += 1
        if self.error:
            raise self.error


async def test_work_that_failed_is_begun_again_until_the_stop() -> None:
    stop, begun = asyncio.Event(), list[str]()

    async def run(stop: asyncio.Event) -> None:
        begun.append("again")
        if len(begun) == 1:
            raise OSError("no space left on device")
        stop.set()

    await asyncio.wait_for(keep("watch", run, stop), PATIENCE_SECONDS)

    assert begun == ["again", "again"]


@pytest.fixture
async def replicas(platform: Platform) -> AsyncIterator[tuple[Leadership, Leadership]]:
    two = Leadership(platform.database("events")), Leadership(platform.database("events"))
    yield two
    for one in two:
        await one.close()


class TestJobs:
    async def test_one_replica_at_a_time(self, replicas: tuple[Leadership, Leadership]) -> None:
        first, second = Counter(), Counter()
        for _ in range(3):
            await tick(Job("sweep", timedelta(hours=1), first), replicas[0])
            await tick(Job("sweep", timedelta(hours=1), second), replicas[1])

        assert (first.ticks, second.ticks) == (3, 0)

    async def test_the_next_one_leads_when_the_first_is_gone(self, replicas: tuple[Leadership, Leadership]) -> None:
        assert await replicas[0].leads("sweep")
        assert not await replicas[1].leads("sweep")

        await replicas[0].close()

        async def leads() -> bool:
            return await replicas[1].leads("sweep")

        await eventually(leads)

    async def test_a_lost_connection_is_made_anew(
        self, replicas: tuple[Leadership, Leadership], platform: Platform
    ) -> None:
        assert await replicas[0].leads("sweep")
        platform.rows(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = %s"
            " and database = (select oid from pg_database where datname = current_database())", 0x0EC1,
        )  # fmt: skip

        assert await replicas[0].leads("sweep")

    async def test_a_job_for_every_replica_asks_nobody(self, replicas: tuple[Leadership, Leadership]) -> None:
        counter = Counter()
        job = Job("refresh", timedelta(hours=1), counter, single=False)
        for one in replicas:
            await tick(job, one)

        assert counter.ticks == 2

    async def test_a_failure_is_counted_and_the_next_tick_comes(self, replicas: tuple[Leadership, Leadership]) -> None:
        failed = METRICS.job_runs_total.labels("broken", "failed")
        before = failed._value.get()
        counter, stop = Counter(Unavailable()), asyncio.Event()
        running = asyncio.create_task(run_job(Job("broken", timedelta(milliseconds=5), counter), replicas[0], stop))

        async def twice() -> bool:
            return counter.ticks >= 2

        await eventually(twice)
        stop.set()
        await running
        assert failed._value.get() - before == counter.ticks


class _Registry:
    def __init__(self) -> None:
        self.beats: list[tuple[str, str]] = []

    async def beat(self, state: str, reason: str = "") -> None:
        self.beats.append((state, reason))


class TestWatch:
    def watch(self, **checks: Any) -> tuple[Watch, Health, _Registry, list[tuple[str, str]]]:
        health = Health("small", "1", "i", SystemClock().now(), state="ready")
        told: list[tuple[str, str]] = []
        registry = _Registry()
        settings = RuntimeSettings(check_seconds=0.1)
        watch = Watch(health, checks, registry, settings, lambda *said: told.append(said))  # type: ignore[arg-type]
        return watch, health, registry, told

    async def test_what_is_needed_and_absent_is_named(self) -> None:
        database = Counter(Unavailable("The database did not answer."))
        watch, health, registry, told = self.watch(database=database, cache=Counter())

        await watch.update()

        ready, live = [answer(path, health, METRICS) for path in ("/health/ready", "/health/live")]
        assert (ready.status_code, live.status_code) == (503, 200)
        assert json.loads(bytes(ready.body))["failing"] == {"database": "The database did not answer."}
        assert told == [("degraded", "database: The database did not answer.")]
        assert registry.beats == [("unready", "database: The database did not answer.")]

    async def test_it_is_ready_again_when_the_part_is_back(self) -> None:
        database = Counter(Unavailable())
        watch, health, _, told = self.watch(database=database)
        await watch.update()

        database.error = None
        await watch.update()

        assert health.ready
        assert [state for state, _ in told] == ["degraded", "ready"]

    async def test_a_part_that_hangs_is_absent(self) -> None:
        watch, health, _, _ = self.watch(cache=asyncio.Event().wait)

        await watch.update()

        assert health.failing == {"cache": "no answer within 0.1 s"}

    async def test_draining_stays_draining(self) -> None:
        watch, health, registry, _ = self.watch(database=Counter())
        health.state = "draining"

        await watch.update()

        assert (health.state, registry.beats) == ("draining", [])


def test_a_parent_that_is_gone_changes_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    parent = ParentLine(writing)

    answers = [parent.say("ready"), parent.say("draining")]  # type: ignore[func-returns-value]

    os.close(writing)
    assert answers == [None, None]
