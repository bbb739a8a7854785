"""objects-service: retention and integrity of documents and archives."""

from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.messaging.event import Event

SERVICE = "objects-service"
PREFIXES = ("/v1/engines/objects",)
AGENTS: tuple[AgentCard, ...] = ()


class ObjectDamageFound(Event, event_type="object_damage_found", subject="object_digest"):
    """What is stored is not what was put; `code` is `object_damaged` or `object_not_found`."""

    object_digest: str
    code: str


EVENTS: tuple[type[Event], ...] = (ObjectDamageFound,)
