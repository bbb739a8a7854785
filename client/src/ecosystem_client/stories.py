"""What happened to an item, and what of it waits for a person, as typed values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ecosystem_client.reading import Model


@dataclass(frozen=True, kw_only=True)
class Moment(Model):
    """One recorded fact. `source`: log, journal or audit."""

    at: datetime
    source: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Story(Model):
    """A run or a document from its beginning. `is_whole`: nothing was left out for its size or its age."""

    item_id: str
    is_whole: bool = True
    runs: tuple[str, ...] = ()
    moments: tuple[Moment, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WorkItem(Model):
    """What no machine can finish. `kind`: run or fault; `subject`: the id of that; `state`: open or closed."""

    item_id: str
    kind: str
    subject: str
    what: str
    code: str
    state: str
    failures: int = 1
    context: Mapping[str, Any] = field(default_factory=dict)
    opened_at: datetime | None = None
    claimed_by: str | None = None
    claimed_until: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    closed_reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class WaitingCall(Model):
    """A call of a run that waits for an agent that is away. `code`: why; `before`: so many are before it."""

    call_id: str
    agent_id: str
    request_type: str
    step: str
    code: str
    waiting_since: datetime
    failures: int = 0
    company_id: str | None = None
    run_id: str | None = None
    before: int | None = None
    is_asked: bool = False
