"""Waiting for a condition, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], *, within_seconds: float = 10, every_seconds: float = 0.01) -> T:
    """The first truthy answer of `look`; an AssertionError with the last answer when the time is over."""
    end = time.monotonic() + within_seconds
    while not (answer := await look()):
        assert time.monotonic() < end, f"did not come true within {within_seconds} s; last answer: {answer!r}"
        await asyncio.sleep(every_seconds)
    return answer


def eventually_now(look: Callable[[], T], *, within_seconds: float = 10, every_seconds: float = 0.01) -> T:
    """`eventually` for code without a loop."""
    end = time.monotonic() + within_seconds
    while not (answer := look()):
        assert time.monotonic() < end, f"did not come true within {within_seconds} s; last answer: {answer!r}"
        time.sleep(every_seconds)
    return answer
