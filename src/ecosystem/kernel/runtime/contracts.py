"""What the kernel must know of all contracts, brought by whoever starts it: the kernel imports none."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem.kernel.messaging.event import Event

EDGE = "edge"


class BackupUnknown(EcosystemError):
    code, kind, severity = "backup_unknown", Kind.PERMANENT, Severity.HIGH
    rule = "The backup of a card is a second deployment of its own service, by the name in the catalog."
    suggestion = "Correct `fallback` of the named card, or add the deployment to BACKUPS of the catalog."


@dataclass(frozen=True)
class ContractIndex:
    """`agents` and `events` by name (`contracts.index`); `services` are the registered names of the catalog.

    `backups`: those of them that are second deployments, with the service that each stands in for.
    """

    agents: Mapping[str, AgentCard]
    events: Mapping[str, type[Event]] = field(default_factory=dict)
    services: frozenset[str] = frozenset()
    backups: Mapping[str, str] = field(default_factory=dict)

    def refuse_unknown_backups(self) -> None:
        """Raises BackupUnknown, naming every card whose chain leads nowhere."""
        wrong = [
            f"{card.id} names {card.fallback.backup}"
            for card in self.agents.values()
            if card.fallback.backup is not None and self.backups.get(card.fallback.backup) != card.service
        ]
        if wrong:
            raise BackupUnknown(f"{'; '.join(wrong)}.")

    @property
    def http_callers(self) -> frozenset[str]:
        """Who may come in by HTTP: the edge and the platform's services."""
        return self.services | {card.service for card in self.agents.values()} | {EDGE}
