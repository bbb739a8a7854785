"""What the routes of the queue accept and return."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ecosystem.kernel.http.texts import ONE_LINE
from ecosystem.services.recovery.working.model import Item, WorkKind


class WorkShown(BaseModel):
    """`context` holds ids and measures; `claimed_by` and `claimed_until` are null where nobody holds it now."""

    item_id: UUID
    kind: WorkKind
    subject: UUID
    what: str
    code: str
    context: dict[str, Any]
    failures: int
    state: str
    opened_at: datetime
    claimed_by: str | None
    claimed_until: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    closed_reason: str | None

    @classmethod
    def of(cls, item: Item, now: datetime) -> "WorkShown":
        held = item.is_open and item.holder(now) is not None
        claim = {} if held else {"claimed_by": None, "claimed_until": None}
        return cls.model_validate({**vars(item), **claim})


class Retry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    input: dict[str, Any] | None = Field(None, description="Start the run anew with this instead of what it had.")


class Closing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=3, max_length=200, description="Why, in words that name nobody."), ONE_LINE]
