"""Goal: a process that ends comes back at once, one that keeps ending is held back and says why. Method: real ones."""

import asyncio
import signal
import subprocess
import time

import pytest

from ecosystem.fleet.errors import EngineFailed, NotStarted
from ecosystem.fleet.process import Process, Seen
from tests.support.poll import eventually


class Shell:
    """Starts a shell script; ready as soon as it runs, unless it is to end before that."""

    stop_signal = signal.SIGTERM

    def __init__(self, script: str, words: str = "", *, gets_ready: bool = True) -> None:
        self._script, self._words, self._gets_ready, self.starts = script, words, gets_ready, 0

    async def start(self, process: Process) -> int:
        self.starts += 1
        started = subprocess.Popen(["/bin/sh", "-c", self._script])  # noqa: ASYNC220 a fork and no wait
        started.returncode = 0
        return started.pid

    async def ready(self, process: Process) -> None:
        if self._gets_ready:
            process.show("ready")

    def last_words(self) -> str:
        return self._words


def a_process(starter: Shell) -> Process:
    return Process(Seen(name="thing", kind="service"), starter, lambda: None)


async def test_a_killed_process_is_replaced_at_once_and_counted() -> None:
    process = a_process(Shell("exec sleep 60"))
    process.begin()
    await process.until_ready(5)
    first = process.seen.pid
    process._signal(signal.SIGKILL)
    began = time.monotonic()

    async def is_back() -> bool:
        return process.is_ready and process.seen.pid not in (None, first)

    await eventually(is_back, within_seconds=2)

    assert time.monotonic() - began < 2
    assert process.seen.restarts == 1
    assert process.seen.reason == "ended by SIGKILL"
    assert process.seen.last_end_at is not None
    await process.stop(5)
    assert (process.seen.state, process.seen.pid) == ("stopped", None)


async def test_a_crash_loop_backs_off_and_says_why() -> None:
    told: list[str] = []
    shell = Shell("exit 3", "the disk is full", gets_ready=False)
    process = Process(Seen(name="thing", kind="service"), shell, lambda: None, told.append)
    process.begin()

    async def is_held_back() -> bool:
        return process.seen.state == "backing off"

    await eventually(is_held_back)

    assert "exited with code 3 (the disk is full)" in process.seen.reason
    assert "next try in" in process.seen.reason
    assert set(told) == {"exited with code 3 (the disk is full)"}
    await process.stop(5)


async def test_one_that_cannot_be_started_says_why_in_its_own_words() -> None:
    class Refusing(Shell):
        async def start(self, process: Process) -> int:
            raise EngineFailed("initdb ended with code 1.")

    process = a_process(Refusing("", "user 12345 does not exist"))
    process.begin()

    async def is_told() -> bool:
        return "initdb ended with code 1. (user 12345 does not exist)" in process.seen.reason

    assert await eventually(is_told)
    await process.stop(5)


async def test_refused_settings_are_told_at_once_instead_of_waited_for() -> None:
    process = a_process(Shell("exit 78", "creditx.pages_max is refused", gets_ready=False))
    process.begin()

    with pytest.raises(NotStarted, match="pages_max is refused"):
        await process.until_ready(30)

    await process.stop(5)


async def test_one_that_does_not_listen_is_killed_when_its_time_is_over() -> None:
    process = a_process(Shell("trap '' TERM; echo; while :; do sleep 1; done"))
    process.begin()
    await process.until_ready(5)

    await process.stop(0.2)

    assert process.seen.state == "stopped"


async def test_one_that_is_renewed_is_not_blamed() -> None:
    starter = Shell("exec sleep 60")
    process = a_process(starter)
    process.begin()
    await process.until_ready(5)
    process.renew()
    await process.until_ready(5)

    assert (starter.starts, process.seen.restarts) == (2, 0)
    await process.stop(5)
    await asyncio.sleep(0)
