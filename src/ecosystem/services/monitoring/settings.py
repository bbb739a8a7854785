"""Settings of monitoring-service, section `monitoring`."""

from ipaddress import ip_network
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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

    public_url: str = Field(
        "", max_length=200, description="How people reach the edge, for links in messages; empty: as the fleet says."
    )
    edge_url: str = Field("", max_length=200, description="Where the edge is.")
    page_link_seconds: int = Field(
        86_400, ge=60, le=30 * 86_400, description="How long the link in a page takes it up."
    )
    private_networks: str = Field(
        "",
        max_length=2000,
        description="Private networks that channels may reach, such as 10.1.0.0/16, with commas between them.",
    )
    delivery_seconds: float = Field(15, ge=1, le=60, description="What one attempt to send a message may take.")
    delivery_attempts_max: int = Field(12, ge=1, le=100, description="Attempts before a message has failed.")
    delivery_lease_seconds: float = Field(
        120, ge=5, le=3600, description="After so long another replica sends what one began to send."
    )
    same_message_seconds: float = Field(
        300, ge=0, le=86_400, description="The same message to the same channel is sent once within this time."
    )
    notification_days: int = Field(90, ge=1, le=3650, description="How long a message that was sent is kept.")

    @property
    def networks(self) -> tuple[str, ...]:
        return tuple(one.strip() for one in self.private_networks.split(",") if one.strip())

    @field_validator("private_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for one in filter(None, map(str.strip, text.split(","))):
            ip_network(one)
        return text

    @field_validator("business_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, OSError):
            raise ValueError(f"there is no time zone {name}; Europe/Zurich or UTC is one") from None
        return name
