"""objects-service: retention and integrity of documents and archives."""

from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.messaging.event import Event

SERVICE = "objects-service"
PREFIXES = ("/v1/engines/objects",)
AGENTS: tuple[AgentCard, ...] = ()
EVENTS: tuple[type[Event], ...] = ()
