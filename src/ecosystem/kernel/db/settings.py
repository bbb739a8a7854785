"""Settings of the database, section `database`."""

import re
from typing import ClassVar

from pydantic import Field, field_validator

from ecosystem.kernel.settings import Secret, Settings, url_with

IN_WORDS = re.compile(r"\s*\w+\s*=")
"""The other form that libpq takes: `host=/run dbname=eco`."""


class DatabaseSettings(Settings):
    """A process has 3 connections at rest and 6 at most: `pool_size`, one for wake-ups, one for the registry."""

    section: ClassVar[str] = "database"

    url: Secret = Field(description="libpq URL of this process's login role, e.g. postgresql://eco_x:pw@/db?host=/run")
    pool_size: int = Field(4, ge=1, le=6, description="Connections for units of work.")
    pool_wait_seconds: float = Field(5.0, gt=0, le=30, description="How long to wait for a free connection.")
    connect_timeout_seconds: int = Field(3, ge=1, le=30, description="How long to wait for the server.")
    transaction_timeout_seconds: float = Field(2.0, ge=0.1, le=60, description="The longest unit of work.")
    attempts_max: int = Field(5, ge=1, le=20, description="Runs of one unit of work, when others write the same.")

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: Secret | None) -> Secret | None:
        if url and IN_WORDS.match(url.get_secret_value()):
            return url
        return url_with(url, "postgresql", "postgres")
