"""An incident as a value, and the rules: how urgent, who answers by when, what joins, when a page is due."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from ecosystem.contracts.monitoring import IncidentState, Priority
from ecosystem.contracts.recovery import FaultKind, FaultObserved
from ecosystem.kernel.errors import Severity
from ecosystem.kernel.words import one_line
from ecosystem.services.monitoring.errors import IncidentUnknown

_WITHIN = {Priority.P1: timedelta(minutes=5), Priority.P2: timedelta(minutes=15), Priority.P3: timedelta(hours=1)}
_OF_SEVERITY = {
    Severity.CRITICAL: Priority.P1, Severity.HIGH: Priority.P2, Severity.MEDIUM: Priority.P3, Severity.LOW: Priority.P4,
}  # fmt: skip
_SATURDAY = 5
_DIGITS_MAX = 18
_COMPONENT_TOLD_MAX = 80
LINKED_MAX = 20
"""Traces and processes that one incident names; further ones are only counted with its faults."""
SAID_LENGTH_MAX = 500
TIMELINE_MAX = 300
"""Lines of a timeline after which only what people must know is added."""


_ENDS = tuple(
    kind.value
    for kind in (
        FaultKind.INSTANCE_DEAD, FaultKind.INSTANCE_FROZEN, FaultKind.ENGINE_DEAD, FaultKind.ENGINE_FROZEN,
        FaultKind.CRASH_LOOP,
    )
)  # fmt: skip


class What(StrEnum):
    """What a line of a timeline is about."""

    OPENED = "opened"
    JOINED = "joined"
    REOPENED = "reopened"
    ESCALATED = "escalated"
    UNANSWERED = "unanswered"
    REPAIR = "repair"
    CLEARED = "cleared"
    HELP_NEEDED = "help_needed"
    PAGED = "paged"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"
    CAUSE_OVER = "cause_over"


MANY = frozenset({What.JOINED, What.REPAIR, What.CLEARED, What.REOPENED, What.UNANSWERED})
"""Lines of which a flapping part makes as many as it likes."""


@dataclass(frozen=True)
class Line:
    """One line of a timeline. `by` is the id of who acted, `said` a plain sentence; `number` is 0 until it is kept."""

    at: datetime
    what: What
    said: str
    by: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    number: int = 0


@dataclass(frozen=True)
class Episode:
    episode_id: UUID
    incident_id: UUID
    began_at: datetime
    cleared_at: datetime | None = None
    by_itself: bool | None = None
    repair_seconds: float | None = None
    paged_at: datetime | None = None


@dataclass(frozen=True)
class Incident:
    """`faults` counts what was observed, `episodes` how often it began; `number` is 0 until it is kept.

    `began_at` is since when there was trouble, as far as anybody knows, `opened_at` when it was noticed. `faulty_since`
    is when this service heard of the present trouble: what it heard of late may be over already, and pages nobody
    before it had its time to say so. `caused_by` is the number of the incident that is its cause.
    """

    incident_id: UUID
    number: int
    state: IncidentState
    priority: Priority
    fault: str
    component: str
    cause: str
    runbook: str | None
    episode_id: UUID
    began_at: datetime
    opened_at: datetime
    faulty_since: datetime
    seen_at: datetime
    respond_by: datetime
    faults: int = 1
    episodes: int = 1
    instances: tuple[str, ...] = ()
    companies: tuple[UUID, ...] = ()
    trace_ids: tuple[str, ...] = ()
    help_needed: bool = False
    paged_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    closed_reason: str | None = None
    caused_by: int | None = None

    @property
    def title(self) -> str:
        """Short enough for the title of a message, so that its fault, which stands last, is always read."""
        return f"{tidy(self.component, _COMPONENT_TOLD_MAX)}: {self.fault.replace('_', ' ')}"

    @property
    def is_open(self) -> bool:
        return self.state != IncidentState.CLOSED

    @property
    def is_public(self) -> bool:
        """Whether the public status speaks of it: it is felt outside, and concerns no company in particular."""
        return self.is_open and not self.companies and self.priority in (Priority.P1, Priority.P2)

    def seen_by(self, company_id: UUID | None) -> "Incident":
        """What a company may know of an incident that affects it: nothing of other companies, processes or people."""
        if company_id is None:
            return self
        return replace(
            self, companies=(company_id,), instances=(), trace_ids=(), acknowledged_by=None, closed_by=None,
            closed_reason=None, runbook=None, caused_by=None,
        )  # fmt: skip


@dataclass(frozen=True)
class Responding:
    """The zone of business days."""

    zone: ZoneInfo

    def by(self, priority: Priority, now: datetime) -> datetime:
        """When somebody must have answered: 5 min, 15 min, 1 h, or the end of the next business day."""
        within = _WITHIN.get(priority)
        if within is not None:
            return now + within
        day = now.astimezone(self.zone).date() + timedelta(days=1)
        while day.weekday() >= _SATURDAY:
            day += timedelta(days=1)
        return datetime.combine(day + timedelta(days=1), time(0), self.zone).astimezone(now.tzinfo)


def which(incident: str) -> UUID | int:
    """An id or a number, as people name an incident. Raises IncidentUnknown for what can be neither."""
    if incident.isascii() and incident.isdigit() and len(incident) <= _DIGITS_MAX:
        return int(incident)
    try:
        return UUID(incident)
    except ValueError:
        raise IncidentUnknown from None


def priority_of(severity: Severity) -> Priority:
    return _OF_SEVERITY[severity]


def one_higher(priority: Priority) -> Priority:
    return Priority(f"P{max(1, int(priority[1]) - 1)}")


def tidy(words: str, length_max: int = SAID_LENGTH_MAX) -> str:
    """Text of others as one line: no control, format or bidirectional characters, at most `length_max` long."""
    clean = one_line(words)
    return clean if len(clean) <= length_max else f"{clean[: length_max - 1]}…"


def same_trouble(fault: FaultKind) -> tuple[str, ...]:
    """The faults of one component that are one trouble with this one while it goes on: a process ends, stands still,
    and does so again and again."""
    return _ENDS if fault.value in _ENDS else (fault.value,)


def same_again(fault: FaultKind) -> tuple[str, ...]:
    """The faults of an incident that was closed a short while ago which this one brings back."""
    return (fault.value, FaultKind.CRASH_LOOP.value) if fault.value in _ENDS else (fault.value,)


def began(fault: FaultObserved, now: datetime) -> datetime:
    """Since when there was trouble, as far as it is known; a clock that runs ahead is not believed."""
    return min(fault.since or fault.observed_at, fault.observed_at, now)


def begun(
    fault: FaultObserved, companies: Iterable[UUID], incident_id: UUID, now: datetime, responding: Responding
) -> Incident:  # fmt: skip
    """A new incident of this fault, of which was heard `now`."""
    priority, at = priority_of(fault.severity), min(fault.observed_at, now)
    return Incident(
        incident_id=incident_id, number=0, state=IncidentState.OPEN, priority=priority, fault=fault.fault.value,
        component=tidy(fault.component, 100), cause=tidy(fault.cause),
        runbook=tidy(fault.runbook, 100) if fault.runbook else None, episode_id=fault.episode_id,
        began_at=began(fault, now), opened_at=at, faulty_since=now, seen_at=at, respond_by=responding.by(priority, now),
        instances=_linked((), fault.instance), companies=tuple(dict.fromkeys(companies)),
        trace_ids=_linked((), fault.trace_id),
    )  # fmt: skip


def joined(incident: Incident, fault: FaultObserved, companies: Iterable[UUID], *, new_episode: bool) -> Incident:
    """The same trouble once more: counted, and what is new in it is linked.

    It is named by its fault as it is now; while it goes on, a crash loop is more than one end of a process.
    """
    names = not incident.is_open or fault.fault.value in (incident.fault, FaultKind.CRASH_LOOP)
    # That an end begins a loop is no further end.
    becomes_loop = incident.is_open and names and fault.fault.value != incident.fault
    return replace(
        incident, fault=fault.fault.value if names else incident.fault,
        cause=tidy(fault.cause) if names else incident.cause,
        faults=incident.faults + (not becomes_loop), episodes=incident.episodes + new_episode,
        seen_at=max(incident.seen_at, fault.observed_at), episode_id=fault.episode_id,
        instances=_linked(incident.instances, fault.instance),
        companies=tuple(dict.fromkeys((*incident.companies, *companies))),
        trace_ids=_linked(incident.trace_ids, fault.trace_id),
    )  # fmt: skip


def reopened(incident: Incident, now: datetime, responding: Responding) -> Incident:
    """It came back: open, nobody has answered for the present trouble, and a page of it is a new one."""
    return replace(
        incident, state=IncidentState.OPEN, faulty_since=now, respond_by=responding.by(incident.priority, now),
        closed_at=None, closed_by=None, closed_reason=None, acknowledged_at=None, acknowledged_by=None,
        paged_at=None, help_needed=False,
    )  # fmt: skip


def on_its_own(incident: Incident, now: datetime, responding: Responding) -> Incident:
    """From now on it has its own time to heal, and to be answered."""
    return replace(incident, faulty_since=now, respond_by=responding.by(incident.priority, now))


def in_the_future(incident: Incident, now: datetime) -> bool:
    """A clock that has gone back since made it: its times would not come for as long."""
    return incident.faulty_since > now + timedelta(minutes=1)


def raised(incident: Incident, priority: Priority, now: datetime, responding: Responding) -> Incident:
    """At a higher priority, with its shorter time to answer from now on."""
    return replace(incident, priority=priority, respond_by=responding.by(priority, now))


def acknowledged(incident: Incident, by: str, now: datetime) -> Incident:
    return replace(incident, state=IncidentState.ACKNOWLEDGED, acknowledged_at=now, acknowledged_by=by)


def closed(incident: Incident, now: datetime, by: str | None, reason: str) -> Incident:
    return replace(
        incident, state=IncidentState.CLOSED, closed_at=now, closed_by=by, closed_reason=reason, paged_at=None
    )


def page_due(incident: Incident, now: datetime, page_after: timedelta) -> bool:
    """Whether a person must be called: help was asked for, or a P1 or P2 has not healed itself in its time."""
    if incident.state != IncidentState.OPEN or incident.paged_at is not None:
        return False
    urgent = incident.priority in (Priority.P1, Priority.P2)
    lasts = now >= incident.faulty_since + page_after
    # What outlives its cause may still heal, though somebody called for help meanwhile.
    return (incident.help_needed and (lasts or incident.caused_by is None)) or (urgent and lasts)


def _linked(known: tuple[str, ...], another: str | None) -> tuple[str, ...]:
    if not another or another in known or len(known) >= LINKED_MAX:
        return known
    return (*known, tidy(another, 100))
