"""Time comes in by constructor, so that a test owns it."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, in UTC and aware of it."""

    def monotonic(self) -> float:
        """Seconds that never go backwards, from an arbitrary start."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` (0 or more) of this clock."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    # No method of our own around it: every call of an agent reads it half a dozen times.
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
