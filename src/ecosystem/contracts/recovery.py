"""recovery-agent: faults of the platform, what was done about them, and when a person is needed.

One fault episode is one `episode_id`: the same component with the same fault, as long as it is not cleared. The facts
are the platform's, of no company, unless one company alone is concerned.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from ecosystem.kernel.agent.card import AgentCard, AgentType, Limits, Prompt, Result, Task
from ecosystem.kernel.errors import Kind, Severity
from ecosystem.kernel.messaging.event import Event

SERVICE = "recovery-agent"
PREFIXES = ("/v1/recovery", "/v1/work")
CAUSE_LENGTH_MAX = 200
QUEUE_OF = "queue:"
"""Before the name of an agent: the component of a fault that is the queue of its calls."""


class FaultKind(StrEnum):
    INSTANCE_DEAD = "instance_dead"
    INSTANCE_FROZEN = "instance_frozen"
    CRASH_LOOP = "crash_loop"
    ENGINE_DEAD = "engine_dead"
    ENGINE_FROZEN = "engine_frozen"
    SUPERVISOR_RESTARTED = "supervisor_restarted"
    STUCK_RUN = "stuck_run"
    POISONED_EVENT = "poisoned_event"
    POOL_EXHAUSTED = "pool_exhausted"
    DISK_FULL = "disk_full"
    CERTIFICATE_EXPIRING = "certificate_expiring"
    CERTIFICATE_REVOKED = "certificate_revoked"
    CACHE_LOST = "cache_lost"
    DATABASE_RESTARTED = "database_restarted"
    OBJECT_CORRUPT = "object_corrupt"
    CONSUMER_BEHIND = "consumer_behind"
    HORIZON_HELD = "horizon_held"
    LOG_LATE = "log_late"
    AGENT_UNREACHABLE = "agent_unreachable"
    CALLS_WAITING = "calls_waiting"
    ERROR_RATE_HIGH = "error_rate_high"


class RepairOutcome(StrEnum):
    DONE = "done"
    FAILED = "failed"
    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"
    UNDONE = "undone"


class FaultObserved(Event, event_type="fault_observed", subject="episode_id"):
    """A fault was seen: once for an episode, and again with another cause when a crash loop goes on.

    `component` is a service, an engine, `consumer:NAME` or `queue:AGENT`; `instance` a process of it (`creditx-1`);
    `cause` is coded, without personal values: "ended by SIGKILL". `since` is when the trouble began, or the last
    moment of which is known that all was well, where that was before it was seen.
    """

    episode_id: UUID
    fault: FaultKind
    component: str
    instance: str | None = None
    cause: str = Field(max_length=CAUSE_LENGTH_MAX)
    severity: Severity
    companies: tuple[UUID, ...] = ()
    trace_id: str | None = None
    runbook: str | None = None
    observed_at: datetime
    since: datetime | None = None
    detail: dict[str, Any] = Field(default_factory=dict, description="Ids and measures.")


class RepairRecorded(Event, event_type="repair_recorded", subject="episode_id"):
    """One action and what became of it. `by` is "recovery-agent", "supervisor" or the id of a user.

    `attempt` counts on over the episodes of a process that does not stay well for a minute. `budget_left`: attempts
    that are left behind this one; None where nothing limits them.
    """

    episode_id: UUID
    action_id: UUID
    action: str
    outcome: RepairOutcome
    reason: str
    by: str
    attempt: int
    budget_left: int | None = None
    at: datetime


class FaultCleared(Event, event_type="fault_cleared", subject="episode_id"):
    """The world is well again. `by_itself`: nobody repaired it; else `repaired_by` names what did.

    `repair_seconds` counts from when the trouble began, as far as that is known.
    """

    episode_id: UUID
    cleared_at: datetime
    by_itself: bool
    repaired_by: str | None = Field(None, description='Action and who took it: "restart by supervisor".')
    repair_seconds: float


class HelpNeeded(Event, event_type="help_needed", subject="episode_id"):
    """No repair is left, or none is allowed: a person is needed. This is what pages."""

    episode_id: UUID
    reason: str
    detail: dict[str, Any] = Field(default_factory=dict, description="Ids and measures.")


class ErrorClassified(Result):
    """`attempts_max` counts all attempts; `escalate`: no attempt is left, so a person looks at it."""

    kind: Kind
    rule: str
    attempts_max: int
    escalate: bool


class ClassifyError(Task, request_type="classify_error", result=ErrorClassified, repeatable=True):
    """What repeating could change: `error` is a code of the platform or the dotted name of a foreign exception."""

    error: str = Field(min_length=1, max_length=200, pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$")
    attempt: int = Field(1, ge=1, le=1000, description="How many attempts have failed.")


class EpisodeExplained(Result):
    """What is known of an episode, as plain sentences in the order of time."""

    episode_id: UUID
    fault: FaultKind
    component: str
    open: bool
    sentences: tuple[str, ...]


class ExplainEpisode(Task, request_type="explain_episode", result=EpisodeExplained):
    episode_id: UUID


RECOVERY_AGENT = AgentCard(
    id="recovery-agent", service=SERVICE, type=AgentType.SYSTEM,
    purpose="Classify errors, repair faults within budgets, and call a person when one is needed.",
    tasks=(ClassifyError, ExplainEpisode),
    prompt=Prompt(
        system="You are recovery-agent. Classify errors, repair faults within budgets, call a person when needed.",
        constraints=("Never act twice on the same observation.", "Never act beyond a budget."),
    ),
    limits=Limits(timeout_seconds=5), callers=("orchestrator-agent", "monitoring-agent", "notification-agent"),
)  # fmt: skip
AGENTS = (RECOVERY_AGENT,)
EVENTS: tuple[type[Event], ...] = (FaultObserved, RepairRecorded, FaultCleared, HelpNeeded)
