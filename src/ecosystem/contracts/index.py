"""Every contract by name, for whoever must know all of them: schemas, the agent client, the event bus."""

from ecosystem.contracts import (
    authn,
    creditx,
    dragonfly,
    events,
    gateway,
    monitoring,
    objects,
    orchestrator,
    postgres,
    recovery,
)
from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.messaging.event import Event

_MODULES = (authn, gateway, events, monitoring, creditx, postgres, dragonfly, objects, orchestrator, recovery)

AGENTS: dict[str, AgentCard] = {card.id: card for module in _MODULES for card in module.AGENTS}
EVENTS: dict[str, type[Event]] = {kind.event_type: kind for module in _MODULES for kind in module.EVENTS}
PREFIXES: dict[str, str] = {prefix: module.SERVICE for module in _MODULES for prefix in module.PREFIXES}
