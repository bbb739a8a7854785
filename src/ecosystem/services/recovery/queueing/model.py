"""A waiting call as people see it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ecosystem.contracts.recovery import QUEUE_OF


@dataclass(frozen=True)
class Waiting:
    """`is_asked`: it is being brought to its agent now. `failures`: those that count, since it waits."""

    call_id: UUID
    company_id: UUID
    run_id: UUID
    agent_id: str
    request_type: str
    step: str
    code: str
    waiting_since: datetime
    failures: int
    is_asked: bool


def agent_of(component: str) -> str | None:
    """The agent whose queue this component of a fault is."""
    return component.removeprefix(QUEUE_OF) if component.startswith(QUEUE_OF) else None
