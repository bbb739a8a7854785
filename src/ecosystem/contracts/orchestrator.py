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


class RunCompleted(Event, event_type="workflow_run_completed", subject="run_id"):
    run_id: UUID
    workflow: str


class RunFailed(Event, event_type="workflow_run_failed", subject="run_id"):
    run_id: UUID
    workflow: str
    code: str


ORCHESTRATOR_AGENT = AgentCard(
    id="orchestrator-agent", service=SERVICE, type=AgentType.WORKFLOW,
    purpose="Start workflows and carry each run to its end, whatever dies on the way.", tasks=(StartRun,),
    prompt=Prompt(system="You are orchestrator-agent. Start workflows and carry each run to its end."),
    limits=Limits(timeout_seconds=10), clients=True, consumers=("orchestrator-ingestion",),
)  # fmt: skip
AGENTS = (ORCHESTRATOR_AGENT,)
EVENTS: tuple[type[Event], ...] = (RunCompleted, RunFailed)
