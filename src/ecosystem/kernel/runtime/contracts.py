"""What the kernel must know of all contracts, brought by whoever starts it: the kernel imports none."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.messaging.event import Event

EDGE = "edge"


@dataclass(frozen=True)
class ContractIndex:
    """`agents` and `events` by name (`contracts.index`); `services` are the registered names of the catalog."""

    agents: Mapping[str, AgentCard]
    events: Mapping[str, type[Event]] = field(default_factory=dict)
    services: frozenset[str] = frozenset()

    @property
    def http_callers(self) -> frozenset[str]:
        """Who may come in by HTTP: the edge and the platform's services."""
        return self.services | {card.service for card in self.agents.values()} | {EDGE}
