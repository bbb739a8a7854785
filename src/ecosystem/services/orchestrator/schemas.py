"""What the routes of the orchestrator answer."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from ecosystem.contracts.orchestrator import RunState


class Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class TransitionShown(Answer):
    state: RunState
    at: datetime
    step: str | None
    reason: str | None


class StepShown(Answer):
    """One attempt of one call; `code` is null where the agent answered, `pass_number` outside of loops."""

    name: str
    path: str
    pass_number: int | None
    agent: str
    task: str
    attempt: int
    began_at: datetime
    ended_at: datetime
    code: str | None


class LoopShown(Answer):
    """How far a loop has come: `ended` of its `passes`, one for each of what `each` names."""

    name: str
    path: str
    each: str
    passes: int
    ended: int
    began_at: datetime


class PlaceShown(Answer):
    """A call that waits in the queue of an absent agent; `before` it are so many of the same agent and company."""

    call_id: UUID
    agent_id: str
    request_type: str
    step: str
    code: str
    waiting_since: datetime
    failures: int
    before: int


class RunListed(Answer):
    """`status` is running, completed, failed (in ERROR until retried or cancelled) or cancelled."""

    run_id: UUID
    workflow: str
    version: str
    status: str
    state: RunState
    outcome: str | None
    code: str | None
    reason: str | None
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None


class RunShown(RunListed):
    """`input` and `output` hold ids and measures. `digest` (SHA-256) proves which definition was run."""

    digest: str
    input: dict[str, Any]
    output: Any
    generation: int
    transitions: list[TransitionShown]
    steps: list[StepShown]
    loops: list[LoopShown]
    waiting: list[PlaceShown]


class WorkflowShown(Answer):
    workflow: str
    version: str
    digest: str
    title: str
    summary: str
    input_schema: dict[str, Any]
    agents: list[str]


class WorkflowsShown(Answer):
    items: list[WorkflowShown]
    next_cursor: str | None = None
