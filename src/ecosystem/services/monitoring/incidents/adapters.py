"""Where nobody is on call: a page becomes an error in the log of the service."""

from uuid import UUID

from ecosystem.contracts.monitoring import Priority
from ecosystem.kernel.telemetry.log import log


class LoggedPages:
    async def request(
        self, *, incident_id: UUID, priority: Priority, title: str, summary: str, runbook: str | None, dedup_key: UUID
    ) -> None:
        log.error("a person is needed", incident_id=str(incident_id), priority=priority.value, title=title)

    async def acknowledged(self, incident_id: UUID, by: str) -> None:
        """Nobody was called, so nobody must be told."""

    async def closed(self, incident_id: UUID) -> None:
        """Nobody was called, so nobody must be told."""
