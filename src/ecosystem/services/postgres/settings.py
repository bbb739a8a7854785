"""Settings of postgres-service, section `postgres`."""

from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class ServiceSettings(Settings):
    section: ClassVar[str] = "postgres"

    measure_every_seconds: float = Field(10.0, ge=1, le=3600, description="How often the cluster is measured.")
    horizon_seconds_max: float = Field(5.0, ge=0.1, le=3600, description="An older write transaction is a warning.")
    connections_share_max: float = Field(0.8, gt=0, le=1, description="More connections in use are a warning.")
