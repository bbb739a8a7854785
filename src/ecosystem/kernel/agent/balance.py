"""Which instance is asked next: smooth weighted round robin over those that the registry calls ready."""

from collections.abc import Hashable, Sequence
from typing import Protocol, TypeVar

from ecosystem.kernel.clock import Clock

_AVOID_SECONDS = 1.0


class Weighted(Protocol):
    @property
    def instance_id(self) -> Hashable: ...
    @property
    def weight(self) -> int: ...


W = TypeVar("W", bound=Weighted)


class Balancer:
    """Spreads calls by weight, evenly over time (5:1:1 gives a a b a c a a); stateless towards the registry."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._credit: dict[Hashable, float] = {}
        self._avoided: dict[Hashable, float] = {}

    def pick(self, instances: Sequence[W]) -> W | None:
        """The next of `instances`; one that failed a moment ago only when there is no other."""
        if not instances:
            return None
        if self._avoided:
            instances = self._without_avoided(instances)
        if len(instances) == 1:
            return instances[0]
        total = 0.0
        best: W | None = None
        for instance in instances:
            weight = max(instance.weight, 0)
            total += weight
            credit = self._credit[instance.instance_id] = self._credit.get(instance.instance_id, 0.0) + weight
            if weight and (best is None or credit > self._credit[best.instance_id]):
                best = instance
        if best is None:
            return instances[0]
        self._credit[best.instance_id] -= total
        return best

    def avoid(self, instance_id: Hashable) -> None:
        """It did not take a connection: prefer others for a moment."""
        self._avoided[instance_id] = self._clock.monotonic() + _AVOID_SECONDS

    def forget(self, instance_id: Hashable) -> None:
        self._credit.pop(instance_id, None)
        self._avoided.pop(instance_id, None)

    def _without_avoided(self, instances: Sequence[W]) -> Sequence[W]:
        now = self._clock.monotonic()
        self._avoided = {name: until for name, until in self._avoided.items() if until > now}
        return [item for item in instances if item.instance_id not in self._avoided] or instances
