"""Settings of the orchestrator, section `orchestrator`."""

from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class ServiceSettings(Settings):
    section: ClassVar[str] = "orchestrator"

    runs_at_once_max: int = Field(default=32, ge=1, le=256, description="Runs carried at once by one process.")
    passes_at_once_max: int = Field(
        default=4, ge=1, le=64,
        description="Passes of loops that call agents at once from one process; others wait without a run's place.",
    )  # fmt: skip
    lease_seconds: int = Field(
        default=10, ge=3, le=300, description="How long a process may stand still before another takes its runs."
    )
    forget_every: timedelta = Field(
        default=timedelta(hours=1), ge=timedelta(minutes=1), le=timedelta(days=1),
        description="How often ended tasks of durable execution are removed; runs and their history stay.",
    )  # fmt: skip
