"""The log as people see it: listing, replay, dead letters, lag. For events-service, whose role alone may care."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.rows import class_row, namedtuple_row

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import Connection, driver
from ecosystem.kernel.messaging.errors import AlreadyRedelivered, ConsumerUnknown, DeadLetterUnknown
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.kernel.messaging.outbox import CHANNEL
from ecosystem.kernel.messaging.position import END, START, Position
from ecosystem.kernel.messaging.reading import envelope_of

T = TypeVar("T")

_COLUMNS = (
    "epoch, xid::text::bigint as xid, id, recorded_at, slot, event_id, type, source, subject, company_id, time,"
    " trace_id, user_id, data"
)
_LOG_END = "select epoch, xid::text::bigint, id from kernel.log_end()"


@dataclass(frozen=True)
class Logged:
    """One event with the opaque text of its position."""

    envelope: Envelope
    cursor: str
    recorded_at: datetime


@dataclass(frozen=True)
class DeadLetter:
    """An event that a consumer could not handle in all of its attempts."""

    dead_letter_id: UUID
    company_id: UUID | None
    consumer: str
    event_id: UUID
    type: str
    subject: str
    attempts: int
    code: str
    message: str
    died_at: datetime
    redelivered_at: datetime | None


@dataclass(frozen=True)
class ConsumerState:
    """`lag_events` counts what it wants and has not reached (up to 10,000 in each slot), `lag_seconds` the oldest."""

    name: str
    schema: str
    types: list[str] | None
    lag_events: int
    lag_seconds: float
    parked: int
    dead_letters: int
    moved_at: datetime | None


@dataclass(frozen=True)
class Replay:
    """What a replay hands over; those in the inbox are passed over."""

    events: int
    already_handled: int

    @property
    def to_handle(self) -> int:
        return self.events - self.already_handled


class EventLog:
    """Readings see the company of the context; without one, the platform's own events, which belong to nobody."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def events(
        self,
        *,
        after: str | None = None,
        type_: str | None = None,
        subject: str | None = None,
        newest: bool = False,
        limit: int = 50,
    ) -> list[Logged]:
        """Behind `after` in the order of the log, or before it with `newest`. Raises PositionRefused."""
        at = Position.parse(after) if after else END if newest else START
        return await self._read(lambda connection: _listed(connection, at, type_, subject, newest, limit))

    async def following(
        self, after: str, *, type_: str | None = None, subject: str | None = None, limit: int = 50
    ) -> tuple[list[Logged], str]:
        """Behind `after` in the order of the log, and the position to go on from, so that nothing is read twice.

        That is behind all that was passed over, but never behind an open transaction, whose events are still to come.
        Raises PositionRefused.
        """
        at = Position.parse(after)

        async def work(connection: Connection) -> tuple[list[Logged], str]:
            ends: list[Any] = []
            # Said before the listing: of what stands before this end, nothing can be missing there any more.
            await connection.later(_LOG_END, then=ends.extend)
            found = await _listed(connection, at, type_, subject, False, limit)
            reached = Position.parse(found[-1].cursor) if found else at
            return found, str(reached if len(found) == limit else max(reached, Position(*ends[0])))

        return await self._read(work)

    async def event(self, event_id: UUID) -> Logged | None:
        async def work(connection: Connection) -> Logged | None:
            statement = f"select {_COLUMNS} from kernel.find_event(%s)"  # noqa: S608
            cursor = await connection.execute(statement, (event_id,), row_factory=namedtuple_row)
            row = await cursor.fetchone()
            return logged(row) if row else None

        return await self._read(work)

    async def end(self) -> str:
        """The position behind everything that is committed now, for whoever wants only what comes."""

        async def work(connection: Connection) -> str:
            row: Any = await (await connection.execute(_LOG_END)).fetchone()
            return str(Position(*row))

        return await self._read(work)

    async def consumers(self) -> list[ConsumerState]:
        async def work(connection: Connection) -> list[ConsumerState]:
            cursor = await connection.execute(
                "select * from kernel.consumer_states()", row_factory=class_row(ConsumerState)
            )
            return await cursor.fetchall()

        return await self._read(work)

    async def horizon_seconds(self) -> float:
        """For how long the oldest open writing transaction has held every reader back."""

        async def work(connection: Connection) -> float:
            row: Any = await (await connection.execute("select kernel.log_horizon_seconds()")).fetchone()
            return float(row[0])

        return await self._read(work)

    async def dead_letters(
        self, *, everywhere: bool = False, consumer: str | None = None, code: str | None = None,
        before: UUID | None = None, limit: int = 50,
    ) -> list[DeadLetter]:  # fmt: skip
        """Those not redelivered, newest first, of the company of the context, or with `everywhere` of all."""

        async def work(connection: Connection) -> list[DeadLetter]:
            cursor = await connection.execute(
                "select dead_letter_id, company_id, consumer, event_id, type, subject, attempts, code, message,"
                " died_at, redelivered_at from kernel.list_dead_letters(%s, %s, %s, %s, %s)",
                (everywhere, consumer, code, before, limit),
                row_factory=class_row(DeadLetter),
            )
            return await cursor.fetchall()

        return await self._read(work)

    async def redeliver(self, dead_letter_id: UUID, *, everywhere: bool = False) -> None:
        """Hand the event to its consumer again, once. Raises DeadLetterUnknown, AlreadyRedelivered."""

        async def work() -> str:
            connection = await driver(self._database)
            row: Any = await (
                await connection.execute("select kernel.redeliver(%s, %s)", (dead_letter_id, everywhere))
            ).fetchone()
            self._wake_consumers()
            return str(row[0])

        outcome = await self._database.run(work)
        if outcome == "not_found":
            raise DeadLetterUnknown
        if outcome == "already_redelivered":
            raise AlreadyRedelivered

    async def replay(
        self, consumer: str, *, from_position: str | None = None, from_time: datetime | None = None, dry_run: bool
    ) -> Replay:
        """Set the cursors of `consumer` back; what its inbox holds is passed over. Nothing moves in a dry run.

        Raises ConsumerUnknown, PositionRefused.
        """
        at = Position.parse(from_position) if from_position else START

        async def work() -> Replay:
            connection = await driver(self._database)
            cursor = await connection.execute(
                "select events, already_handled from kernel.replay(%s, %s, %s::text::xid8, %s, %s, %s)",
                (consumer, at.epoch, str(at.xid), at.id, from_time, dry_run),
            )
            row: Any = await cursor.fetchone()
            if not dry_run:
                self._wake_consumers()
            return Replay(*row)

        try:
            return await self._database.run(work)
        except psycopg.errors.NoDataFound as error:
            raise ConsumerUnknown from error

    def _wake_consumers(self) -> None:
        self._database.after_commit(lambda: self._database.wakeups.send(CHANNEL))

    async def _read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async def reading() -> T:
            return await work(await driver(self._database))

        return await self._database.read(reading)


async def _listed(
    connection: Connection, at: Position, type_: str | None, subject: str | None, newest: bool, limit: int
) -> list[Logged]:
    cursor = await connection.execute(
        f"select {_COLUMNS} from kernel.list_events(%s, %s::text::xid8, %s, %s, %s, %s, %s)",  # noqa: S608
        (at.epoch, str(at.xid), at.id, type_, subject, newest, limit),
        row_factory=namedtuple_row,
    )
    return [logged(row) for row in await cursor.fetchall()]


def logged(row: Any) -> Logged:
    """An event from a row with the columns of the log, whose `xid` came as a number."""
    return Logged(envelope_of(row), str(Position(row.epoch, row.xid, row.id)), row.recorded_at)
