"""monitoring-service: the audit trail, incidents, who is on call, and what is sent to people."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from ecosystem.kernel.agent.card import AgentCard, AgentType, Limits, Prompt, Result, Task
from ecosystem.kernel.messaging.event import Event

SERVICE = "monitoring-service"
PREFIXES = ("/v1/audit", "/v1/incidents", "/v1/status", "/v1/oncall", "/v1/oncall/link", "/v1/notifications")
"""`/v1/oncall/link` needs no token: the link in a page carries its own proof."""

INCIDENTS_CONSUMER = "monitoring-incidents"


class Priority(StrEnum):
    """How soon somebody answers: within 5 min, 15 min, 1 h, and by the next business day."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


class IncidentState(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class IncidentFact(Event):
    """What every event of an incident says. The events are the platform's, of no company; `title` is made of codes."""

    incident_id: UUID
    number: int
    priority: Priority
    title: str
    episode_id: UUID
    companies: tuple[UUID, ...]
    at: datetime


class IncidentOpened(IncidentFact, event_type="incident_opened", subject="incident_id"):
    """A fault began an incident, or came back to one that was closed a short while ago (`again`).

    `caused_by`: the number of the incident that is its cause.
    """

    again: bool = False
    caused_by: int | None = None


class IncidentEscalated(IncidentFact, event_type="incident_escalated", subject="incident_id"):
    """It has a higher priority now. `reason` is coded: severity_raised, help_needed, response_overdue; or crash_loop,
    of what ends again and again, whatever its priority is."""

    reason: str


class IncidentAcknowledged(IncidentFact, event_type="incident_acknowledged", subject="incident_id"):
    """A person looks at it. `by` is an id."""

    by: str


class IncidentClosed(IncidentFact, event_type="incident_closed", subject="incident_id"):
    """It is over: by itself when its faults were cleared (`by` is None), or by a person."""

    by: str | None


class AuditEntryFound(Result):
    """One entry of the audit trail, without what was changed: ids and codes only."""

    event_id: UUID
    action: str
    target: str
    user_id: str | None
    agent_id: str | None
    happened_at: datetime


class AuditEntriesFound(Result):
    """Newest first; `more`: there are others behind the last one."""

    entries: tuple[AuditEntryFound, ...]
    more: bool


class FindAuditEntries(Task, request_type="find_audit_entries", result=AuditEntriesFound):
    """Who did what: entries of the asking company, narrowed by what is given."""

    actor: str | None = Field(None, max_length=200, description="Id of the user or agent who did it.")
    action: str | None = Field(None, max_length=100)
    target: str | None = Field(None, max_length=200)
    since: datetime | None = None
    until: datetime | None = None
    limit: int = Field(20, ge=1, le=100)


class AuditVerified(Result):
    """Whether the trail is whole. `problems` names the first places that are not, by chain, number and code."""

    whole: bool
    entries: int
    problems: tuple[str, ...]


class VerifyAudit(Task, request_type="verify_audit", result=AuditVerified):
    """Walk the chains of the asking company and compare them with the event log."""


class IncidentDescribed(Result):
    """What is known of an incident, as plain sentences in the order of time."""

    incident_id: UUID
    number: int
    state: IncidentState
    priority: Priority
    title: str
    sentences: tuple[str, ...]


class DescribeIncident(Task, request_type="describe_incident", result=IncidentDescribed):
    """Tell an incident by its id or its number; of a company's incidents only where a company asks."""

    incident: str = Field(min_length=1, max_length=40, description="Id, or number such as 17.")


class ServiceHealth(Result):
    """How one service does: instances in the registry, and what they answered at `/metrics` just now."""

    service: str
    ready: int
    instances: int
    requests_total: float
    errors_total: float
    reasons: tuple[str, ...]


class HealthDescribed(Result):
    healthy: bool
    services: tuple[ServiceHealth, ...]
    open_incidents: dict[str, int]
    sentences: tuple[str, ...]


class DescribeHealth(Task, request_type="describe_health", result=HealthDescribed):
    """How the platform does now, out of registry, `/metrics` of every instance, and open incidents."""

    service: str | None = Field(None, max_length=100, description="Only this one, by its registered name.")


class NotificationsQueued(Result):
    """One id for each channel; `repeated` of them were said a moment ago and are not said again."""

    notification_ids: tuple[UUID, ...]
    repeated: int


class SendNotification(Task, request_type="send_notification", result=NotificationsQueued, effect=True):
    """Say something to people through channels of the asking company (the platform's where no company asks).

    `title` and `text` are words for people; ids belong into them, values about persons do not. What is not `urgent`
    waits for the end of a channel's quiet hours. The same `dedup_key` within the window is said once.
    """

    title: str = Field(min_length=1, max_length=500)
    text: str = Field(min_length=1, max_length=10_000, description="Said in one line, cut behind 2400 characters.")
    channels: tuple[str, ...] = Field((), max_length=20, description="By name; none: all that there are.")
    dedup_key: str = Field(min_length=1, max_length=120)
    urgent: bool = False


class NotificationFound(Result):
    notification_id: UUID
    channel: str
    state: str
    attempts: int
    repeats: int
    problem: str | None
    sent_at: datetime | None


class FindNotification(Task, request_type="find_notification", result=NotificationFound):
    """How far a message has come: waiting, sending, sent or failed."""

    notification_id: UUID


_ASKERS = ("orchestrator-agent", "recovery-agent", "notification-agent")
LOGGING_AGENT = AgentCard(
    id="logging-agent", service=SERVICE, type=AgentType.UTILITY,
    purpose="Find who did what, and prove that the trail is whole.", tasks=(FindAuditEntries, VerifyAudit),
    prompt=Prompt(
        system="You are logging-agent. Find who did what, and prove that the trail is whole.",
        constraints=("Answer only from the audit trail.", "Answer a company with its own entries only."),
    ),
    limits=Limits(timeout_seconds=30), callers=(*_ASKERS, "monitoring-agent"), clients=True,
)  # fmt: skip
MONITORING_AGENT = AgentCard(
    id="monitoring-agent", service=SERVICE, type=AgentType.UTILITY,
    purpose="Tell how the platform does and what an incident is about.", tasks=(DescribeIncident, DescribeHealth),
    prompt=Prompt(
        system="You are monitoring-agent. Tell how the platform does and what an incident is about.",
        constraints=("Answer only from what is measured and recorded.",),
    ),
    limits=Limits(timeout_seconds=10), callers=(*_ASKERS, "logging-agent"), clients=True,
    # A session that holds the log back is a fault whose incident would wait for its own end.
    consumers=(INCIDENTS_CONSUMER,),
)  # fmt: skip
NOTIFICATION_AGENT = AgentCard(
    id="notification-agent", service=SERVICE, type=AgentType.UTILITY,
    purpose="Tell people what they must know, once, where and when they want it.",
    tasks=(SendNotification, FindNotification),
    prompt=Prompt(
        system="You are notification-agent. Tell people what they must know, once, where and when they want it.",
        constraints=("Send to channels of the asking company only.", "Never tell where a channel leads."),
    ),
    limits=Limits(timeout_seconds=10),
    callers=("orchestrator-agent", "recovery-agent", "monitoring-agent", "logging-agent"), clients=True,
)  # fmt: skip
AGENTS: tuple[AgentCard, ...] = (LOGGING_AGENT, MONITORING_AGENT, NOTIFICATION_AGENT)
EVENTS: tuple[type[Event], ...] = (IncidentOpened, IncidentEscalated, IncidentAcknowledged, IncidentClosed)
