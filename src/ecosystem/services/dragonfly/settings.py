"""Settings of dragonfly-service, section `dragonfly`."""

from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class ServiceSettings(Settings):
    section: ClassVar[str] = "dragonfly"

    tend_every_seconds: float = Field(60.0, ge=1, le=3600, description="How often lifetimes are enforced.")
    tend_keys_max: int = Field(2000, ge=10, le=100_000, description="Keys looked at in one round.")
    hot_keys_max: int = Field(20, ge=1, le=200, description="Hot keys that are shown.")
