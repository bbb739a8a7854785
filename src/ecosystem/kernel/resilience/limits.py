"""Limits on our own side of a route: how many calls run at once, how many begin in a period, how many are repeats."""

import asyncio
import math

from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.resilience.errors import BulkheadFull, RequestNotPermitted


class Bulkhead:
    """At most `calls_max` at once; others wait up to `wait_seconds`, in the order in which they came."""

    def __init__(self, name: str, calls_max: int, wait_seconds: float = 0.0) -> None:
        self._name, self._wait_seconds = name, wait_seconds
        self._places = asyncio.Semaphore(calls_max)

    async def acquire(self) -> None:
        """Take a place; give it back with `release`. Raises BulkheadFull."""
        if not self._places.locked():
            await self._places.acquire()
            return
        if self._wait_seconds <= 0:
            raise BulkheadFull(f"As many calls to {self._name} as are allowed at once are running.")
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._places.acquire()
        except TimeoutError:
            raise BulkheadFull(f"No call to {self._name} ended within {self._wait_seconds} s.") from None

    def release(self) -> None:
        self._places.release()


class RateLimiter:
    """At most `calls_max` begin in each period of `period_seconds`, counted from the limiter's start.

    Who finds none left may take one of a period to come, where that begins within `wait_seconds`.
    """

    def __init__(
        self, name: str, calls_max: int, period_seconds: float, wait_seconds: float = 0.0, clock: Clock | None = None
    ) -> None:
        self._name, self._calls_max = name, calls_max
        self._period_seconds, self._wait_seconds = period_seconds, wait_seconds
        self._clock = clock or SystemClock()
        self._began, self._period, self._left = self._clock.monotonic(), 0, calls_max

    def reserve(self) -> float:
        """Take one; the seconds until it may be used. Raises RequestNotPermitted."""
        now = self._clock.monotonic()
        period = math.floor((now - self._began) / self._period_seconds)
        if period > self._period:
            self._left = min(self._calls_max, self._left + (period - self._period) * self._calls_max)
            self._period = period
        seconds = 0.0
        if self._left <= 0:
            ahead = -self._left // self._calls_max + 1
            seconds = max(self._began + (self._period + ahead) * self._period_seconds - now, 0.0)
            if seconds > self._wait_seconds:
                raise RequestNotPermitted(
                    f"{self._calls_max} calls to {self._name} began in this period.", retry_after_seconds=seconds
                )
        self._left -= 1
        return seconds

    async def acquire(self) -> None:
        """`reserve`, and wait until then. Raises RequestNotPermitted."""
        seconds = self.reserve()
        if seconds > 0:
            await self._clock.sleep(seconds)


class RetryBudget:
    """Repeats to one destination are at most `percent` of its first attempts, and `burst` more to begin with.

    A budget, not a rate: a destination that is down gets 1.2 times the calls of a healthy one, however many callers
    would like to try again.
    """

    __slots__ = ("_burst", "_left", "_share")

    def __init__(self, percent: float, burst: int) -> None:
        self._share, self._burst = percent / 100, float(burst)
        self._left = float(burst)

    def earn(self) -> None:
        """A first attempt was made."""
        left = self._left + self._share
        self._left = left if left < self._burst else self._burst

    def spend(self) -> bool:
        """Whether one more attempt is within the budget; if so it is spent."""
        # Shares such as 0.2 do not add up to whole numbers exactly.
        if self._left < 1 - 1e-9:
            return False
        self._left -= 1
        return True
