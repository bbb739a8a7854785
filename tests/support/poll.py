"""Waiting for a condition, never for a time."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 120.0
"""After this a test is held to hang. It measures nothing: what comes true is seen at once, however slow the machine."""


async def eventually(
    look: Callable[[], Awaitable[T]], until: Callable[[T], object] = bool, *, every_seconds: float = 0.01
) -> T:
    """The first answer of `look` that is as `until` says; an AssertionError with the last one when it hangs."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not until(answer := await look()):
        assert time.monotonic() < end, f"did not come true within {PATIENCE_SECONDS} s; last answer: {answer!r}"
        await asyncio.sleep(every_seconds)
    return answer


def eventually_now(look: Callable[[], T], until: Callable[[T], object] = bool, *, every_seconds: float = 0.01) -> T:
    """`eventually` for code without a loop."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not until(answer := look()):
        assert time.monotonic() < end, f"did not come true within {PATIENCE_SECONDS} s; last answer: {answer!r}"
        time.sleep(every_seconds)
    return answer


@contextmanager
def ends() -> Iterator[None]:
    """What computes in here comes to an end; an AssertionError, in the midst of it, when it hangs."""

    def hangs(*_: object) -> None:
        raise AssertionError(f"did not end within {PATIENCE_SECONDS} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
