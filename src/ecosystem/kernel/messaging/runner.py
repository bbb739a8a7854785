"""One replica of a consumer: wakes, takes free slots, hands over what is behind their cursors, in one unit of work.

Replicas share the log by 16 slots, each under an advisory lock of the transaction: no lease, and the slots of a dead
replica are free at once. How many slots one replica takes follows from whether it meets others.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ecosystem.kernel import context
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.errors import UnitOfWorkTooLong, translate
from ecosystem.kernel.db.raw import Connection, driver
from ecosystem.kernel.errors import EcosystemError, describe
from ecosystem.kernel.ids import Ids, SystemIds
from ecosystem.kernel.messaging import reading
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.kernel.messaging.metrics import DELAY, HANDLED
from ecosystem.kernel.messaging.outbox import CHANNEL, SLOTS
from ecosystem.kernel.messaging.parking import Parking, Poisoned
from ecosystem.kernel.messaging.position import Position
from ecosystem.kernel.messaging.reading import Read
from ecosystem.kernel.messaging.settings import MessagingSettings
from ecosystem.kernel.telemetry.log import log

_HELD_BACK_SECONDS = 0.002
_HELD_BACK_SECONDS_MAX = 0.05
_BUSY_SECONDS = 0.05
_TAKE_MIN = 2
_TAKE_BEHIND = 4
_DEAD_ALONE = 3
_LANE_MAX = 64


@dataclass
class Round:
    """What one unit of work met. `held`: rows that an open transaction still hides; `busy`: slots of others."""

    handled: int = 0
    more: bool = False
    held: bool = False
    busy: bool = False
    due: bool = False


class ConsumerRunner:
    def __init__(
        self,
        database: Database,
        consumer: Consumer,
        settings: MessagingSettings | None = None,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        shuffle: Callable[[list[int]], None] = random.shuffle,
    ) -> None:
        self._database, self.consumer = database, consumer
        self._settings, self._clock = settings or MessagingSettings(), clock or SystemClock()
        self._shuffle = shuffle
        self._parking = Parking(database, consumer, self._settings, ids or SystemIds())
        self._careful = False
        self._rows_max = consumer.batch_max
        self._take = SLOTS
        self._alone = True
        self._slots: list[int] = []
        self._at: Read | None = None
        self._failures = 0
        self._held_pause = _HELD_BACK_SECONDS
        self._registered = False

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set; the unit of work that is open then is finished."""
        wake, keys = asyncio.Event(), self._wake_keys()
        for key in keys:
            self._database.wakeups.subscribe(CHANNEL, wake, key=key)
        stopping = asyncio.create_task(self._stop_wakes(stop, wake))
        pause = 0.0
        try:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await wake.wait()
                wake.clear()
                pause = await self._sweep(stop)
        finally:
            stopping.cancel()
            for key in keys:
                self._database.wakeups.unsubscribe(CHANNEL, wake, key=key)

    def _wake_keys(self) -> list[str]:
        """Only events that it wants wake it: each round of every consumer for every event was most of their work."""
        if self.consumer.looks_every_seconds is not None:
            return []
        types = self.consumer.types
        return [""] if types is None else types

    @staticmethod
    async def _stop_wakes(stop: asyncio.Event, wake: asyncio.Event) -> None:
        await stop.wait()
        wake.set()

    async def _sweep(self, stop: asyncio.Event) -> float:
        """All slots once, and again where there was more. Seconds until the next sweep unless woken."""
        self._slots = list(range(SLOTS))
        self._shuffle(self._slots)
        held = busy = due = False
        try:
            await self.register()
            while self._slots and not stop.is_set():
                seen = await self.round()
                held, busy, due = held or seen.held, busy or seen.busy, due or seen.due
            if due:
                await self._parking.retry_due(self._handle)
        except Exception as error:
            # Whatever it was, nothing was kept, and the next sweep is the retry: a consumer never ends by itself.
            told = error.code if isinstance(error, EcosystemError) else None
            log.warning(
                "a consumer could not go on", consumer=self.consumer.name, code=told, exc_info=None if told else error
            )
            self._failures += 1
            return 0.05 * 2.0 ** min(self._failures, 5)
        self._failures = 0
        return self._pause_seconds(held=held, busy=busy)

    def _pause_seconds(self, *, held: bool, busy: bool) -> float:
        """After a sweep that succeeded, until the next one unless woken."""
        if self.consumer.looks_every_seconds is not None:
            return self.consumer.looks_every_seconds
        if held:
            # The event is there, an open transaction hides it: look again soon, ever less often.
            self._held_pause = min(self._held_pause * 1.5, _HELD_BACK_SECONDS_MAX)
            return self._held_pause
        self._held_pause = _HELD_BACK_SECONDS
        return min(_BUSY_SECONDS, self._settings.poll_seconds) if busy else self._settings.poll_seconds

    async def register(self) -> None:
        """Make the consumer known, once for each start. Raises where its name belongs to another role."""
        if self._registered:
            return

        async def work() -> None:
            await reading.register(await driver(self._database), self.consumer.name, self.consumer.types)

        with context.scope(company_id=None):
            await self._database.run(work)
        self._registered = True

    @property
    def is_half_way(self) -> bool:
        """Whether slots of this sweep are still to come."""
        return bool(self._slots)

    async def round(self) -> Round:
        """One unit of work over the next slots."""
        if not self._slots:
            self._slots = list(range(SLOTS))
        chosen, self._slots = self._slots[: self._take], self._slots[self._take :]
        self._at = None
        try:
            with context.scope(company_id=None):
                seen, again = await self._database.run(lambda: self._consume(chosen))
        except Poisoned as poisoned:
            log.warning("an event failed", consumer=self.consumer.name, code=poisoned.failure.code)
            self._careful = True
            self._slots = chosen + self._slots
            return Round(more=True)
        except Exception as error:
            await self._shrink(error)
            raise
        self._careful = False
        self._rows_max = min(self._rows_max * 2, self.consumer.batch_max)
        self._slots += again
        self._adapt(len(chosen), seen)
        return seen

    async def deliver(self, slot: int, until: Position, recorded_at: datetime) -> int | None:
        """Handle the events of one subject up to the one at `until` now, without waiting for the horizon; how many.

        The cursor stays where it is; the inbox passes over them when it comes to them. None: not now, the log brings
        it; another replica has the slot, events of the subject are parked, it fails, or the cursor has passed it.
        """

        async def work() -> int | None:
            connection, name = await driver(self._database), self.consumer.name
            slots, _ = await reading.lock(connection, name, [slot])
            events = await reading.lane(connection, name, slot, until, recorded_at, _LANE_MAX) if slots else []
            if not events:
                return None
            handled = 0
            for envelope in events:
                if await reading.enter(connection, name, envelope):
                    await self._handle(connection, envelope)
                    HANDLED.labels(name, "delivered").inc()
                    handled += 1
            return handled

        try:
            with context.scope(company_id=None):
                return await self._database.run(work)
        except Poisoned as poisoned:
            log.warning("an event failed", consumer=self.consumer.name, code=poisoned.failure.code)
            return None

    def _adapt(self, asked: int, seen: Round) -> None:
        """Take fewer slots where there are others or where much waits, so that others find some; else one more."""
        if seen.busy:
            self._take = max(_TAKE_MIN, self._take // 2)
        elif seen.more:
            self._take = max(_TAKE_BEHIND, self._take // 2)
        elif asked == self._take:
            self._take = min(SLOTS, self._take + 1)

    async def _shrink(self, error: Exception) -> None:
        """A batch that did not survive is tried row by row; an event that does not survive alone is parked as failed.

        Such are an event that takes too long, and one that breaks a deferred constraint: the commit tells, not the
        handler. A failure of the world is the event's own only when it keeps coming back with it.
        """
        alone, self._rows_max = self._rows_max == 1, 1
        at, failure = self._at, describe(error)
        worldly = isinstance(error, EcosystemError) and not isinstance(error, UnitOfWorkTooLong)
        if alone and at is not None and (not worldly or self._failures >= _DEAD_ALONE):
            with context.scope(company_id=None):
                await self._database.run(lambda: self._parking.set_aside(at, failure))

    async def _consume(self, chosen: list[int]) -> tuple[Round, list[int]]:
        """What one round met, and the slots in which there is more."""
        connection, name, limit = await driver(self._database), self.consumer.name, self._rows_max
        if self._alone:
            slots, due, rows = await reading.lock_and_read(connection, name, chosen, limit)
        else:
            slots, due = await reading.lock(connection, name, chosen)
            rows = await reading.read(connection, name, slots, limit) if slots else []
        seen = Round(busy=len(slots) < len(chosen), due=due)
        self._alone = not seen.busy
        seen.held = any(not row.readable for row in rows)
        seen.more = len(rows) == limit and not seen.held
        rows = [row for row in rows if row.readable]
        events = [row for row in rows if row.wanted]
        # Moving a cursor is a commit; rows that nobody here wants are worth one only in numbers.
        if rows and (events or len(rows) * 2 > limit):
            if self._careful:
                await self._one_by_one(connection, rows, events)
            else:
                await self._together(connection, rows, events)
        seen.handled = len(events)
        return seen, slots if seen.more else []

    async def _together(self, connection: Connection, rows: list[Read], events: list[Read]) -> None:
        """The usual way: bookkeeping first, then every handler; the first failure gives up the whole."""
        name = self.consumer.name
        behind = [row for row in events if row.behind]
        fresh = await reading.move(connection, name, rows, [row for row in events if not row.behind])
        for row in behind:
            await reading.park(connection, name, row, attempts=0, after_seconds=None, code="behind")
        together: list[Envelope] = []
        for row in events:
            envelope = row.envelope
            if envelope is None or row.behind or envelope.id not in fresh:
                continue
            fresh.discard(envelope.id)
            self._at = row
            DELAY.labels(name).observe(max(0.0, self._clock.now().timestamp() - row.recorded_at.timestamp()))
            if self.consumer.handler(envelope.type) is None:
                together.append(envelope)
                continue
            await self._handle(connection, envelope)
            HANDLED.labels(name, "handled").inc()
        if together:
            await self._handle_every(together)
            HANDLED.labels(name, "handled").inc(len(together))

    async def _one_by_one(self, connection: Connection, rows: list[Read], events: list[Read]) -> None:
        """After a failure: each event in a savepoint, so that the others go on."""
        name = self.consumer.name
        await reading.move(connection, name, rows, [])
        lanes = {row.lane for row in events if row.behind}
        for row in events:
            envelope = row.envelope
            assert envelope is not None
            if row.lane in lanes:
                await reading.park(connection, name, row, attempts=0, after_seconds=None, code="behind")
                continue
            self._at = row
            try:
                async with self._database.session.begin_nested():
                    # The session sets its savepoint at the first use of the connection, not before.
                    await driver(self._database)
                    if await reading.enter(connection, name, envelope):
                        await self._handle(connection, envelope)
            except Poisoned as poisoned:
                lanes.add(row.lane)
                await self._parking.park_failed(connection, row, poisoned.failure)
            else:
                HANDLED.labels(name, "handled").inc()

    async def _handle(self, connection: Connection, envelope: Envelope) -> None:
        """One event, behind the fence of its company. Raises Poisoned for whatever is the event's fault."""
        handler = self.consumer.handler(envelope.type)
        if handler is None:
            await self._handle_every([envelope])
            return
        about = {"user_id": envelope.user_id, "trace_id": envelope.trace_id}
        await self._within(envelope.company_id, about, lambda: handler(envelope))

    async def _handle_every(self, envelopes: Sequence[Envelope]) -> None:
        """Events that no handler is named for, of whatever companies. Raises Poisoned: one of them is at fault."""
        every = self.consumer.every
        assert every is not None
        await self._within(None, {"user_id": None, "trace_id": None}, lambda: every(envelopes))

    async def _within(
        self, company: UUID | None, about: dict[str, str | None], handle: Callable[[], Awaitable[None]]
    ) -> None:
        await self._database.set_company(company)
        try:
            with context.scope(company_id=company, span_id=None, **about):
                await handle()
                # What an ORM still holds back must fail here, where it is known whose it is.
                await self._database.flush()
        except Exception as error:
            self._database.doubt_company()
            if translate(error) is not None or isinstance(error, UnitOfWorkTooLong):
                raise
            raise Poisoned(describe(error)) from error
