"""gateway-service: the public edge, an Envoy that it configures from the registry."""

from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.messaging.event import Event

SERVICE = "gateway-service"
PREFIXES = ("/v1/edge",)
AGENTS: tuple[AgentCard, ...] = ()
EVENTS: tuple[type[Event], ...] = ()
