"""How the platform does now, for whoever asks monitoring-agent."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ecosystem.kernel.registry.instance import Instance
from ecosystem.services.monitoring.errors import ServiceUnknown
from ecosystem.services.monitoring.incidents.reading import IncidentReading
from ecosystem.services.monitoring.model import Counted, Health, Seen, health_of, told


class Instances(Protocol):
    """The registry, as far as it is needed here."""

    def instances(self, service: str | None = None) -> tuple[Instance, ...]: ...


class Measured(Protocol):
    async def counted(self, instance: Instance) -> Counted | None: ...


@dataclass(frozen=True)
class Described:
    healths: tuple[Health, ...]
    incidents: dict[str, int]
    sentences: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        return all(one.well for one in self.healths) and not (self.incidents["P1"] or self.incidents["P2"])


class HealthService:
    """`services` are the registered names that must be there."""

    def __init__(
        self, registry: Instances, metrics: Measured, reading: IncidentReading, services: Iterable[str]
    ) -> None:
        self._registry, self._metrics, self._reading = registry, metrics, reading
        self._services = frozenset(services)

    async def describe(self, service: str | None) -> Described:
        """Of one service or of all. Raises ServiceUnknown."""
        instances = self._registry.instances(service)
        names = self._services | {one.service for one in instances}
        if service is not None and service not in names:
            raise ServiceUnknown
        counted = await asyncio.gather(*(self._metrics.counted(one) for one in instances))
        seen = [Seen(one.service, one.state, one.reason, found) for one, found in zip(instances, counted, strict=True)]
        healths = tuple(health_of(name, seen) for name in sorted([service] if service else names))
        incidents = await self._reading.open_by_priority()
        return Described(healths, incidents, told(healths, incidents))
