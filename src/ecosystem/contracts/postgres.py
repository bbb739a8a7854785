"""postgres-service: health, migrations and capabilities of the PostgreSQL cluster."""

from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.messaging.event import Event

SERVICE = "postgres-service"
PREFIXES = ("/v1/engines/postgres",)
AGENTS: tuple[AgentCard, ...] = ()
EVENTS: tuple[type[Event], ...] = ()
