"""dragonfly-service: statistics and lifetimes of the cache (Dragonfly, Valkey or Redis)."""

from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.messaging.event import Event

SERVICE = "dragonfly-service"
PREFIXES = ("/v1/engines/cache",)
AGENTS: tuple[AgentCard, ...] = ()
EVENTS: tuple[type[Event], ...] = ()
