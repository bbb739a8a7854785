"""Settings of monitoring-service, section `monitoring`."""

from typing import ClassVar
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from ecosystem.kernel.settings import Settings


class ServiceSettings(Settings):
    section: ClassVar[str] = "monitoring"

    page_after_seconds: float = Field(
        60, ge=1, le=3600, description="A P1 or P2 incident that is not cleared by then pages whoever is on call."
    )
    flapping_seconds: float = Field(
        600, ge=0, le=86_400, description="A fault that comes back within this time goes on with its incident."
    )
    look_seconds: float = Field(5, ge=0.5, le=60, description="Pause between looks for pages and answers that are due.")
    business_zone: str = Field("UTC", description="IANA time zone of business days (P4).")
    ticket_project: str = Field(
        "OPS", pattern=r"^[A-Z][A-Z0-9_]{1,9}$", description="Key of the project in exported tickets."
    )
    status_seconds: float = Field(5, ge=0, le=300, description="How long the public status document is kept.")

    @field_validator("business_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        ZoneInfo(name)
        return name
