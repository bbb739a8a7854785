"""What the PostgreSQL cluster is, can do and is doing."""

from dataclasses import dataclass

from prometheus_client import Gauge

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.telemetry.metrics import Metrics
from ecosystem.services.postgres.model import Capability, Measures, Migration, Server, warnings
from ecosystem.services.postgres.repository import ClusterRepository
from ecosystem.services.postgres.settings import ServiceSettings


@dataclass(frozen=True)
class Overview:
    server: Server
    capabilities: list[Capability]
    measures: Measures
    migrations: list[Migration]
    warnings: list[str]


class ClusterService:
    def __init__(
        self, database: Database, cluster: ClusterRepository, metrics: Metrics, settings: ServiceSettings
    ) -> None:
        self._db, self._cluster, self._settings = database, cluster, settings
        names = (
            "postgres_connections",
            "postgres_horizon_age_seconds",
            "postgres_database_bytes",
            "postgres_deadlocks",
        )
        self._gauges = {name: _gauge(metrics, name) for name in names}

    async def overview(self) -> Overview:
        """Raises DatabaseUnavailable."""

        async def work() -> Overview:
            cluster = self._cluster
            server, measures = await cluster.server(), await cluster.measures()
            found = warnings(server, measures, self._settings.horizon_seconds_max, self._settings.connections_share_max)
            return Overview(server, await cluster.capabilities(), measures, await cluster.migrations(), found)

        return await self._db.read(work)

    async def capabilities(self) -> list[Capability]:
        return await self._db.read(self._cluster.capabilities)

    async def migrations(self) -> list[Migration]:
        """The revision of each schema, the kernel's among them."""
        return await self._db.read(self._cluster.migrations)

    async def measure(self) -> Measures:
        """Ask the cluster and keep the answer as metrics of this process."""
        measures = await self._db.read(self._cluster.measures)
        values = (measures.connections, measures.horizon_seconds, measures.database_bytes, measures.deadlocks)
        for gauge, value in zip(self._gauges.values(), values, strict=True):
            gauge.set(value)
        return measures


def _gauge(metrics: Metrics, name: str) -> Gauge:
    """The gauge of this name; several services of one test process share it."""
    known = getattr(metrics.registry, "_names_to_collectors", {}).get(name)
    if isinstance(known, Gauge):
        return known
    return Gauge(name, name.replace("_", " ").capitalize() + ".", registry=metrics.registry)
