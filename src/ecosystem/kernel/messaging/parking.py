"""Events that failed: set aside with the later ones of their lane, tried again when due, dead after their attempts."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row, namedtuple_row

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import Connection, driver
from ecosystem.kernel.errors import Failure, describe, is_last
from ecosystem.kernel.ids import Ids
from ecosystem.kernel.messaging import reading
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.kernel.messaging.metrics import HANDLED
from ecosystem.kernel.messaging.reading import Read
from ecosystem.kernel.messaging.settings import MessagingSettings
from ecosystem.kernel.telemetry.log import log

Handle = Callable[[Connection, Envelope], Awaitable[None]]

_AT_ONCE_MAX = 32
_KEY = "consumer = %s and epoch = %s and xid = %s::bigint::text::xid8 and id = %s"
_DUE = """
select lane, slot, epoch, xid::text::bigint as xid, id, recorded_at, event_id, attempts from parked
 where consumer = %s and next_at <= clock_timestamp() order by next_at limit %s
"""
_EVENT = """
select epoch, xid::text::bigint as xid, id, recorded_at, slot, event_id, type, source, subject, company_id, time,
       trace_id, user_id, data from kernel.read_event(%s, %s, %s::bigint::text::xid8, %s, %s)
"""
_NEXT_IN_LANE = """
update parked set next_at = clock_timestamp() where (consumer, epoch, xid, id) =
 (select consumer, epoch, xid, id from parked where consumer = %s and lane = %s order by epoch, xid, id limit 1)
"""


@dataclass(frozen=True)
class Parked:
    """The head of a lane that is due."""

    lane: str
    slot: int
    epoch: int
    xid: int
    id: int
    recorded_at: datetime
    event_id: Any
    attempts: int


class Poisoned(Exception):
    """A handler failed; its unit of work is given up."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.code)
        self.failure = failure


