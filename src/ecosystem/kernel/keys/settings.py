"""Settings of the keys, section `keys`."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class KeysSettings(Settings):
    section: ClassVar[str] = "keys"

    master_key_file: Path = Field(description="File of mode 0600 with the master keys; the highest version wraps.")
    cache_seconds: float = Field(30.0, ge=0, le=600, description="How long an unwrapped key may serve.")
    cached_keys_max: int = Field(2000, ge=1, le=100_000, description="Unwrapped keys kept in memory.")
