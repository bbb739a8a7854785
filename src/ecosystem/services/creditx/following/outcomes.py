"""Who waits for the outcome of a document."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.waiting import Waiting
from ecosystem.services.creditx.model import Document, Status

CHANNEL = "eco_outcomes"
"""The wake-up of who waits; its keys are ids of documents."""
FINISHED = (Status.COMPLETED, Status.FAILED)


class Outcomes:
    def __init__(self, database: Database, waiters_max: int) -> None:
        self._database = database
        self.waiting = Waiting(database.wakeups, CHANNEL, waiters_max=waiters_max)

    def tell(self, document_id: UUID) -> None:
        """Inside a unit of work that gives a document its outcome: wake who waits once it has committed."""
        self._database.after_commit(lambda: self.waiting.tell(str(document_id)))

    async def reached(
        self, document_id: UUID, wait_seconds: float, look: Callable[[], Awaitable[Document]], *, is_new: bool = False
    ) -> Document:
        """The document as soon as it has its outcome, or as it stands after `wait_seconds`. Raises what `look` does."""
        return await self.waiting.until(
            str(document_id), wait_seconds, look, lambda document: document.status in FINISHED, is_new=is_new
        )
