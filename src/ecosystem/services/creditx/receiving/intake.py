"""What an upload must know before it is taken in: whether it came before, whether there is room, and how to read it."""

from collections import OrderedDict
from uuid import UUID

from ecosystem.kernel.db.database import Database
from ecosystem.services.creditx.errors import IntakeFull
from ecosystem.services.creditx.model import Habits
from ecosystem.services.creditx.repository import Documents
from ecosystem.services.creditx.settings import ServiceSettings

Before = tuple[bytes, UUID]
"""Fingerprint and document of an upload that came under the same key."""
_INTAKE_SECONDS = 5
_REMEMBERED_MAX = 1024


class Intake:
    def __init__(self, database: Database, documents: Documents, settings: ServiceSettings) -> None:
        self._database, self._documents, self._settings = database, documents, settings
        self._habits: OrderedDict[UUID, Habits] = OrderedDict()

    def habits(self, company_id: UUID) -> Habits | None:
        """The habits of a company that lately had room: what is begun by them is seldom begun in vain.

        They may have changed; what was read by others is read again (`Arrivals.reading`).
        """
        return self._habits.get(company_id)

    async def look(self, company_id: UUID, client_id: str, digest: bytes | None) -> tuple[Before | None, Habits | None]:
        """What came under this key before; the habits to read by. Raises IntakeFull."""
        unfinished_max = self._settings.unfinished_max
        before = await self._database.read(
            lambda: self._documents.before_upload(client_id, digest, unfinished_max)
        )  # fmt: skip
        has_room = before.unfinished < unfinished_max
        self._remember(company_id, before.habits if has_room else None)
        if before.same_key is None and not has_room:
            raise IntakeFull(unfinished_max=unfinished_max, retry_after_seconds=_INTAKE_SECONDS)
        return before.same_key, before.habits

    async def first_under(self, client_id: str, digest: bytes | None) -> Before | None:
        """Whoever was first with this key, after it was found taken."""
        return await self._database.read(lambda: self._documents.uploaded(client_id, digest or b""))

    def _remember(self, company_id: UUID, habits: Habits | None) -> None:
        self._habits.pop(company_id, None)
        if habits is not None:
            self._habits[company_id] = habits
        while len(self._habits) > _REMEMBERED_MAX:
            self._habits.popitem(last=False)
