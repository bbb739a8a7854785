"""The door for HTTP: the cluster, its capabilities and migrations."""

from typing import Annotated

from fastapi import APIRouter, Depends

from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.services.postgres.model import Migration
from ecosystem.services.postgres.schemas import (
    CapabilitiesShown,
    CapabilityShown,
    ClusterShown,
    MeasuresShown,
    MigrationShown,
    MigrationsShown,
    ServerShown,
)
from ecosystem.services.postgres.service import ClusterService

Reader = Annotated[Principal, Depends(requires("platform:read"))]


def router(cluster: ClusterService) -> APIRouter:
    router = APIRouter(prefix="/v1/engines/postgres", tags=["engines"])

    @router.get("")
    async def overview(_: Reader) -> ClusterShown:
        """Health, version, capabilities, statistics and migrations; each warning says what to do."""
        found = await cluster.overview()
        return ClusterShown(
            healthy=not found.server.in_recovery,
            warnings=found.warnings,
            server=ServerShown.model_validate(found.server),
            capabilities=[CapabilityShown.model_validate(one) for one in found.capabilities],
            statistics=MeasuresShown.model_validate(found.measures),
            migrations=[_shown(one) for one in found.migrations],
        )

    @router.get("/capabilities")
    async def capabilities(_: Reader) -> CapabilitiesShown:
        """Extensions found by asking the server, and what they are used for."""
        return CapabilitiesShown(items=[CapabilityShown.model_validate(one) for one in await cluster.capabilities()])

    @router.get("/migrations")
    async def migrations(_: Reader) -> MigrationsShown:
        """The revision of every service's schema and of the kernel's."""
        return MigrationsShown(items=[_shown(one) for one in await cluster.migrations()])

    return router


def _shown(migration: Migration) -> MigrationShown:
    return MigrationShown(service=migration.service, schema_name=migration.schema, revision=migration.revision)
