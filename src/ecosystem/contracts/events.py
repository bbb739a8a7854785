"""events-service: the archive of the log, replay, dead letters, and the agent that publishes for others."""

from typing import Any
from uuid import UUID

from ecosystem.kernel.agent.card import AgentCard, AgentType, Fallback, Limits, Prompt, Result, Task
from ecosystem.kernel.messaging.event import Event

SERVICE = "events-service"
PREFIXES = ("/v1/events",)


class EventPublished(Result):
    event_id: UUID
    event_type: str


class PublishEvent(Task, request_type="publish_event", result=EventPublished, effect=True):
    """Append one fact of a known type to the log; `data` must fit the schema of `event_type`."""

    event_type: str
    data: dict[str, Any]


EVENT_BUS_AGENT = AgentCard(
    id="event-bus-agent", service=SERVICE, type=AgentType.SYSTEM,
    purpose="Publish facts on behalf of workflows, once for each request.", tasks=(PublishEvent,),
    prompt=Prompt(system="You are event-bus-agent. Publish facts, once for each request."),
    limits=Limits(timeout_seconds=5), callers=("orchestrator-agent",), fallback=Fallback(queue=True),
)  # fmt: skip
AGENTS = (EVENT_BUS_AGENT,)
EVENTS: tuple[type[Event], ...] = ()
