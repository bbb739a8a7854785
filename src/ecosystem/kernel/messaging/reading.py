"""The statements of a consumer's unit of work: lock slots, read behind the cursors, move them, park.

All on the driver's connection of the open unit of work. Lock and read are two statements: the snapshot of the second
is younger than the lock, so that no cursor is read as it was before another replica moved it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import namedtuple_row

from ecosystem.kernel.db.connection import Connection
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.kernel.messaging.position import Position

_LOCK = """
select s, (select min(p.next_at) <= clock_timestamp() from parked p where p.consumer = %(consumer)s) as due
  from unnest(%(slots)s::smallint[]) s
 where pg_try_advisory_xact_lock(hashtext('eco.consumer/' || %(consumer)s), s)
"""
_READ = """
select e.readable, e.wanted, e.epoch, e.xid::text::bigint as xid, e.id, e.recorded_at, e.slot, e.event_id, e.type,
       e.source, e.subject, e.company_id, e.time, e.trace_id, e.user_id, e.data,
       exists (select from parked p where p.consumer = %(consumer)s
                and p.lane = coalesce(e.company_id::text, '') || '/' || e.subject) as behind
  from (select array_agg(slot) as slots, array_agg(epoch) as epochs, array_agg(xid) as xids, array_agg(id) as ids,
               array_agg(recorded_at) as recorded
          from cursors where consumer = %(consumer)s and slot = any(%(slots)s::smallint[])) c
 cross join lateral kernel.read_batch(%(consumer)s, c.slots, c.epochs, c.xids, c.ids, c.recorded, %(max)s) e
"""
_MOVE = """
with moved as (
  update cursors c set epoch = u.epoch, xid = u.xid::text::xid8, id = u.id, recorded_at = u.recorded_at,
                       updated_at = clock_timestamp()
    from unnest(%(slots)s::smallint[], %(epochs)s::int[], %(xids)s::bigint[], %(ids)s::bigint[],
                %(recorded)s::timestamptz[]) u (slot, epoch, xid, id, recorded_at)
   where c.consumer = %(consumer)s and c.slot = u.slot
)
insert into inbox (consumer, event_id) select %(consumer)s, unnest(%(events)s::uuid[])
on conflict do nothing returning event_id
"""
_LANE = """
select l.epoch, l.xid::text::bigint as xid, l.id, l.recorded_at, l.slot, l.event_id, l.type, l.source, l.subject,
       l.company_id, l.time, l.trace_id, l.user_id, l.data
  from (select * from cursors where consumer = %(consumer)s and slot = %(slot)s) c
 cross join lateral kernel.read_lane(%(consumer)s, %(epoch)s, %(xid)s::bigint::text::xid8, %(id)s, %(recorded)s,
                                     c.epoch, c.xid, c.id, %(max)s) l
 where not exists (select from parked p where p.consumer = %(consumer)s
                    and p.lane = coalesce(l.company_id::text, '') || '/' || l.subject)
 order by l.epoch, l.xid, l.id
"""
_INBOX = "insert into inbox (consumer, event_id) values (%s, %s) on conflict do nothing returning event_id"
_PARK = """
insert into parked (consumer, lane, slot, epoch, xid, id, recorded_at, event_id, attempts, next_at, code)
values (%s, %s, %s, %s, %s::bigint::text::xid8, %s, %s, %s, %s,
        case when %s::float8 is null then 'infinity' else clock_timestamp() + make_interval(secs => %s::float8) end, %s)
