"""What the routes of objects-service return."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict


class _Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class StorageShown(_Shown):
    kind: str
    writable: bool
    free_bytes: int
    total_bytes: int


class SweepShown(_Shown):
    started_at: datetime
    finished_at: datetime | None
    objects: int
    stored_bytes: int
    damaged: int
    expired: int
    next_expiry: date | None


class FindingShown(_Shown):
    name: str
    code: str
    found_at: datetime


class ObjectsShown(BaseModel):
    healthy: bool
    warnings: list[str]
    storage: StorageShown
    retention_days: int
    findings: int
    last_sweep: SweepShown | None
    present_sweep: SweepShown | None
