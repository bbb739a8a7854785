"""All SQL of the queue. Each method belongs inside of `database.run` or `read`, for the company of the context."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from psycopg.rows import dict_row

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.services.recovery.working.model import EPISODES_TOLD_MAX, PLATFORM, Item, WorkKind, item_id

_COLUMNS = (
    "item_id, kind, subject, what, code, context, failures, state, opened_at, claimed_by, claimed_until, closed_at,"
    " closed_by, closed_reason"
)
_OPEN = """
insert into work as w (company_id, item_id, kind, subject, what, code, context, opened_at)
values (%(company)s, %(item)s, %(kind)s, %(subject)s, %(what)s, %(code)s, %(context)s::text::jsonb, %(at)s)
on conflict (company_id, item_id) do update set what = excluded.what, code = excluded.code, context = excluded.context,
  failures = w.failures + 1, state = 'open', opened_at = excluded.opened_at, claimed_by = null, claimed_until = null,
  closed_at = null, closed_by = null, closed_reason = null
"""
_CLAIM = """
update work set claimed_by = %(by)s, claimed_until = %(until)s
 where company_id = %(company)s and item_id = %(item)s and state = 'open'
   and (claimed_by = %(by)s or claimed_until is null or claimed_until <= %(now)s)
"""
# A claim that ran out still counts while nobody else has taken it; an item that failed again since is another matter.
_CLOSE = """
update work set state = 'closed', closed_at = %(now)s, closed_by = %(by)s, closed_reason = %(reason)s
 where company_id = %(company)s and item_id = %(item)s and state = 'open' and (%(holder)s::text is null
   or (claimed_by = %(holder)s and failures = %(failures)s))
"""
_PAGE = f"""
select {_COLUMNS} from work
 where company_id = %(company)s and state = %(state)s
   and (%(after)s::timestamptz is null or (opened_at, item_id) > (%(after)s, %(after_id)s))
 order by opened_at, item_id limit %(limit)s
"""  # noqa: S608 the columns are ours
_EPISODES = """
select episode_id from episodes
 where observed_at <= %(at)s and (cleared_at is null or cleared_at >= %(since)s) order by observed_at desc limit %(max)s
"""
_COMPONENT = "select component, fault from episodes where episode_id = %(episode)s"


class Work:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self, kind: WorkKind, subject: UUID, what: str, code: str, about: Mapping[str, Any], at: datetime
    ) -> None:
        """Into the queue, or back into it."""
        values = {"item": item_id(subject), "kind": kind, "subject": subject, "what": what, "code": code, "at": at}
        await self._execute(_OPEN, **values, context=orjson.dumps(dict(about)).decode())

    async def find(self, id_: UUID, *, lock: bool = False) -> Item | None:
        statement = f"select {_COLUMNS} from work where company_id = %(company)s and item_id = %(item)s"  # noqa: S608
        rows = await self._all(f"{statement} for update" if lock else statement, item=id_)
        return _item(rows[0]) if rows else None

    async def page(self, state: str, after: datetime | None, after_id: UUID | None, limit: int) -> list[Item]:
        """The oldest first."""
        rows = await self._all(_PAGE, state=state, after=after, after_id=after_id, limit=limit)
        return [_item(row) for row in rows]

    async def claim(self, id_: UUID, by: str, now: datetime, until: datetime) -> bool:
        """False where somebody else holds it, or it is closed."""
        return await self._execute(_CLAIM, item=id_, by=by, now=now, until=until)

    async def close(self, id_: UUID, by: str, reason: str, now: datetime, *, held: Item | None = None) -> bool:
        """Out of the queue; with `held`, only where it is still what its holder has seen."""
        holder, failures = (held.claimed_by, held.failures) if held else (None, None)
        return await self._execute(_CLOSE, item=id_, by=by, reason=reason, now=now, holder=holder, failures=failures)

    async def episodes_around(self, at: datetime, before: timedelta) -> list[UUID]:
        """Faults that were open then, or until shortly before."""
        rows = await self._all(_EPISODES, at=at, since=at - before, max=EPISODES_TOLD_MAX)
        return [row["episode_id"] for row in rows]

    async def fault_of(self, episode: UUID) -> tuple[str, str] | None:
        """Component and kind."""
        rows = await self._all(_COMPONENT, episode=episode)
        return (rows[0]["component"], rows[0]["fault"]) if rows else None

    async def _execute(self, statement: str, **values: Any) -> bool:
        connection = await driver(self._database)
        done = await connection.execute(statement, {**values, "company": context.current().company_id or PLATFORM})
        return done.rowcount == 1

    async def _all(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        connection = await driver(self._database)
        cursor = await connection.execute(
            statement, {**values, "company": context.current().company_id or PLATFORM}, row_factory=dict_row
        )
        return await cursor.fetchall()


def _item(row: dict[str, Any]) -> Item:
    return Item(**{**row, "kind": WorkKind(row["kind"])})