on conflict do nothing
"""


@dataclass(frozen=True)
class Read:
    """One row behind a cursor. `readable` is false while a transaction is open that could still stand before it."""

    readable: bool
    wanted: bool
    behind: bool
    position: Position
    recorded_at: datetime
    slot: int
    envelope: Envelope | None

    @property
    def lane(self) -> str:
        assert self.envelope is not None
        return lane_of(self.envelope)


def lane_of(envelope: Envelope) -> str:
    """The events of one lane keep their order among each other."""
    return f"{envelope.company_id or ''}/{envelope.subject}"


async def lock(connection: Connection, consumer: str, slots: Sequence[int]) -> tuple[list[int], bool]:
    """Those of `slots` that are now ours until the transaction ends, and whether a parked event is due."""
    cursor = await connection.execute(_LOCK, {"consumer": consumer, "slots": list(slots)})
    rows = await cursor.fetchall()
    return [row[0] for row in rows], any(row[1] for row in rows)


async def lock_and_read(
    connection: Connection, consumer: str, slots: Sequence[int], rows_max: int
) -> tuple[list[int], bool, list[Read]]:
    """`lock`, and `read` of what is ours by that, in one round trip: for who has met nobody else lately."""
    locked: list[Any] = []
    await connection.later(_LOCK, {"consumer": consumer, "slots": list(slots)}, then=locked.extend)
    rows = await read(connection, consumer, slots, rows_max)
    ours = [row[0] for row in locked]
    if len(ours) < len(slots):
        # Those of the others have taken room in the answer.
        rows = await read(connection, consumer, ours, rows_max) if ours else []
    return ours, any(row[1] for row in locked), rows


async def read(connection: Connection, consumer: str, slots: Sequence[int], rows_max: int) -> list[Read]:
    """At most `rows_max` rows behind the cursors of `slots`, in the order of the log."""
    cursor = await connection.execute(
        _READ, {"consumer": consumer, "slots": list(slots), "max": rows_max}, row_factory=namedtuple_row
    )
    found: list[Any] = await cursor.fetchall()
    return [
        Read(row.readable, row.wanted, row.behind, Position(row.epoch, row.xid, row.id), row.recorded_at, row.slot,
             envelope_of(row) if row.readable and row.wanted else None)
        for row in found
    ]  # fmt: skip


def envelope_of(row: Any) -> Envelope:
    """The envelope of a row of the log, whose `xid` came as a number."""
    return Envelope.model_construct(
        id=row.event_id, type=row.type, source=row.source, subject=row.subject, time=row.time,
        company_id=row.company_id, trace_id=row.trace_id, user_id=row.user_id, data=row.data, slot=row.slot,
        xid=row.xid, position=row.id, epoch=row.epoch, recorded_at=row.recorded_at,
    )  # fmt: skip


async def lane(
    connection: Connection, consumer: str, slot: int, until: Position, recorded_at: datetime, rows_max: int
) -> list[Envelope]:
    """The events of one subject from behind the cursor up to the one at `until`, whatever the horizon says.

    None where events of it are parked: those come first.
    """
    about = {
        "consumer": consumer, "slot": slot, "epoch": until.epoch, "xid": until.xid, "id": until.id,
        "recorded": recorded_at, "max": rows_max,
    }  # fmt: skip
    cursor = await connection.execute(_LANE, about, row_factory=namedtuple_row)
    return [envelope_of(row) for row in await cursor.fetchall()]


async def move(connection: Connection, consumer: str, rows: Sequence[Read], events: Sequence[Read]) -> set[Any]:
    """Move the cursors behind `rows` and put `events` into the inbox; the ids that were not in it."""
    last = {row.slot: row for row in rows}
    cursor = await connection.execute(
        _MOVE,
        {
            "consumer": consumer, "slots": list(last), "epochs": [row.position.epoch for row in last.values()],
            "xids": [row.position.xid for row in last.values()], "ids": [row.position.id for row in last.values()],
            "recorded": [row.recorded_at for row in last.values()],
            "events": [row.envelope.id for row in events if row.envelope],
        },
    )  # fmt: skip
    return {row[0] for row in await cursor.fetchall()}


async def enter(connection: Connection, consumer: str, envelope: Envelope) -> bool:
    """Put one event into the inbox. False: it was handled before."""
    cursor = await connection.execute(_INBOX, (consumer, envelope.id))
    return await cursor.fetchone() is not None


async def park(
    connection: Connection, consumer: str, row: Read, *, attempts: int, after_seconds: float | None, code: str
) -> None:
    """Set one event aside: tried again `after_seconds`, or, with None, when those before it in its lane are done."""
    assert row.envelope is not None
    position = row.position
    await connection.execute(
        _PARK,
        (consumer, row.lane, row.slot, position.epoch, position.xid, position.id, row.recorded_at, row.envelope.id,
         attempts, after_seconds, after_seconds, code),
    )  # fmt: skip


async def register(connection: Connection, consumer: str, types: list[str] | None) -> None:
    """Make the consumer known and give it 16 cursors at the start of the log."""
    await connection.execute("select kernel.register_consumer(%s, %s)", (consumer, types))
    await connection.execute(
        "insert into cursors (consumer, slot) select %s, s from generate_series(0, 15) s on conflict do nothing",
        (consumer,),
    )
