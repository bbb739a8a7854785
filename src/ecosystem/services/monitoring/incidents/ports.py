"""What incidents need of whoever calls people."""

from typing import Protocol
from uuid import UUID

from ecosystem.contracts.monitoring import Priority


class Pages(Protocol):
    """Called inside of the unit of work that makes it true; whoever implements it holds database statements only."""

    async def request(
        self, *, incident_id: UUID, priority: Priority, title: str, summary: str, runbook: str | None, dedup_key: UUID
    ) -> None:
        """A person is needed for this incident. The same `dedup_key` while a page of it is open is the same page."""

    async def acknowledged(self, incident_id: UUID, by: str) -> None:
        """Somebody acknowledged the incident: stop climbing. Nothing happens where no page of it is open."""

    async def closed(self, incident_id: UUID) -> None:
        """The incident is over: a page of it that nobody took up is withdrawn."""
