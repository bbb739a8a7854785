"""What the routes of postgres-service return."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class _Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ServerShown(_Shown):
    version: str
    version_number: int
    started_at: datetime
    in_recovery: bool
    settings: dict[str, str]


class CapabilityShown(_Shown):
    name: str
    available: str | None
    installed: str | None
    used: bool
    used_for: str


class MeasuresShown(_Shown):
    connections: int
    connections_max: int
    connections_by_role: dict[str, int]
    waiting: int
    horizon_seconds: float
    database_bytes: int
    tables_bytes: dict[str, int]
    commits: int
    rollbacks: int
    deadlocks: int
    temporary_bytes: int
    buffer_hit_ratio: float | None
    sees_everything: bool


class MigrationShown(_Shown):
    service: str
    schema_name: str
    revision: str


class MigrationsShown(BaseModel):
    items: list[MigrationShown]


class CapabilitiesShown(BaseModel):
    items: list[CapabilityShown]


class ClusterShown(BaseModel):
    healthy: bool
    warnings: list[str]
    server: ServerShown
    capabilities: list[CapabilityShown]
    statistics: MeasuresShown
    migrations: list[MigrationShown]
