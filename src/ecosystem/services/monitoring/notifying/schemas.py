"""What the routes of channels and messages accept and answer. No answer holds an address."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ecosystem.services.monitoring.notifying.model import URL_CHARACTERS_MAX, Channel, State


class ChannelAsked(BaseModel):
    """`url` is an address as Apprise writes it (`mailto://…`, `slack://…`, `jsons://…`); it is kept sealed."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=60)
    url: SecretStr = Field(min_length=4, max_length=URL_CHARACTERS_MAX)
    time_zone: str = Field(default="UTC", min_length=1, max_length=60)
    quiet_hours: str | None = Field(default=None, max_length=11, description="Such as 22:00-07:00, in `time_zone`.")


class ChannelShown(BaseModel):
    name: str
    service: str
    time_zone: str
    quiet_hours: str | None
    created_at: datetime

    @classmethod
    def of(cls, channel: Channel) -> "ChannelShown":
        return cls(
            name=channel.name, service=channel.service, time_zone=channel.time_zone, quiet_hours=channel.quiet,
            created_at=channel.created_at,
        )  # fmt: skip


class NotificationShown(BaseModel):
    """`repeats`: how often the same message came again within its window, and was not sent again.

    `problem` is a coded word for the last attempt that failed, `reason` the same in words.
    """

    model_config = ConfigDict(from_attributes=True)

    notification_id: UUID
    channel: str
    template: str
    urgent: bool
    state: State
    attempts: int
    repeats: int
    problem: str | None
    reason: str | None
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None
