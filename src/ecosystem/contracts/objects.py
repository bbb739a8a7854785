"""objects-service: retention and integrity of documents and archives."""

from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.messaging.event import Event

SERVICE = "objects-service"
PREFIXES = ("/v1/engines/objects",)
BACKUP = "backup"
AGENTS: tuple[AgentCard, ...] = ()


class ObjectDamageFound(Event, event_type="object_damage_found", subject="object_digest"):
    """What is stored is not what was put; `code` is `object_damaged` or `object_not_found`."""

    object_digest: str
    code: str


class ObjectRestored(Event, event_type="object_restored", subject="object_digest"):
    """A damaged object is again what was put. `source` is what it was made from: `event_log`, or `backup` where
    somebody put it back and the check found it whole.
    """

    object_digest: str
    source: str


EVENTS: tuple[type[Event], ...] = (ObjectDamageFound, ObjectRestored)
