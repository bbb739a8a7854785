"""Goal: who waits is woken by whichever process ends the thing, never for long by nobody, and let go at the stop.

Method: two databases of one platform, each with a connection of its own for wake-ups, as two processes have.
"""

import asyncio

import pytest

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.errors import DatabaseUnavailable
from ecosystem.kernel.db.waiting import Waiting
from ecosystem.kernel.db.wakeups import Wakeups
from ecosystem.kernel.db.wire import Wire
from tests.kernel.db.fixtures import Platform
from tests.kernel.db.things import SCHEMA
from tests.support.poll import PATIENCE_SECONDS, eventually

CHANNEL = "eco_test_things"


class Thing:
    """What is waited for: over or not, and how often it was looked at."""

    def __init__(self) -> None:
        self.is_over, self.looks = False, 0

    async def look(self) -> bool:
        self.looks += 1
        return self.is_over


@pytest.fixture
async def here(platform: Platform) -> Database:
    return platform.database(SCHEMA)


@pytest.fixture
async def elsewhere(platform: Platform) -> Database:
    return platform.database("events")


def a_wait(database: Database, **more: float) -> Waiting:
    limits = {"waiters_max": 10, "look_again_seconds": 3600.0} | more
    return Waiting(database.wakeups, CHANNEL, **limits)  # type: ignore[arg-type]


def until(waiting: Waiting, thing: Thing, key: str = "7", seconds: float = 3600) -> "asyncio.Task[bool]":
    return asyncio.create_task(waiting.until(key, seconds, thing.look, bool))


async def begun(waiting: Waiting, number: int = 1) -> None:
    async def all_wait() -> bool:
        return waiting.waiters >= number

    await eventually(all_wait)


class TestWaiting:
    async def test_another_process_wakes_whom_it_concerns(self, here: Database, elsewhere: Database) -> None:
        ours, theirs, thing = a_wait(here), a_wait(elsewhere), Thing()
        waiter, bystander = until(ours, thing), until(ours, Thing(), key="8")
        await begun(ours, 2)
        thing.is_over = True

        async def reached() -> bool:
            theirs.tell("7")
            return waiter.done()

        await eventually(reached)
        assert (await waiter, ours.waiters, bystander.done()) == (True, 1, False)
        bystander.cancel()

    async def test_only_those_are_woken_whom_it_concerns(self, here: Database) -> None:
        concerned, all_of_them, other = (here.wakeups.subscribe(CHANNEL, key=key) for key in ("7", "", "8"))
        here.wakeups.send(CHANNEL, "7")

        assert (concerned.is_set(), all_of_them.is_set(), other.is_set()) == (True, True, False)

    async def test_time_over_gives_what_there_is(self, here: Database) -> None:
        thing = Thing()
        assert await a_wait(here).until("7", 0.02, thing.look, bool) is False
        assert thing.looks >= 2

    async def test_lost_wake_up_costs_one_look_and_no_more(self, here: Database) -> None:
        waiting, thing = a_wait(here, look_again_seconds=0.05), Thing()
        waiter = until(waiting, thing)
        await begun(waiting)
        thing.is_over = True

        assert await asyncio.wait_for(waiter, PATIENCE_SECONDS) is True

    async def test_one_too_many_is_answered_at_once(self, here: Database) -> None:
        waiting, thing = a_wait(here, waiters_max=1), Thing()
        waiter = until(waiting, thing)
        await begun(waiting)

        assert await asyncio.wait_for(waiting.until("8", 3600, Thing().look, bool), PATIENCE_SECONDS) is False
        waiter.cancel()

    async def test_stop_lets_everybody_go(self, here: Database) -> None:
        waiting, stop = a_wait(here), asyncio.Event()
        running = asyncio.create_task(waiting.run(stop))
        waiters = [until(waiting, Thing(), key=str(number)) for number in range(3)]
        await begun(waiting, 3)
        stop.set()

        assert await asyncio.wait_for(asyncio.gather(*waiters), PATIENCE_SECONDS) == [False] * 3
        assert await waiting.until("7", 3600, Thing().look, bool) is False
        await running


async def test_wake_ups_outlive_a_server_that_cannot_be_reached(here: Database, elsewhere: Database) -> None:
    absent = 3

    async def connect() -> Wire:
        nonlocal absent
        if absent:
            absent -= 1
            raise DatabaseUnavailable
        return await here.connection()

    wakeups = Wakeups(connect)
    heard = wakeups.subscribe(CHANNEL)

    async def called() -> bool:
        elsewhere.wakeups.send(CHANNEL)
        return heard.is_set()

    await eventually(called)
    await wakeups.close()
    assert absent == 0
