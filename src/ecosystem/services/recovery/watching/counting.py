"""How much what all instances count has risen within the last moments."""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from ecosystem.kernel.http.scraping import Sample
from ecosystem.kernel.registry.instance import Instance


class Counted(NamedTuple):
    """A counter of one instance, by its name and labels."""

    instance_id: UUID
    service: str
    name: str
    labels: tuple[tuple[str, str], ...]

    def label(self, name: str) -> str:
        return dict(self.labels).get(name, "")


class Rises:
    """What is first seen of an instance is where its counting begins; a label of it that comes later began at zero."""

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._last: dict[UUID, dict[Counted, float]] = {}
        self._rises: deque[tuple[float, dict[Counted, float]]] = deque()

    def take(self, now: float, seen: Sequence[tuple[Instance, Sequence[Sample] | None]]) -> None:
        """`now` is a reading of the monotonic clock. Who did not answer (None) is read on later, who is gone is not."""
        rises: dict[Counted, float] = {}
        last: dict[UUID, dict[Counted, float]] = {}
        for instance, samples in seen:
            before = self._last.get(instance.instance_id)
            counts = before if samples is None else _counts(instance, samples)
            if counts is None:
                continue
            last[instance.instance_id] = counts
            for key, count in counts.items() if before is not None else ():
                rise = count - (before or {}).get(key, 0)
                if rise > 0:
                    rises[key] = rise
        self._last = last
        self._rises.append((now, rises))
        while self._rises[0][0] <= now - self._window_seconds:
            self._rises.popleft()

    def total(self, name: str, by: Callable[[Counted], str | None]) -> Mapping[str, float]:
        """The rise of the counter `name` within the window, summed by what `by` says of each; None leaves it out."""
        totals: dict[str, float] = defaultdict(float)
        for _, rises in self._rises:
            for counted, rise in rises.items():
                key = by(counted) if counted.name == name else None
                if key is not None:
                    totals[key] += rise
        return totals


def _counts(instance: Instance, samples: Sequence[Sample]) -> dict[Counted, float]:
    return {
        Counted(instance.instance_id, instance.service, one.name, tuple(sorted(one.labels.items()))): one.value
        for one in samples
    }
