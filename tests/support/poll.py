"""Waiting for a condition, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
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
