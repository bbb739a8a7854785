"""What the platform tells of itself: entries of the audit trail, incidents."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ecosystem_client.reading import Model


@dataclass(frozen=True, kw_only=True)
class AuditEntry(Model):
    """Who did what to what, before and after, from where; `chain`, `number` and `hash` are its place in the trail."""

    event_id: str
    happened_at: datetime
    action: str
    target: str
    user_id: str | None = None
    agent_id: str | None = None
    source: str | None = None
    trace_id: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    company_id: str
    chain: int
    number: int
    hash: str


@dataclass(frozen=True, kw_only=True)
class AuditProblem(Model):
    code: str
    chain: int
    number: int
    event_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class AuditProof(Model):
    """`whole` is None while the proof goes on: ask again with `next_cursor`. `waiting` deeds are on their way."""

    whole: bool | None = None
    walked: int
    compared: int
    waiting: int
    problems: tuple[AuditProblem, ...] = ()
    next_cursor: str | None = None


@dataclass(frozen=True, kw_only=True)
class TimelineLine(Model):
    at: datetime
    what: str
    said: str
    by: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class IncidentEpisode(Model):
    """One stretch of the same trouble; `cleared_at` is None while it goes on."""

    episode_id: str
    began_at: datetime
    cleared_at: datetime | None = None
    by_itself: bool | None = None
    repair_seconds: float | None = None
    paged_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Incident(Model):
    """`state`: open, acknowledged, closed. `priority`: P1 to P4; somebody must have answered by `respond_by`.

    A listing has no timeline; a company is told none either. `timeline` is one page of `lines` lines, and `next_cursor`
    brings the next. `began_at`: since when there was trouble, as far as is known; `opened_at`: when it was noticed.
    `caused_by` is the number of the incident that is its cause.
    """

    incident_id: str
    number: int
    state: str
    priority: str
    title: str
    cause: str
    faults: int
    episodes: int
    companies: tuple[str, ...] = ()
    began_at: datetime | None = None
    opened_at: datetime
    seen_at: datetime
    respond_by: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    closed_reason: str | None = None
    runbook: str | None = None
    instances: tuple[str, ...] = ()
    trace_ids: tuple[str, ...] = ()
    caused_by: int | None = None
    timeline: tuple[TimelineLine, ...] = ()
    lines: int = 0
    next_cursor: str | None = None


@dataclass(frozen=True, kw_only=True)
class Postmortem(Model):
    """`markdown` is the document; `written` is what people added, None while it is a draft."""

    incident_id: str
    number: int
    markdown: str
    written: Mapping[str, Any] | None = None
    written_by: str | None = None
    written_at: datetime | None = None
