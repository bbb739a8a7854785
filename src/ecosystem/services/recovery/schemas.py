"""What the routes of recovery-agent accept and return."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ecosystem.contracts.recovery import FaultKind, RepairOutcome
from ecosystem.kernel.errors import Severity
from ecosystem.kernel.http.texts import ONE_LINE

Reason = Annotated[
    str,
    Field(max_length=200, description="Why, in words that name nobody: one line, what is hidden in it left out."),
    ONE_LINE,
]


class _Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class KindShown(_Shown):
    """`mode` is act, propose or paused. `repaired_by` and `remedy`: who repairs, and what happens then.

    `repair` is the action of recovery-agent, None where others repair: `mode` and budget are of that action alone.
    """

    fault: FaultKind
    mode: str
    repaired_by: str
    remedy: str
    repair: str | None
    budget: int
    budget_left: int
    open_episodes: int


class EpisodeShown(_Shown):
    """`since`: when it began, or when all was well for the last time, where that was before it was seen."""

    episode_id: UUID
    fault: FaultKind
    component: str
    instance: str | None
    cause: str
    severity: Severity
    companies: list[UUID]
    runbook: str | None
    detail: dict[str, Any]
    observed_at: datetime
    since: datetime | None
    help_at: datetime | None
    cleared_at: datetime | None


class ActionShown(_Shown):
    """`fault` is a kind of fault, or `all` where a person paused or resumed everything."""

    action_id: UUID
    episode_id: UUID | None
    fault: str
    component: str
    action: str
    attempt: int
    outcome: RepairOutcome
    reason: str
    by: str
    decided_by: str | None
    at: datetime


class StatusShown(BaseModel):
    kinds: list[KindShown]
    open_episodes: list[EpisodeShown]
    proposed: list[ActionShown]


class StoryShown(BaseModel):
    episode: EpisodeShown
    actions: list[ActionShown]
    sentences: list[str]


class Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Reason = ""


class Switch(Decision):
    fault: FaultKind | None = Field(None, description="The kind of fault; all of them without one.")
