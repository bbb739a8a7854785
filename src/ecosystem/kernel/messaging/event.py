"""Events are facts in the past tense, carried as CloudEvents 1.0. Light: pydantic only: contracts use it."""

import builtins
from datetime import datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """The data of one kind of event: ids and measures, never names, numbers or texts about people.

    A subclass names its `event_type` (CloudEvents `type`) and the field that is its subject:

        class DocumentCreated(Event, event_type="compliance_document_created", subject="document_id"): ...

    Events with the same subject keep their order for every consumer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_type: ClassVar[str]
    subject_field: ClassVar[str]

    @classmethod
    def __pydantic_init_subclass__(cls, *, event_type: str = "", subject: str = "", **_: Any) -> None:
        if event_type:
            cls.event_type, cls.subject_field = event_type, subject

    def __init_subclass__(cls, *, event_type: str = "", subject: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)

    @property
    def subject(self) -> str:
        return str(getattr(self, self.subject_field))


E = TypeVar("E", bound=Event)


class Envelope(BaseModel):
    """One event as the log keeps it: CloudEvents attributes, tenant, trace and the position (xid, id) in `epoch`."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    type: str
    source: str
    subject: str
    time: datetime
    company_id: UUID | None
    trace_id: str | None
    user_id: str | None
    data: dict[str, Any]
    slot: int
    xid: int
    position: int
    epoch: int = 1
    recorded_at: datetime | None = None

    def read(self, kind: builtins.type[E]) -> E:
        """The data as `kind`. Raises pydantic.ValidationError where it does not fit."""
        return kind.model_validate(self.data)

    def as_cloudevent(self) -> dict[str, Any]:
        """CloudEvents 1.0 JSON format; tenant and trace are extension attributes."""
        event: dict[str, Any] = {
            "specversion": "1.0", "id": str(self.id), "type": self.type, "source": self.source,
            "subject": self.subject, "time": self.time.isoformat(), "datacontenttype": "application/json",
            "data": self.data,
        }  # fmt: skip
        extensions = {"companyid": self.company_id, "traceid": self.trace_id, "userid": self.user_id}
        return event | {name: str(value) for name, value in extensions.items() if value is not None}
