"""Callers who wait for one thing to come to its end: woken by the process that ends it, bounded, let go at the stop."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ecosystem.kernel.db.wakeups import Wakeups

T = TypeVar("T")

_LOOK_AGAIN_SECONDS = 5.0


class Waiting:
    """`channel` is that of the kind of thing, the key of a wake-up is the thing's id.

    A wake-up may be lost with the process that would have sent it, so every caller looks again now and then.
    """

    def __init__(
        self, wakeups: Wakeups, channel: str, *, waiters_max: int, look_again_seconds: float = _LOOK_AGAIN_SECONDS
    ) -> None:
        self._wakeups, self._channel = wakeups, channel
        self._waiters_max, self._look_again_seconds = waiters_max, look_again_seconds
        self._waiting: set[asyncio.Event] = set()
        self._ending = False

    @property
    def waiters(self) -> int:
        """Callers who wait now."""
        return len(self._waiting)

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until `stop`, so that nothing is missed between a first look and its wait; then let all callers go."""
        self._ending = False
        heard = self._wakeups.subscribe(self._channel, key="-")
        try:
            await stop.wait()
        finally:
            self._ending = True
            self._wakeups.unsubscribe(self._channel, heard, key="-")
            for wake in self._waiting:
                wake.set()

    def tell(self, key: str) -> None:
        """Wake the callers who wait for `key`, in all processes. Call it after the commit."""
        self._wakeups.send(self._channel, key)

    async def until(
        self, key: str, seconds: float, look: Callable[[], Awaitable[T]], is_over: Callable[[T], bool],
        *, is_new: bool = False,
    ) -> T:  # fmt: skip
        """What `look` found as soon as `is_over` says so of it, or what it found last after `seconds`.

        At once, whatever it is, where too many wait already or this process stops. `is_new`: it has just been begun in
        this process, so that there is nothing to be seen before the first wake-up.
        """
        if len(self._waiting) >= self._waiters_max or self._ending:
            return await look()
        wake = self._wakeups.subscribe(self._channel, key=key)
        self._waiting.add(wake)
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        try:
            while True:
                wake.clear()
                left = ends_at - loop.time()
                if not is_new:
                    found = await look()
                    left = ends_at - loop.time()
                    if is_over(found) or left <= 0 or self._ending:
                        return found
                is_new = False
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left, self._look_again_seconds)):
                        await wake.wait()
        finally:
            self._waiting.discard(wake)
            self._wakeups.unsubscribe(self._channel, wake, key=key)
