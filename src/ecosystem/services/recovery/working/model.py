"""An item of work as a value."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

LEASE = timedelta(minutes=30)
"""How long a claim holds an item; claiming it again extends it."""
PLATFORM = UUID(int=0)
"""Whose the items are that concern no company: the fence knows companies only."""
EPISODES_TOLD_MAX = 10


class WorkKind(StrEnum):
    """What `subject` is: a run that stays in ERROR, or a fault episode that needs a person."""

    RUN = "run"
    FAULT = "fault"


@dataclass(frozen=True)
class Item:
    """`what` is the workflow of a run or the component of a fault; `context` holds ids and measures.

    `failures` counts how often it came into the queue. A claim that has run out keeps its holder until somebody else
    takes it.
    """

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

    @property
    def is_open(self) -> bool:
        return self.state == "open"

    def holder(self, now: datetime) -> str | None:
        """Who holds it now."""
        return self.claimed_by if self.claimed_until is not None and self.claimed_until > now else None


def item_id(subject: UUID) -> UUID:
    """One subject is one item, however often it fails."""
    return uuid5(subject, "work")