class Parking:
    def __init__(self, database: Database, consumer: Consumer, settings: MessagingSettings, ids: Ids) -> None:
        self._database, self._consumer, self._settings, self._ids = database, consumer, settings, ids

    async def retry_due(self, handle: Handle) -> None:
        """Try every head that is due, each in a unit of work of its own, and follow its lane while it succeeds."""
        with context.scope(company_id=None):
            for _ in range(_AT_ONCE_MAX):
                heads = await self._database.read(self._heads)
                if not heads:
                    return
                tried = False
                for head in heads:
                    tried = await self._retry(head, handle) or tried
                if not tried:
                    return

    async def _heads(self) -> list[Parked]:
        connection = await driver(self._database)
        cursor = await connection.execute(_DUE, (self._consumer.name, _AT_ONCE_MAX), row_factory=class_row(Parked))
        return await cursor.fetchall()

    async def _retry(self, head: Parked, handle: Handle) -> bool:
        """Whether it was our turn: another replica may hold the slot, or have been first."""
        try:
            return await self._database.run(lambda: self._again(head, handle))
        except Exception as error:
            # Also what only the end of its unit of work told: a time-out, a constraint at the commit. Where it is the
            # world that fails, what is noted here fails with it, and no attempt is counted.
            failure = error.failure if isinstance(error, Poisoned) else describe(error)
            await self._database.run(lambda: self._failed_again(head, failure))
            return True

    async def _again(self, head: Parked, handle: Handle) -> bool:
        connection = await driver(self._database)
        if not await self._ours(connection, head):
            return False
        cursor = await connection.execute(
            _EVENT, (self._consumer.name, head.epoch, head.xid, head.id, head.recorded_at), row_factory=namedtuple_row
        )
        row = await cursor.fetchone()
        await self._forget(connection, head)
        if row is not None and await reading.enter(connection, self._consumer.name, reading.envelope_of(row)):
            await handle(connection, reading.envelope_of(row))
        HANDLED.labels(self._consumer.name, "handled_after_parking").inc()
        return True

    async def _failed_again(self, head: Parked, failure: Failure) -> None:
        connection, attempts = await driver(self._database), head.attempts + 1
        if not await self._ours(connection, head):
            return
        if attempts >= self._consumer.attempts_max or is_last(failure.kind, attempts):
            await self._bury(connection, head.epoch, head.xid, head.id, head.recorded_at, attempts, failure)
            await self._forget(connection, head)
            return
        await connection.execute(
            f"update parked set attempts = %s, code = %s,"  # noqa: S608 a constant
            f" next_at = clock_timestamp() + make_interval(secs => %s::float8) where {_KEY}",
            (attempts, failure.code, self.wait_seconds(attempts), self._consumer.name, head.epoch, head.xid, head.id),
        )
        self._told("parked again", str(head.event_id), attempts, failure)

    async def _ours(self, connection: Connection, head: Parked) -> bool:
        slots, _ = await reading.lock(connection, self._consumer.name, [head.slot])
        if not slots:
            return False
        found = await connection.execute(
            f"select 1 from parked where {_KEY} and attempts = %s and next_at <= clock_timestamp()",  # noqa: S608
            (self._consumer.name, head.epoch, head.xid, head.id, head.attempts),
        )
        return await found.fetchone() is not None

    async def _forget(self, connection: Connection, head: Parked) -> None:
        """Take the head away; the next of its lane is due now."""
        await connection.execute(
            f"delete from parked where {_KEY}",  # noqa: S608 a constant
            (self._consumer.name, head.epoch, head.xid, head.id),
        )
        await connection.execute(_NEXT_IN_LANE, (self._consumer.name, head.lane))

    async def park_failed(self, connection: Connection, row: Read, failure: Failure) -> None:
        """The first failure of an event: parked, or dead at once where another attempt cannot help or is not left."""
        assert row.envelope is not None
        if self._consumer.attempts_max <= 1 or is_last(failure.kind, 1):
            at = row.position
            await self._bury(connection, at.epoch, at.xid, at.id, row.recorded_at, 1, failure)
            return
        await reading.park(
            connection, self._consumer.name, row, attempts=1, after_seconds=self.wait_seconds(1), code=failure.code
        )
        self._told("parked", str(row.envelope.id), 1, failure)

    async def set_aside(self, row: Read, failure: Failure) -> None:
        """Park an event whose unit of work did not survive it, and move its cursor behind it."""
        connection = await driver(self._database)
        slots, _ = await reading.lock(connection, self._consumer.name, [row.slot])
        now = await reading.read(connection, self._consumer.name, slots, 1) if slots else []
        if now and now[0].position == row.position:
            await reading.move(connection, self._consumer.name, [row], [])
            await self.park_failed(connection, row, failure)

    async def _bury(
        self, connection: Connection, epoch: int, xid: int, id_: int, recorded_at: datetime, attempts: int,
        failure: Failure,
    ) -> None:  # fmt: skip
        await connection.execute(
            "select kernel.bury(%s, %s, %s, %s::bigint::text::xid8, %s, %s, %s, %s, %s)",
            (self._ids.uuid(), self._consumer.name, epoch, xid, id_, recorded_at, attempts, failure.code,
             failure.message),
        )  # fmt: skip
        self._told("dead", f"{epoch}.{xid}.{id_}", attempts, failure)

    def wait_seconds(self, attempts: int) -> float:
        """Doubling from the base, at most the maximum, with jitter between half and all of it."""
        longest = min(self._settings.retry_base_seconds * 2.0 ** (attempts - 1), self._settings.retry_max_seconds)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 jitter

    def _told(self, outcome: str, event: str, attempts: int, failure: Failure) -> None:
        HANDLED.labels(self._consumer.name, outcome.replace(" ", "_")).inc()
        log.warning("an event was set aside", consumer=self._consumer.name, outcome=outcome, which=event,
                    attempts=attempts, code=failure.code)  # fmt: skip
