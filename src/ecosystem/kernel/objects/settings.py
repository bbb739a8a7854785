"""Settings of the objects, section `objects`."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class ObjectsSettings(Settings):
    section: ClassVar[str] = "objects"

    folder: Path | None = Field(None, description="Folder of the encrypted objects; without one nothing is stored.")
    retention_days: int = Field(
        2555, ge=1, le=36500, description="How long an object is kept where nothing else rules."
    )
    object_bytes_max: int = Field(1024**3, ge=1024, le=1024**4, description="The largest object.")
    memory_bytes_max: int = Field(
        2 * 1024**2, ge=0, le=1024**3, description="Larger ones are spooled, encrypted, to disk."
    )
