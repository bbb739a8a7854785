"""What the routes of events-service accept and answer."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ecosystem.kernel.messaging.log import ConsumerState, DeadLetter, Logged
from ecosystem.services.events.model import ArchiveFile


class EventShown(BaseModel):
    """A CloudEvents 1.0 event with its opaque position in the log."""

    specversion: str = "1.0"
    id: UUID
    type: str
    source: str
    subject: str
    time: datetime
    datacontenttype: str = "application/json"
    companyid: UUID | None
    traceid: str | None
    userid: str | None
    data: dict[str, Any]
    position: str

    @classmethod
    def of(cls, one: Logged) -> "EventShown":
        event = one.envelope
        return cls(
            id=event.id, type=event.type, source=event.source, subject=event.subject, time=event.time,
            companyid=event.company_id, traceid=event.trace_id, userid=event.user_id, data=event.data,
            position=one.cursor,
        )  # fmt: skip


class ConsumerShown(BaseModel):
    """How far a consumer is: `lag_events` and `lag_seconds` are 0 when it has seen all that it wants."""

    name: str
    service: str
    types: list[str] | None = Field(description="null: all types")
    lag_events: int
    lag_seconds: float
    parked: int
    dead_letters: int
    moved_at: datetime | None

    @classmethod
    def of(cls, state: ConsumerState) -> "ConsumerShown":
        return cls(
            name=state.name, service=state.schema, types=state.types, lag_events=state.lag_events,
            lag_seconds=round(state.lag_seconds, 3), parked=state.parked, dead_letters=state.dead_letters,
            moved_at=state.moved_at,
        )  # fmt: skip


class ConsumersShown(BaseModel):
    """`horizon_seconds`: for how long the oldest open writing transaction has held every consumer back."""

    items: list[ConsumerShown]
    next_cursor: None = None
    horizon_seconds: float


class DeadLetterShown(BaseModel):
    id: UUID
    consumer: str
    event_id: UUID
    type: str
    subject: str
    attempts: int
    code: str
    reason: str
    failed_at: datetime

    @classmethod
    def of(cls, letter: DeadLetter) -> "DeadLetterShown":
        return cls(
            id=letter.dead_letter_id, consumer=letter.consumer, event_id=letter.event_id, type=letter.type,
            subject=letter.subject, attempts=letter.attempts, code=letter.code, reason=letter.message,
            failed_at=letter.died_at,
        )  # fmt: skip


class Redelivered(BaseModel):
    id: UUID
    status: str = "redelivered"


class RedeliveryAsked(BaseModel):
    """`code`: only those that failed with it."""

    model_config = ConfigDict(extra="forbid")

    consumer: str = Field(max_length=100)
    code: str | None = Field(None, max_length=100)
    dry_run: bool = False


class RedeliveryShown(BaseModel):
    """`ids` are handed over again, or would be; `more`: there are others for another request."""

    consumer: str
    ids: list[UUID]
    more: bool
    dry_run: bool


class ReplayAsked(BaseModel):
    """Exactly one of `from_position` and `from_time`."""

    model_config = ConfigDict(extra="forbid")

    consumer: str = Field(max_length=100)
    from_position: str | None = Field(None, max_length=60)
    from_time: AwareDatetime | None = None
    dry_run: bool = False


class ReplayShown(BaseModel):
    """`events` are read again; those `already_handled` are passed over, as the inbox of the consumer knows them."""

    consumer: str
    events: int
    already_handled: int
    to_handle: int
    dry_run: bool


class ArchiveFileShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    file_id: UUID
    day: date
    number: int
    events: int
    content_sha256: str
    previous_sha256: str | None
    first_position: str
    last_position: str
    retain_until: date
    made_at: datetime

    @classmethod
    def of(cls, file: ArchiveFile) -> "ArchiveFileShown":
        return cls.model_validate(file)
