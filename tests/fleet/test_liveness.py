"""Goal: who stands still is found and replaced; who is only slow, or whom nobody looked at, is left alone.

Method: real processes, stopped by real signals, and a real server that keeps silent; the looks are made by the test.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from ecosystem.fleet.liveness import Watch
from ecosystem.fleet.process import Process, Seen
from ecosystem.fleet.processes import STOPPED, descendants, is_alive, run_state
from tests.support.poll import PATIENCE_SECONDS, eventually

FROZEN_AFTER_SECONDS = 10
LOOKS = 6  # one every 2 s, and the first says nothing of the time before


class Sleeper:
    stop_signal = signal.SIGKILL

    async def start(self, process: Process) -> int:
        started = subprocess.Popen(["/bin/sh", "-c", "sleep 60 & wait"], start_new_session=True)  # noqa: ASYNC220
        started.returncode = 0
        return started.pid

    async def ready(self, process: Process) -> None:
        process.show("ready")

    def last_words(self) -> str:
        return ""


@asynccontextmanager
async def a_watched(**ports: int) -> AsyncIterator[tuple[Process, Watch]]:
    process = Process(Seen(name="thing", kind="service", ports=ports), Sleeper(), lambda: None)
    process.begin()
    await process.until_ready(PATIENCE_SECONDS)
    try:
        yield process, Watch(lambda: [process], FROZEN_AFTER_SECONDS)
    finally:
        await process.stop(PATIENCE_SECONDS)


async def holds(condition: Callable[[], bool]) -> None:
    async def is_so() -> bool:
        return condition()

    assert await eventually(is_so)


async def freeze(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    await holds(lambda: run_state(pid) == STOPPED)


def pid_of(process: Process) -> int:
    assert process.seen.pid is not None
    return process.seen.pid


async def test_one_that_is_stopped_is_replaced_and_says_why() -> None:
    async with a_watched() as (process, watch):
        frozen = pid_of(process)
        await freeze(frozen)
        for _ in range(LOOKS):
            assert is_alive(frozen)
            watch.look()
        await holds(lambda: process.is_ready and process.seen.pid not in (None, frozen))

        assert (process.seen.restarts, process.seen.reason) == (1, "did not answer for 10 s")


async def test_the_last_sign_of_life_is_before_it_stood_still() -> None:
    async with a_watched() as (process, watch):
        frozen, earlier = pid_of(process), datetime.now(UTC)
        watch.look()
        before = datetime.now(UTC)
        await freeze(frozen)
        for _ in range(LOOKS):
            watch.look()
        await holds(lambda: process.is_ready and process.seen.pid not in (None, frozen))

        assert process.seen.well_until is not None
        assert earlier - timedelta(milliseconds=1) <= datetime.fromisoformat(process.seen.well_until) <= before


async def test_what_stands_still_below_it_ends_too() -> None:
    async with a_watched() as (process, watch):
        frozen = pid_of(process)
        await holds(lambda: any(descendants(frozen)))
        (child,) = descendants(frozen)
        await freeze(child)
        await freeze(frozen)
        for _ in range(LOOKS):
            watch.look()

        await holds(lambda: process.is_ready and process.seen.pid not in (None, frozen))

        assert not is_alive(child)


async def test_one_that_wakes_up_in_time_is_left_alone() -> None:
    async with a_watched() as (process, watch):
        before = pid_of(process)
        for _ in range(2):
            await freeze(before)
            for _ in range(LOOKS - 1):
                watch.look()
            os.kill(before, signal.SIGCONT)
            await holds(lambda: run_state(before) != STOPPED)
            watch.look()

        assert (process.seen.pid, process.seen.restarts) == (before, 0)


class Door:
    """A plain port whose owner answers, or lets everybody wait."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.asked = self.answered = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        await self.answers.wait()
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        self.answered += 1


@asynccontextmanager
async def a_door() -> AsyncIterator[tuple[Door, int]]:
    door = Door()
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0)
    try:
        yield door, server.sockets[0].getsockname()[1]
    finally:
        door.answers.set()
        server.close()


async def answered_once(watch: Watch, door: Door) -> None:
    """Two looks: the first asks, the second finds the answer and asks again, of whom nobody answers any more."""
    door.answers.set()
    watch.look()
    await holds(lambda: door.answered == 1 and watch.waits_for_nobody)
    door.answers.clear()
    watch.look()
    await holds(lambda: door.asked == 2)


async def test_a_loop_that_turns_no_more_is_replaced() -> None:
    async with a_door() as (door, port), a_watched(plain_port=port) as (process, watch):
        before = pid_of(process)
        await answered_once(watch, door)
        for _ in range(LOOKS):
            watch.look()
        await holds(lambda: process.is_ready and process.seen.pid not in (None, before))

        assert process.seen.reason == "did not answer for 10 s"


async def test_a_late_answer_is_an_answer() -> None:
    async with a_door() as (door, port), a_watched(plain_port=port) as (process, watch):
        before = pid_of(process)
        await answered_once(watch, door)
        for _ in range(LOOKS - 1):
            watch.look()
        door.answers.set()
        await holds(lambda: door.answered == 2 and watch.waits_for_nobody)
        door.answers.clear()
        for _ in range(LOOKS - 1):
            watch.look()

        assert (process.seen.pid, process.seen.restarts) == (before, 0)


async def test_one_that_was_never_within_reach_is_not_killed_for_it() -> None:
    async with a_door() as (_, port), a_watched(plain_port=port) as (process, watch):
        before = pid_of(process)
        for _ in range(3 * LOOKS):
            watch.look()

        assert (process.seen.pid, process.seen.restarts) == (before, 0)
