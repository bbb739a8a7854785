"""orchestrator-agent: definitions of workflows, their runs and the state machine of a run."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from ecosystem.kernel.agent.card import AgentCard, AgentType, Limits, Prompt, Result, Task
from ecosystem.kernel.messaging.event import Event

SERVICE = "orchestrator-agent"
PREFIXES = ("/v1/runs", "/v1/workflows", "/agent/handle")


class RunState(StrEnum):
    IDLE = "IDLE"
    VALIDATING = "VALIDATING"
    DISPATCHING = "DISPATCHING"
    EXECUTING = "EXECUTING"
    AGGREGATING = "AGGREGATING"
    FINALIZING = "FINALIZING"
    ERROR = "ERROR"


class RunStarted(Result):
    run_id: UUID


class StartRun(Task, request_type="start_run", result=RunStarted, effect=True):
    """Start a workflow by name; `input` holds ids only. The same `key` starts it once."""

    workflow: str = Field(min_length=1, max_length=100, pattern="^[a-z0-9_]+$")
    input: dict[str, Any]
    key: str = Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")


class RetryRun(Task, request_type="retry_run", result=RunStarted, effect=True):
    """Let a run that stays in ERROR go on after its finished steps; with `input`, end it and start it anew with that.

    The answer names the run that goes on.
    """

    run_id: UUID
    input: dict[str, Any] | None = None


class RunCompleted(Event, event_type="workflow_run_completed", subject="run_id"):
    run_id: UUID
    workflow: str


class RunFailed(Event, event_type="workflow_run_failed", subject="run_id"):
    run_id: UUID
    workflow: str
    code: str
    input: dict[str, Any] = Field(default_factory=dict, description="Ids only, as the run was started with.")


class RunRetried(Event, event_type="workflow_run_retried", subject="run_id"):
    """A run that stayed in ERROR goes on."""

    run_id: UUID
    workflow: str


class RunCancelled(Event, event_type="workflow_run_cancelled", subject="run_id"):
    """A run was ended by a person; `instead` is the run that was started in its place, with another input."""

    run_id: UUID
    workflow: str
    instead: UUID | None = None


ORCHESTRATOR_AGENT = AgentCard(
    id="orchestrator-agent", service=SERVICE, type=AgentType.WORKFLOW,
    purpose="Start workflows and carry each run to its end, whatever dies on the way.", tasks=(StartRun, RetryRun),
    prompt=Prompt(system="You are orchestrator-agent. Start workflows and carry each run to its end."),
    limits=Limits(timeout_seconds=10), clients=True, callers=("recovery-agent",), consumers=("orchestrator-ingestion",),
)  # fmt: skip
AGENTS = (ORCHESTRATOR_AGENT,)
EVENTS: tuple[type[Event], ...] = (RunCompleted, RunFailed, RunRetried, RunCancelled)
