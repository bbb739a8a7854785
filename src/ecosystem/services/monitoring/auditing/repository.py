"""All SQL of the audit trail. Every method runs behind the fence of the trail's company."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.services.monitoring.auditing.model import Asked, Entry, Head

_ENTRY = (
    "company_id, chain, number, event_id, action, target, user_id, agent_id, source, trace_id, happened_at, before,"
    " after, hash"
)
# The consumer holds the slot of this chain until the transaction ends, so nobody else moves its head meanwhile.
_APPEND = """
with before_it as (
  select coalesce(max(number), 0) as number, coalesce((array_agg(hash))[1], %(genesis)s) as hash
    from audit_heads where company_id = %(company_id)s and chain = %(chain)s
), entry as (
  insert into audit_entries (company_id, chain, number, event_id, action, target, user_id, agent_id, source, trace_id,
                             happened_at, before, after, hash)
  select %(company_id)s, %(chain)s, b.number + 1, %(event_id)s, %(action)s, %(target)s, %(user_id)s, %(agent_id)s,
         %(source)s, %(trace_id)s, %(happened_at)s, %(before)s::jsonb, %(after)s::jsonb, sha256(b.hash || %(digest)s)
    from before_it b
  on conflict (company_id, event_id) do nothing
  returning number, hash
)
insert into audit_heads (company_id, chain, number, hash)
select %(company_id)s, %(chain)s, number, hash from entry
on conflict (company_id, chain) do update set number = excluded.number, hash = excluded.hash
"""
_PAGE = f"""
select {_ENTRY} from audit_entries
 where company_id = %(company_id)s
   and (%(actor)s::text is null or user_id = %(actor)s or agent_id = %(actor)s)
   and (%(action)s::text is null or action = %(action)s)
   and (%(target)s::text is null or target = %(target)s)
   and (%(since)s::timestamptz is null or happened_at >= %(since)s)
   and (%(until)s::timestamptz is null or happened_at < %(until)s)
   and (%(at)s::timestamptz is null or (happened_at, event_id) < (%(at)s, %(event_id)s))
 order by happened_at desc, event_id desc limit %(limit)s
"""  # noqa: S608 columns of this module
_HEADS = """
select coalesce(h.chain, e.chain)::int as chain, coalesce(h.number, 0) as number, coalesce(h.hash, ''::bytea) as hash,
       coalesce(e.last, 0) as last
  from (select chain, number, hash from audit_heads where company_id = %(company_id)s) h
  full join (select c.chain, (select max(number) from audit_entries
                               where company_id = %(company_id)s and chain = c.chain) as last
               from generate_series(0, 15) c (chain)) e on e.chain = h.chain
 where h.chain is not null or e.last is not null order by 1
"""
_CHAIN = f"""
select {_ENTRY} from audit_entries
 where company_id = %s and chain = %s and number > %s and number <= %s order by number limit %s
"""  # noqa: S608
_BY_EVENTS = f"select {_ENTRY} from audit_entries where company_id = %s and event_id = any(%s)"  # noqa: S608
# What the consumer has not come to: behind its cursor, or set aside.
_CURSORS = "select slot, epoch, xid::text::bigint, id from cursors where consumer = %s"
_PARKED = "select event_id from parked where consumer = %s and event_id = any(%s)"


class Trail:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entry: dict[str, Any], genesis: bytes, digest: bytes) -> None:
        """Link one entry to the end of its chain; one that is there already changes nothing."""
        changed = {name: None if entry[name] is None else Jsonb(entry[name]) for name in ("before", "after")}
        connection = await driver(self._database)
        await connection.execute(_APPEND, {**entry, **changed, "genesis": genesis, "digest": digest})

    async def page(
        self, company_id: UUID, asked: Asked, at: datetime | None, event_id: UUID | None, limit: int
    ) -> list[Entry]:
        """Newest first, before (`at`, `event_id`)."""
        about = {**vars(asked), "company_id": company_id, "at": at, "event_id": event_id, "limit": limit}
        return await self._entries(_PAGE, about)

    async def heads(self, company_id: UUID) -> list[Head]:
        """The chains there are, by number, heads and last entries as of one moment."""
        connection = await driver(self._database)
        cursor = await connection.execute(_HEADS, {"company_id": company_id}, row_factory=class_row(Head))
        return await cursor.fetchall()

    async def chain(self, company_id: UUID, chain: int, after: int, until: int, limit: int) -> list[Entry]:
        """Entries behind `after` up to `until`, in the order of the chain."""
        return await self._entries(_CHAIN, (company_id, chain, after, until, limit))

    async def of_events(self, company_id: UUID, event_ids: Sequence[UUID]) -> dict[UUID, Entry]:
        found = await self._entries(_BY_EVENTS, (company_id, list(event_ids)))
        return {entry.event_id: entry for entry in found}

    async def cursors(self, consumer: str) -> dict[int, tuple[int, int, int]]:
        """How far the consumer has come, as (epoch, xid, id) by slot."""
        connection = await driver(self._database)
        rows = await (await connection.execute(_CURSORS, (consumer,))).fetchall()
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    async def parked(self, consumer: str, event_ids: Sequence[UUID]) -> set[UUID]:
        connection = await driver(self._database)
        rows = await (await connection.execute(_PARKED, (consumer, list(event_ids)))).fetchall()
        return {row[0] for row in rows}

    async def _entries(self, statement: str, values: Any) -> list[Entry]:
        connection = await driver(self._database)
        cursor = await connection.execute(statement, values, row_factory=class_row(Entry))
        return await cursor.fetchall()
