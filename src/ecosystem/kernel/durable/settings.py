"""Settings of durable execution, section `durable`."""

from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class DurableSettings(Settings):
    section: ClassVar[str] = "durable"

    poll_seconds: float = Field(1.0, ge=0.1, le=60, description="The net below lost wake-ups.")
    watch_seconds: float = Field(1.0, ge=0.1, le=60, description="How often a worker looks for dead ones.")
    drain_seconds: float = Field(2.0, ge=0, le=30, description="How long a stopping worker lets steps finish.")
