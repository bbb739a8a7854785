"""Goal: a process that ends comes back at once, one that keeps ending is held back and says why. Method: real ones."""

import asyncio
import signal
import subprocess

import pytest

from ecosystem.fleet.errors import EngineFailed, NotStarted
from ecosystem.fleet.journal import What
from ecosystem.fleet.process import CrashLoop, Process, Seen
from tests.support.poll import PATIENCE_SECONDS, eventually


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
    await process.until_ready(PATIENCE_SECONDS)
    first = process.seen.pid
    process._signal(signal.SIGKILL)

    async def is_back() -> bool:
        return process.is_ready and process.seen.pid not in (None, first)

    await eventually(is_back)

    assert process.seen.restarts == 1
    assert process.seen.reason == "ended by SIGKILL"
    assert process.seen.last_end_at is not None
    await process.stop(PATIENCE_SECONDS)
    assert (process.seen.state, process.seen.pid) == ("stopped", None)


async def test_a_crash_loop_backs_off_and_says_why() -> None:
    told: list[tuple[What, str]] = []
    shell = Shell("exit 3", "the disk is full", gets_ready=False)
    process = Process(Seen(name="thing", kind="service"), shell, lambda: None, lambda *said: told.append(said[:2]))
    process.begin()

    async def is_held_back() -> bool:
        return process.seen.state == "backing off"

    await eventually(is_held_back)

    assert "exited with code 3 (the disk is full)" in process.seen.reason
    assert "next try in" in process.seen.reason
    ends = [reason for what, reason in told if what is What.ENDED]
    assert set(ends) == {"exited with code 3 (the disk is full)"}
    assert told[-1] == (What.HELD_BACK, process.seen.reason)
    await process.stop(PATIENCE_SECONDS)


async def test_one_that_cannot_be_started_says_why_in_its_own_words() -> None:
    class Refusing(Shell):
        async def start(self, process: Process) -> int:
            raise EngineFailed("initdb ended with code 1.")

    process = a_process(Refusing("", "user 12345 does not exist"))
    process.begin()

    async def is_told() -> bool:
        return "initdb ended with code 1. (user 12345 does not exist)" in process.seen.reason

    assert await eventually(is_told)
    await process.stop(PATIENCE_SECONDS)


async def test_refused_settings_are_told_at_once_instead_of_waited_for() -> None:
    process = a_process(Shell("exit 78", "creditx.pages_max is refused", gets_ready=False))
    process.begin()

    with pytest.raises(NotStarted, match="pages_max is refused"):
        await process.until_ready(PATIENCE_SECONDS)

    await process.stop(PATIENCE_SECONDS)


async def test_one_that_does_not_listen_is_killed_when_its_time_is_over() -> None:
    process = a_process(Shell("trap '' TERM; echo; while :; do sleep 1; done"))
    process.begin()
    await process.until_ready(PATIENCE_SECONDS)

    await process.stop(0.2)

    assert process.seen.state == "stopped"


async def test_one_that_is_renewed_is_not_blamed() -> None:
    starter = Shell("exec sleep 60")
    process = a_process(starter)
    process.begin()
    await process.until_ready(PATIENCE_SECONDS)
    process.renew()
    await process.until_ready(PATIENCE_SECONDS)

    assert (starter.starts, process.seen.restarts) == (2, 0)
    await process.stop(PATIENCE_SECONDS)
    await asyncio.sleep(0)


async def test_a_crash_loop_beyond_its_budget_is_stopped_and_tried_once_after_its_rest() -> None:
    told: list[What] = []
    shell = Shell("exit 3", gets_ready=False)
    process = Process(
        Seen(name="thing", kind="service"), shell, lambda: None, lambda *said: told.append(said[0]), CrashLoop(2, 0.1)
    )
    process.begin()

    async def is_stopped_again() -> bool:
        return told.count(What.STOPPED) == 2

    assert await eventually(is_stopped_again)
    assert "stopped: 2 lives in a row ended within 15 s, next try in 0.1 s" in process.seen.reason
    assert What.HELD_BACK not in told
    assert (shell.starts, process.seen.restarts) == (3, 3)
    await process.stop(PATIENCE_SECONDS)


async def test_attempts_count_on_until_it_has_lived_for_a_minute() -> None:
    counts: list[tuple[int, int | None]] = []
    seen = Seen(name="thing", kind="service")

    def told(what: What, reason: str, planned: bool) -> None:
        if what is What.ENDED:
            counts.append((seen.attempt, seen.restarts_left))

    process = Process(seen, Shell("exit 3", gets_ready=False), lambda: None, told, CrashLoop(3, 0.1))
    process.begin()

    async def has_ended_often() -> bool:
        return len(counts) >= 4

    assert await eventually(has_ended_often)
    await process.stop(PATIENCE_SECONDS)
    process._life_seconds = 61.0
    process._count_attempt()

    assert counts[:4] == [(1, 1), (2, 0), (3, 0), (4, 0)]
    assert seen.attempt == 1


async def test_the_journal_hears_of_a_replacement_that_nobody_asked_for() -> None:
    told: list[tuple[What, str, bool]] = []
    process = Process(
        Seen(name="thing", kind="service"), Shell("exec sleep 60"), lambda: None, lambda *said: told.append(said)
    )
    process.begin()
    await process.until_ready(PATIENCE_SECONDS)
    process.kill("did not answer for 10 s")

    async def is_back() -> bool:
        return process.is_ready and process.seen.restarts == 1

    await eventually(is_back)
    await process.stop(PATIENCE_SECONDS)

    assert told == [
        (What.STARTED, "", True),
        (What.READY, "", True),
        (What.FROZEN, "did not answer for 10 s", False),
        (What.STARTED, "", False),
        (What.READY, "", False),
        (What.STOPPED, "", True),
    ]
