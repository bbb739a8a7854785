"""Where the operator's own policies stand, section `resilience`."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class ResilienceSettings(Settings):
    section: ClassVar[str] = "resilience"

    policies_file: Path | None = Field(
        default=None,
        description="Policies over the shipped ones; without one, policies.toml of the home.",
    )
    kept_file: Path | None = Field(
        default=None, description="Where a copy of the last right ones is kept, for processes that start meanwhile."
    )
