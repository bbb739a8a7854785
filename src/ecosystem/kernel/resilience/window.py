"""What a breaker remembers of finished calls: the last N calls, the last N seconds, or the failures in a row."""

from collections.abc import Callable
from typing import Protocol


class Window(Protocol):
    """Sums over what is remembered. A call may be both failed and slow."""

    calls: int
    failed: int
    slow: int

    def record(self, *, failed: bool, slow: bool) -> None: ...

    def settle(self) -> None:
        """Forget what is too old by now."""


class CountWindow:
    """The last `size` calls: a ring of their outcomes and its sums."""

    __slots__ = ("_next", "_ring", "calls", "failed", "slow")

    def __init__(self, size: int) -> None:
        self.calls = self.failed = self.slow = 0
        self._ring: list[tuple[bool, bool] | None] = [None] * size
        self._next = 0

    def record(self, *, failed: bool, slow: bool) -> None:
        place, ring = self._next, self._ring
        former = ring[place]
        ring[place] = (failed, slow)
        self._next = place + 1 if place + 1 < len(ring) else 0
        if former is None:
            self.calls += 1
        else:
            self.failed -= former[0]
            self.slow -= former[1]
        self.failed += failed
        self.slow += slow

    def settle(self) -> None:
        """Nothing grows old here."""


class TimeWindow:
    """The present second and the `size` - 1 before it: one bucket of sums for each, and the sums over all."""

    __slots__ = ("_buckets", "_now", "_second", "calls", "failed", "slow")

    def __init__(self, size: int, monotonic: Callable[[], float]) -> None:
        self.calls = self.failed = self.slow = 0
        self._buckets = [[0, 0, 0] for _ in range(size)]
        self._now = monotonic
        self._second = int(monotonic())

    def record(self, *, failed: bool, slow: bool) -> None:
        if int(self._now()) != self._second:
            self.settle()
        bucket = self._buckets[self._second % len(self._buckets)]
        bucket[0] += 1
        self.calls += 1
        if failed:
            bucket[1] += 1
            self.failed += 1
        if slow:
            bucket[2] += 1
            self.slow += 1

    def settle(self) -> None:
        second = int(self._now())
        if second <= self._second:
            return
        buckets = self._buckets
        for passed in range(max(self._second + 1, second - len(buckets) + 1), second + 1):
            bucket = buckets[passed % len(buckets)]
            self.calls -= bucket[0]
            self.failed -= bucket[1]
            self.slow -= bucket[2]
            bucket[:] = (0, 0, 0)
        self._second = second


class RunWindow:
    """The failures since the last success: any success forgets them. How long calls took does not matter."""

    __slots__ = ("calls", "failed", "slow")

    def __init__(self) -> None:
        self.calls = self.failed = self.slow = 0

    def record(self, *, failed: bool, slow: bool) -> None:
        self.calls = self.failed = self.failed + 1 if failed else 0

    def settle(self) -> None:
        """Nothing grows old here."""
