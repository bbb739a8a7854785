"""How much what all instances count has risen within the last moments."""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Rise:
    """How much something rose. `amounts`: by the reading of the monotonic clock after which each part of it came."""

    amounts: Mapping[float, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.amounts.values())

    @property
    def first(self) -> float | None:
        """The last reading at which none of it was there."""
        return min((after for after, amount in self.amounts.items() if amount > 0), default=None)

    def __add__(self, other: "Rise") -> "Rise":
        return self._with(other, 1)

    def __sub__(self, other: "Rise") -> "Rise":
        return self._with(other, -1)

    def _with(self, other: "Rise", sign: int) -> "Rise":
        amounts = dict(self.amounts)
        for after, amount in other.amounts.items():
            amounts[after] = amounts.get(after, 0) + sign * amount
        return Rise(amounts)


NO_RISE = Rise()


class Rises:
    """What is first seen of an instance is where its counting begins; a label of it that comes later began at zero."""

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._last: dict[UUID, tuple[float, dict[Counted, float]]] = {}
        self._rises: deque[tuple[float, dict[Counted, Rise]]] = deque()

    def take(self, now: float, seen: Sequence[tuple[Instance, Sequence[Sample] | None]]) -> None:
        """`now` is a reading of the monotonic clock. Who did not answer (None) is read on later, who is gone is not."""
        rises: dict[Counted, Rise] = {}
        last: dict[UUID, tuple[float, dict[Counted, float]]] = {}
        for instance, samples in seen:
            before = self._last.get(instance.instance_id)
            if samples is None:
                if before is not None:
                    last[instance.instance_id] = before
                continue
            counts = _counts(instance, samples)
            last[instance.instance_id] = now, counts
            if before is None:
                continue
            after, former = before
            for key, count in counts.items():
                rise = count - former.get(key, 0)
                if rise > 0:
                    rises[key] = Rise({after: rise})
        self._last = last
        self._rises.append((now, rises))
        while self._rises[0][0] <= now - self._window_seconds:
            self._rises.popleft()

    def of(self, name: str, by: Callable[[Counted], str | None]) -> Mapping[str, Rise]:
        """The rise of the counter `name` within the window, summed by what `by` says of each; None leaves it out."""
        found: dict[str, Rise] = defaultdict(Rise)
        for _, rises in self._rises:
            for counted, rise in rises.items():
                key = by(counted) if counted.name == name else None
                if key is not None:
                    found[key] += rise
        return found


def _counts(instance: Instance, samples: Sequence[Sample]) -> dict[Counted, float]:
    return {
        Counted(instance.instance_id, instance.service, one.name, tuple(sorted(one.labels.items()))): one.value
        for one in samples
    }
