"""What is going wrong, what was done about it, and what may be done by itself."""

from dataclasses import dataclass
from datetime import datetime

from ecosystem_client.reading import Model


@dataclass(frozen=True, kw_only=True)
class Episode(Model):
    """A fault of one component, from when it was seen until it was over. `help_at`: when a person was called.

    `since`: when it began, or when all was well for the last time, where that was before it was seen.
    """

    episode_id: str
    fault: str
    component: str
    cause: str
    severity: str | None = None
    instance: str | None = None
    runbook: str | None = None
    observed_at: datetime | None = None
    since: datetime | None = None
    help_at: datetime | None = None
    cleared_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Repair(Model):
    """Something that was done, tried or proposed about a fault. `outcome`: done, failed, proposed, refused, undone."""

    action_id: str
    action: str
    outcome: str
    reason: str
    fault: str | None = None
    component: str | None = None
    episode_id: str | None = None
    attempt: int | None = None
    by: str | None = None
    decided_by: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class RecoveryKind(Model):
    """Who repairs one kind of fault and how (`remedy`). `repair` is None, and `mode` says nothing, where others do."""

    fault: str
    mode: str
    repaired_by: str = ""
    remedy: str = ""
    repair: str | None = None
    budget: int = 0
    budget_left: int = 0
    open_episodes: int = 0


@dataclass(frozen=True, kw_only=True)
class RecoveryStatus(Model):
    kinds: tuple[RecoveryKind, ...] = ()
    open_episodes: tuple[Episode, ...] = ()
    proposed: tuple[Repair, ...] = ()
