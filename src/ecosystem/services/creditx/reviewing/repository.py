"""All SQL of reviews."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.services.creditx.reviewing.model import Review

_REVIEW = """
select r.document_id, r.requested_at, r.claimed_by, r.claimed_until, d.kind, d.status, d.score, d.failing, d.reasons,
       d.uploaded_at
  from reviews r join documents d on d.company_id = r.company_id and d.document_id = r.document_id
 where r.company_id = %(company_id)s
"""
_FIND = f"{_REVIEW} and r.document_id = %(document_id)s"
_PAGE = f"""{_REVIEW}
  and (%(after)s::timestamptz is null or (r.requested_at, r.document_id) > (%(after)s, %(after_id)s))
  and (%(holder)s::text is null or (r.claimed_by = %(holder)s and r.claimed_until > %(now)s))
  and (not %(free)s or r.claimed_until is null or r.claimed_until <= %(now)s)
 order by r.requested_at, r.document_id limit %(limit)s
"""
_CLAIM = """
update reviews set claimed_by = %(by)s, claimed_until = %(until)s
 where company_id = %(company_id)s and document_id = %(document_id)s
   and (claimed_by = %(by)s or claimed_until is null or claimed_until <= %(now)s)
"""
_RELEASE = """
update reviews set claimed_by = null, claimed_until = null
 where company_id = %(company_id)s and document_id = %(document_id)s and claimed_by = %(by)s
"""
# Only who claimed it last may take it out; a claim that ran out still counts while nobody else has claimed it.
_TAKE = """
delete from reviews
 where company_id = %(company_id)s and document_id = %(document_id)s and claimed_by = %(by)s
"""
_DECIDE = """
update documents set outcome = %(outcome)s, decided_at = %(now)s, decided_by = %(by)s, decided_reason = %(reason)s,
  status = 'completed', completed_at = coalesce(completed_at, %(now)s), updated_at = %(now)s
 where company_id = %(company_id)s and document_id = %(document_id)s
"""


class Reviews:
    """Every method runs inside `database.run` or `read`, for the company of the context."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, document_id: UUID) -> Review | None:
        connection = await driver(self._database)
        cursor = await connection.execute(
            _FIND, {"company_id": _company(), "document_id": document_id}, row_factory=class_row(Review)
        )
        return await cursor.fetchone()

    async def page(self, filters: Mapping[str, Any]) -> list[Review]:
        """Oldest first. `after`, `after_id`, `holder`, `free`, `now`, `limit`."""
        connection = await driver(self._database)
        cursor = await connection.execute(_PAGE, {**filters, "company_id": _company()}, row_factory=class_row(Review))
        return await cursor.fetchall()

    async def claim(self, document_id: UUID, by: str, now: datetime, until: datetime) -> bool:
        """False where somebody else holds it, or it awaits no decision."""
        return await self._execute(_CLAIM, document_id, by=by, now=now, until=until)

    async def release(self, document_id: UUID, by: str) -> bool:
        return await self._execute(_RELEASE, document_id, by=by)

    async def take(self, document_id: UUID, by: str) -> bool:
        """Out of the queue, for its decision; False where `by` was not the last to claim it."""
        return await self._execute(_TAKE, document_id, by=by)

    async def decide(self, document_id: UUID, *, outcome: str, by: str, reason: bytes, now: datetime) -> None:
        await self._execute(_DECIDE, document_id, outcome=outcome, by=by, reason=reason, now=now)

    async def _execute(self, statement: str, document_id: UUID, **values: Any) -> bool:
        connection = await driver(self._database)
        done = await connection.execute(statement, {**values, "company_id": _company(), "document_id": document_id})
        return done.rowcount == 1


def _company() -> UUID | None:
    return context.current().company_id
