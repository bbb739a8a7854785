"""Settings of messaging, section `messaging`."""

from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class MessagingSettings(Settings):
    section: ClassVar[str] = "messaging"

    poll_seconds: float = Field(1.0, ge=0.05, le=60, description="The net below lost wake-ups.")
    retry_base_seconds: float = Field(1.0, gt=0, le=60, description="The wait before a parked event's second try.")
    direct_after_seconds: float = Field(
        5.0, ge=3, le=3600, description="An event that a consumer has not come to by then is delivered directly."
    )
    retry_max_seconds: float = Field(60.0, gt=0, le=3600, description="The longest wait between two tries.")
