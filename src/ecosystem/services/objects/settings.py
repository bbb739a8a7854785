"""Settings of objects-service, section `integrity`: the section `objects` is that of the storage, for every process."""

from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class ServiceSettings(Settings):
    section: ClassVar[str] = "integrity"

    check_every_seconds: float = Field(60.0, ge=1, le=3600, description="How often some objects are checked.")
    check_objects_max: int = Field(500, ge=1, le=100_000, description="Objects checked in one round.")
    check_bytes_max: int = Field(256 * 1024**2, ge=1024, le=1024**4, description="Bytes read in one round.")
    sweep_every_hours: float = Field(24.0, ge=0, le=8760, description="Pause between two sweeps over all objects.")
    delete_expired: bool = Field(False, description="Delete objects on the day after their retention date.")
