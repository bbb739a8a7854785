"""Work for a company or the platform, in a unit of work of its own or inside of the one that is open."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

from ecosystem.kernel import context
from ecosystem.kernel.audit.audit import Audit
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.keys.keyring import PLATFORM

T = TypeVar("T")


class Fenced:
    """`company_id` is a company, or PLATFORM: its rows stand behind the same fence, its audit entries are nobody's."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self.database, self._audit = database, audit

    async def run(self, company_id: UUID, work: Callable[[], Awaitable[T]]) -> T:
        """`work` in the open unit of work, or in one of its own."""
        if self.database.in_unit_of_work:
            async with self.database.as_company(company_id):
                return await work()
        with context.scope(company_id=company_id):
            return await self.database.run(work)

    async def read(self, company_id: UUID, work: Callable[[], Awaitable[T]]) -> T:
        with context.scope(company_id=company_id):
            return await self.database.read(work)

    async def record(
        self, company_id: UUID, action: str, target: object, after: dict[str, Any] | None,
        before: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """An audit entry, inside of a unit of work."""
        async with self.database.as_company(None if company_id == PLATFORM else company_id):
            await self._audit.record(action, str(target), before=before, after=after)
