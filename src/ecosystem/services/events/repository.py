"""All SQL of events-service: what waits for the archive, and the manifest."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, namedtuple_row

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.kernel.messaging.log import Logged, logged
from ecosystem.services.events.model import ArchiveFile, Place, Waiting

_FILE = (
    "file_id, archive, day, number, object_name, object_size_bytes, object_digest, events, size_bytes, content_sha256,"
    " first_position, last_position, previous_sha256, retain_until, made_at"
)
_NOTE = """
insert into pending (archive, day, epoch, xid, id, recorded_at, event_id, size_bytes)
select e.archive, (e.recorded_at at time zone 'UTC')::date, e.epoch, e.xid, e.id, e.recorded_at, e.event_id,
       e.size_bytes
  from unnest(%s::text[], %s::int[], %s::text[]::xid8[], %s::bigint[], %s::timestamptz[], %s::uuid[], %s::int[])
       e (archive, epoch, xid, id, recorded_at, event_id, size_bytes)
"""


class ArchiveRepository:
    """Every method runs in the unit of work, or the reading, that its caller has opened."""

    def __init__(self, database: Database, consumer: str) -> None:
        self._database, self._consumer = database, consumer

    async def note(self, events: Sequence[tuple[str, Envelope, int]]) -> None:
        """Put events on the list of what waits, each with its archive and its size in bytes."""
        connection = await driver(self._database)
        await connection.execute(
            _NOTE,
            ([archive for archive, _, _ in events], [event.epoch for _, event, _ in events],
             [str(event.xid) for _, event, _ in events], [event.position for _, event, _ in events],
             [event.recorded_at for _, event, _ in events], [event.id for _, event, _ in events],
             [size_bytes for _, _, size_bytes in events]),
        )  # fmt: skip

    async def waiting(self) -> list[Waiting]:
        connection = await driver(self._database)
        cursor = await connection.execute(
            "select archive, day, count(*) as events, sum(size_bytes) as size_bytes from pending"
            " group by archive, day order by day, archive",
            row_factory=class_row(Waiting),
        )
        return await cursor.fetchall()

    async def places(self, archive: str, day: date, limit: int) -> list[Place]:
        """The first `limit` places that wait, in the order of the log."""
        connection = await driver(self._database)
        cursor = await connection.execute(
            "select epoch, xid::text::bigint as xid, id, recorded_at, size_bytes from pending"
            " where archive = %s and day = %s order by pending.epoch, pending.xid, pending.id limit %s",
            (archive, day, limit),
            row_factory=class_row(Place),
        )
        return await cursor.fetchall()

    async def events(self, places: Sequence[Place]) -> list[Logged]:
        connection = await driver(self._database)
        cursor = await connection.execute(
            "select epoch, xid::text::bigint as xid, id, recorded_at, slot, event_id, type, source, subject,"
            " company_id, time, trace_id, user_id, data"
            " from kernel.read_events(%s, %s, %s::text[]::xid8[], %s, %s)",
            (self._consumer, *_columns(places)),
            row_factory=namedtuple_row,
        )
        return [logged(row) for row in await cursor.fetchall()]

    async def take(self, archive: str, day: date, places: Sequence[Place]) -> int:
        """Strike `places` off the list; how many were still on it."""
        connection = await driver(self._database)
        cursor = await connection.execute(
            "delete from pending p using unnest(%s::int[], %s::text[]::xid8[], %s::bigint[]) k (epoch, xid, id)"
            " where p.archive = %s and p.day = %s and (p.epoch, p.xid, p.id) = (k.epoch, k.xid, k.id)",
            (*_columns(places)[:3], archive, day),
        )
        return cursor.rowcount

    async def last_of(self, archive: str) -> ArchiveFile | None:
        """The newest file of an archive, locked against a second writer until the unit of work ends."""
        connection = await driver(self._database)
        await connection.execute("select pg_advisory_xact_lock(hashtext('eco.archive'), hashtext(%s))", (archive,))
        cursor = await connection.execute(
            f"select {_FILE} from files where archive = %s order by made_at desc, number desc limit 1",  # noqa: S608
            (archive,),
            row_factory=class_row(ArchiveFile),
        )
        return await cursor.fetchone()

    async def next_number(self, archive: str, day: date) -> int:
        connection = await driver(self._database)
        cursor = await connection.execute(
            "select coalesce(max(number), 0) + 1 from files where archive = %s and day = %s", (archive, day)
        )
        row: Any = await cursor.fetchone()
        return int(row[0])

    async def add(self, file: ArchiveFile) -> None:
        connection = await driver(self._database)
        names = [name.strip() for name in _FILE.split(",")]
        marks = ", ".join(f"%({name})s" for name in names)
        await connection.execute(f"insert into files ({_FILE}) values ({marks})", vars(file))  # noqa: S608

    async def files(self, archive: str, before: UUID | None, limit: int) -> list[ArchiveFile]:
        """Newest first."""
        connection = await driver(self._database)
        cursor = await connection.execute(
            f"select {_FILE} from files where archive = %s and (%s::uuid is null or file_id < %s)"  # noqa: S608
            " order by file_id desc limit %s",
            (archive, before, before, limit),
            row_factory=class_row(ArchiveFile),
        )
        return await cursor.fetchall()

    async def note_damage(self, object_digest: str) -> None:
        """Nothing is noted of an object that is no file of the archive."""
        connection = await driver(self._database)
        await connection.execute(
            "insert into damaged (object_digest) select object_digest from files where object_digest = %s"
            " on conflict do nothing", (object_digest,),
        )  # fmt: skip

    async def damaged(self, after: UUID | None, limit: int) -> list[ArchiveFile]:
        """The oldest behind the file `after`."""
        connection = await driver(self._database)
        cursor = await connection.execute(
            f"select {_FILE} from files where object_digest in (select object_digest from damaged)"  # noqa: S608
            " and (%s::uuid is null or file_id > %s) order by file_id limit %s",
            (after, after, limit),
            row_factory=class_row(ArchiveFile),
        )
        return await cursor.fetchall()

    async def forget_damage(self, object_digest: str) -> None:
        connection = await driver(self._database)
        await connection.execute("delete from damaged where object_digest = %s", (object_digest,))


def _columns(places: Sequence[Place]) -> tuple[list[Any], ...]:
    return (
        [place.epoch for place in places], [str(place.xid) for place in places], [place.id for place in places],
        [place.recorded_at for place in places],
    )  # fmt: skip
