"""Settings of the cache, section `cache`."""

from typing import ClassVar

from pydantic import Field, field_validator

from ecosystem.kernel.settings import Secret, Settings, url_with


class CacheSettings(Settings):
    section: ClassVar[str] = "cache"

    url: Secret | None = Field(None, description="redis://, rediss:// or unix:// URL; without one nothing is cached.")
    timeout_seconds: float = Field(0.25, gt=0, le=5, description="The longest a command may take.")
    connections_max: int = Field(8, ge=1, le=64, description="Connections of one process.")
    value_bytes_max: int = Field(8 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024, description="Larger is not cached.")
    sample_one_in: int = Field(64, ge=1, le=100_000, description="Every so many reads one is counted for hot keys.")

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: Secret | None) -> Secret | None:
        return url_with(url, "redis", "rediss", "unix")
