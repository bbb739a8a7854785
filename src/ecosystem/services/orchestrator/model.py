"""The state machine of a run, and a run as it is shown."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from ecosystem.contracts.orchestrator import RunState
from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.agent.waiting import Place
from ecosystem.workflow.model import Definition


class Status(StrEnum):
    """What has become of a run. A completed or cancelled one is IDLE again; a failed one stays in ERROR."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


WORKING = (
    RunState.VALIDATING, RunState.DISPATCHING, RunState.EXECUTING, RunState.AGGREGATING, RunState.FINALIZING,
)  # fmt: skip

ALLOWED: dict[RunState, frozenset[RunState]] = {
    RunState.IDLE: frozenset({RunState.VALIDATING}),
    RunState.VALIDATING: frozenset({*WORKING[1:], RunState.ERROR, RunState.IDLE}),
    RunState.DISPATCHING: frozenset({*WORKING[2:], RunState.ERROR, RunState.IDLE}),
    # A workflow may go round: what was executed or aggregated can lead to the next dispatch.
    RunState.EXECUTING: frozenset({RunState.DISPATCHING, *WORKING[3:], RunState.ERROR, RunState.IDLE}),
    RunState.AGGREGATING: frozenset({RunState.DISPATCHING, RunState.FINALIZING, RunState.ERROR, RunState.IDLE}),
    RunState.FINALIZING: frozenset({RunState.ERROR, RunState.IDLE}),
    RunState.ERROR: frozenset({RunState.VALIDATING, RunState.IDLE}),
}
"""Where a run may go. To IDLE it goes by its end: completed out of FINALIZING, or cancelled out of any state."""

DEFAULT = RunState.EXECUTING
"""The state of a call whose definition names none in `metadata.state`."""


def sources(state: RunState) -> list[str]:
    """The states out of which `state` may be entered."""
    return [source.value for source, targets in ALLOWED.items() if state in targets]


def state_of(metadata: Any) -> RunState:
    """The state in which a call is made. Raises ValueError for one in which nothing works."""
    name = metadata.get("state", DEFAULT.value)
    if name not in {state.value for state in WORKING}:
        raise ValueError(f"`metadata.state` is one of {', '.join(WORKING)}")
    return RunState(name)


def after_cancel(definition: Definition) -> str | None:
    """The workflow that follows when a person cancels a run of this one: `metadata.after_cancel` of a first task."""
    named = [task.metadata["after_cancel"] for task in definition.tasks if "after_cancel" in task.metadata]
    return str(named[0]) if named else None


def unfit(definition: Definition, cards: dict[str, AgentCard], sender: str) -> list[str]:
    """What a definition asks that no agent could do: unknown agents and tasks, more time than its card allows."""
    found = []
    for call in definition.calls():
        where = f"line {call.line}, {call.path}"
        card = cards.get(call.agent)
        if card is None:
            found.append(f"{where}: there is no agent {call.agent}")
            continue
        if card.task(call.request_type) is None:
            known = ", ".join(task.request_type for task in card.tasks)
            found.append(f"{where}: {call.agent} knows no task {call.request_type}; it does {known}")
        if call.timeout_seconds > card.limits.timeout_seconds:
            found.append(f"{where}: {call.agent} takes at most {card.limits.timeout_seconds:g} s")
        if sender not in card.callers:
            found.append(f"{where}: {call.agent} may not be called by {sender}")
    for task in (*definition.calls(), *definition.loops()):
        try:
            state_of(task.metadata)
        except ValueError as error:
            found.append(f"line {task.line}, {task.path}: {error}")
    return found


@dataclass(frozen=True)
class Transition:
    state: str
    at: datetime
    step: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class StepRecord:
    """One attempt of one call. `code` is None where it was answered; `pass_number` is that of a pass of a loop."""

    name: str
    path: str
    pass_number: int | None
    agent: str
    task: str
    attempt: int
    began_at: datetime
    ended_at: datetime
    code: str | None


@dataclass(frozen=True)
class LoopRecord:
    """How far a loop has come: `ended` of its `passes`, one for each of what `each` names."""

    name: str
    path: str
    each: str
    passes: int
    ended: int
    began_at: datetime


@dataclass(frozen=True)
class Run:
    """`started_at` is that of the last start or retry; `generation` counts the retries.

    `waiting`: its calls in the queues of absent agents.
    """

    run_id: UUID
    workflow: str
    version: str
    digest: str
    input: dict[str, Any]
    status: str
    state: str
    outcome: str | None
    output: Any
    code: str | None
    reason: str | None
    generation: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime
    ended_at: datetime | None
    transitions: tuple[Transition, ...] = field(default=())
    steps: tuple[StepRecord, ...] = field(default=())
    loops: tuple[LoopRecord, ...] = field(default=())
    waiting: tuple[Place, ...] = field(default=())
