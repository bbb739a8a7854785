"""Episodes, actions, and what the platform does about each kind of fault."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from ecosystem.contracts.recovery import CAUSE_LENGTH_MAX, FaultKind, RepairOutcome
from ecosystem.kernel.errors import EcosystemError, Severity

BY_US, BY_SUPERVISOR = "recovery-agent", "supervisor"
_NAMES = UUID("6d0f5f5e-6a34-5c55-9f6e-1d1f3d0f7a10")
HOUR = timedelta(hours=1)
RESTART, RESTORE, CLEAR = "restart", "restore", "clear"


class Mode(StrEnum):
    """`paused`: faults are still seen and told, nothing is done and nothing proposed."""

    ACT = "act"
    PROPOSE = "propose"
    PAUSED = "paused"


DECIDES = "a person decides about it"


@dataclass(frozen=True)
class Policy:
    """`repaired_by` and `remedy` say in words who repairs and what happens then: together a sentence.

    `repair` is what recovery-agent does itself, None where others repair.
    `only_proposed`: a person decides always, because the repair makes no sense before a cause is mended.
    `help_after_seconds`: when a person is called, where not after `recovery.help_after_seconds`; `advice` is what that
    person is told to do, `again` what a person is told whose approval did not help.
    """

    severity: Severity
    runbook: str
    repaired_by: str
    remedy: str
    repair: str | None = None
    repairs_per_hour: int = 10
    only_proposed: bool = False
    help_after_seconds: float | None = None
    advice: str = ""
    again: str = DECIDES


_DOWN, _ERRORS, _DATABASE = "service_unavailable", "high_error_rate", "database_connection_failures"
_SUPERVISOR, _SERVICES, _PERSON = BY_SUPERVISOR, "services", "a person"
END_SESSION, REDELIVER, TAKE_RUN = "end_session", "redeliver", "take_run_from_worker"

POLICIES: dict[FaultKind, Policy] = {
    FaultKind.INSTANCE_DEAD: Policy(Severity.MEDIUM, _DOWN, _SUPERVISOR, "starts another at once"),
    FaultKind.INSTANCE_FROZEN: Policy(Severity.MEDIUM, _DOWN, _SUPERVISOR, "ends it and starts another"),
    FaultKind.CRASH_LOOP: Policy(
        Severity.MEDIUM, _DOWN, _SUPERVISOR, "holds it back and tries again; in the end a person is called"
    ),
    FaultKind.ENGINE_DEAD: Policy(Severity.HIGH, _DATABASE, _SUPERVISOR, "starts it anew"),
    FaultKind.ENGINE_FROZEN: Policy(Severity.HIGH, _DATABASE, _SUPERVISOR, "ends it and starts it anew"),
    FaultKind.SUPERVISOR_RESTARTED: Policy(
        Severity.HIGH, _DOWN, _SUPERVISOR, "has started everything again when this is seen"
    ),
    FaultKind.STUCK_RUN: Policy(
        Severity.MEDIUM,
        _ERRORS,
        BY_US,
        "takes it from its worker; another goes on behind its last step",
        TAKE_RUN,
        repairs_per_hour=20,
    ),
    FaultKind.POISONED_EVENT: Policy(
        Severity.MEDIUM,
        _ERRORS,
        BY_US,
        "hands it to its consumer again, once you approve",
        REDELIVER,
        only_proposed=True,
        help_after_seconds=0,
        advice="`eco events dead-letters` lists what, `eco logs --level warning --counted` tells why",
        again="`eco logs --level warning --counted` tells why: mend that before you approve it again",
    ),
    FaultKind.POOL_EXHAUSTED: Policy(
        Severity.HIGH, _DATABASE, _SERVICES, "make callers wait, or refuse them, until connections are free"
    ),
    FaultKind.DISK_FULL: Policy(
        Severity.CRITICAL, _DOWN, _PERSON, "makes room; until then uploads are refused and reads go on"
    ),
    FaultKind.CERTIFICATE_EXPIRING: Policy(Severity.HIGH, _DOWN, _SUPERVISOR, "gives its process a new one"),
    FaultKind.CERTIFICATE_REVOKED: Policy(Severity.HIGH, _DOWN, _SUPERVISOR, "gives its process a new one"),
    FaultKind.CACHE_LOST: Policy(Severity.LOW, _ERRORS, _SERVICES, "ask the database, and fill the cache again"),
    FaultKind.DATABASE_RESTARTED: Policy(Severity.MEDIUM, _DATABASE, _SERVICES, "connect again"),
    FaultKind.OBJECT_CORRUPT: Policy(
        Severity.HIGH,
        _ERRORS,
        _SERVICES,
        "make a file of the archive again; for a document a person is called",
        help_after_seconds=30,
        advice="no other copy is kept here: restore it from a backup, which its next check sees, or ask who sent it"
        " to send it again and end this with `eco recovery clear`",
    ),
    FaultKind.CONSUMER_BEHIND: Policy(Severity.MEDIUM, _ERRORS, _SERVICES, "catch up"),
    FaultKind.HORIZON_HELD: Policy(
        Severity.HIGH,
        _DATABASE,
        BY_US,
        "ends the session that holds it, where that is allowed",
        END_SESSION,
        repairs_per_hour=3,
    ),
    FaultKind.LOG_LATE: Policy(
        Severity.MEDIUM, _ERRORS, _SERVICES, "bring events by direct call until the log can be read again"
    ),
    FaultKind.AGENT_UNREACHABLE: Policy(
        Severity.HIGH, _DOWN, _SUPERVISOR, "starts its service; calls go to its backup or wait"
    ),
    FaultKind.CALLS_WAITING: Policy(
        Severity.HIGH,
        _DOWN,
        _PERSON,
        "brings the agent back; its calls are then brought in order",
        help_after_seconds=0,
    ),
    FaultKind.ERROR_RATE_HIGH: Policy(Severity.HIGH, _ERRORS, _SERVICES, "leave it alone for a while and try again"),
}


@dataclass(frozen=True)
class Sighting:
    """A fault as a detector sees it. `target` is what a repair needs: it stays here and leaves by no event.

    `since` is when it began, or when all was well for the last time, where somebody knows that. `runbook` is the page
    that helps, where that is not the one of the kind.
    """

    fault: FaultKind
    component: str
    cause: str
    at: datetime
    instance: str | None = None
    companies: tuple[UUID, ...] = ()
    detail: dict[str, Any] = field(default_factory=dict)
    target: dict[str, Any] = field(default_factory=dict)
    runbook: str | None = None
    since: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "cause", self.cause[:CAUSE_LENGTH_MAX])
        if self.since is not None and self.since >= self.at:
            object.__setattr__(self, "since", None)

    @property
    def key(self) -> tuple[FaultKind, str]:
        return self.fault, self.component


@dataclass(frozen=True)
class Episode:
    """`number` counts the episodes of one component and fault. `waiting`: processes that are not back yet."""

    episode_id: UUID
    fault: FaultKind
    component: str
    number: int
    instance: str | None
    waiting: tuple[str, ...]
    quiet_since: datetime | None
    cause: str
    severity: Severity
    companies: tuple[UUID, ...]
    runbook: str | None
    detail: dict[str, Any]
    observed_at: datetime
    since: datetime | None
    help_at: datetime | None
    cleared_at: datetime | None

    @property
    def began_at(self) -> datetime:
        return self.since or self.observed_at

    @property
    def policy(self) -> Policy:
        return POLICIES[self.fault]

    def needs_help(self, lasts_seconds: float, after_seconds: float) -> bool:
        """Whether a person should be called now; nobody is called twice for one episode, nor for one that only waits
        whether its process stays well."""
        if self.help_at is not None or self.cleared_at is not None or self.quiet_since is not None:
            return False
        seconds = self.policy.help_after_seconds
        return lasts_seconds >= (after_seconds if seconds is None else seconds)


@dataclass(frozen=True)
class Action:
    """Something done, tried or proposed. `episode_id` is None for what a person did about a kind of fault."""

    action_id: UUID
    episode_id: UUID | None
    fault: str
    component: str
    action: str
    attempt: int
    outcome: RepairOutcome
    reason: str
    by: str
    target: dict[str, Any]
    at: datetime
    decided_by: str | None = None


@dataclass(frozen=True)
class KindState:
    """How one kind of fault is dealt with now. `budget_left`: repairs that are left in this hour."""

    fault: FaultKind
    mode: Mode
    repaired_by: str
    remedy: str
    repair: str | None
    budget: int
    budget_left: int
    open_episodes: int


def episode_id(fault: FaultKind, component: str, number: int) -> UUID:
    """The same for every replica that sees the same fault."""
    return uuid5(_NAMES, f"{component}/{fault}/{number}")


def event_id(of: UUID, what: str) -> UUID:
    """The id of the event that tells `what` of an episode or action: a repeat is the same event."""
    return uuid5(of, what)


def action_id(episode: UUID, action: str, attempt: int) -> UUID:
    return uuid5(episode, f"{action}/{attempt}")


def error_of(code: str) -> type[EcosystemError] | None:
    """The error of ours with this code; None where no code of this process has one."""
    return next((one for one in _below(EcosystemError) if one.code == code), None)


def _below(kind: type[EcosystemError]) -> Iterator[type[EcosystemError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from _below(one)


def told_cause(reason: str) -> str:
    """The coded part of the supervisor's reason: what a process said before its end stands in brackets behind it."""
    return reason.partition(" (")[0]
