"""Wrong credentials are answered late, and later each time; right ones never wait."""

from collections import OrderedDict

from ecosystem.kernel.clock import Clock
from ecosystem.services.authn.errors import TooManyFailures

_FIRST_SECONDS = 0.05
_FORGET_SECONDS = 900.0
_REMEMBERED_MAX = 10_000


class Failures:
    """Counted by what was tried (a client id), in this process: an outsider cannot lock anyone out with it."""

    def __init__(self, clock: Clock, *, seconds_max: float, waiting_max: int) -> None:
        self._clock, self._seconds_max, self._waiting_max = clock, seconds_max, waiting_max
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting = 0

    async def slow_down(self, tried: str) -> float:
        """Wait 0.05, 0.1, 0.2 … seconds, at most `seconds_max`; how long it was. Raises TooManyFailures."""
        now = self._clock.monotonic()
        count, at = self._counts.pop(tried, (0, now))
        count = 1 if now - at > _FORGET_SECONDS else count + 1
        self._counts[tried] = (count, now)
        if len(self._counts) > _REMEMBERED_MAX:
            self._counts.popitem(last=False)
        if self._waiting >= self._waiting_max:
            raise TooManyFailures
        seconds = float(min(self._seconds_max, _FIRST_SECONDS * 2 ** min(count - 1, 20)))
        self._waiting += 1
        try:
            await self._clock.sleep(seconds)
        finally:
            self._waiting -= 1
        return seconds

    def forget(self, tried: str) -> None:
        self._counts.pop(tried, None)
