"""Publishing: an event is appended to the log in the unit of work that makes it true."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID
from weakref import WeakSet
from zlib import crc32

import orjson

from ecosystem.kernel import context
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.kernel.db.wire import Wire
from ecosystem.kernel.ids import Ids, SystemIds
from ecosystem.kernel.messaging.errors import EventTooLarge, PublishedOutside
from ecosystem.kernel.messaging.event import Event

CHANNEL = "eco_log"
"""The wake-up of who reads the log; its keys are types of events."""
SLOTS = 16
EVENT_BYTES_MAX = 65_536

_APPEND = "select kernel.append(%s, %s, %s, %s, %s::smallint, %s, %s, %s, %s::text::jsonb)"


def slot_of(subject: str) -> int:
    """Which of the 16 slots keeps the order of this subject. Fixed for ever: the log is stored by it."""
    return crc32(subject.encode()) % SLOTS


@dataclass(frozen=True)
class Published:
    """What the publisher remembers of an event that it has committed."""

    event_id: UUID
    company_id: UUID | None
    event_type: str
    subject: str


class Outbox:
    """`source` is the registered name of the publishing service; `committed` hears of each event after its commit."""

    def __init__(
        self, database: Database, *, source: str, clock: Clock | None = None, ids: Ids | None = None,
        committed: Callable[[Published], None] | None = None,
    ) -> None:  # fmt: skip
        self._database, self._source, self._committed = database, source, committed
        self._clock, self._ids = clock or SystemClock(), ids or SystemIds()
        self._opened: WeakSet[Wire] = WeakSet()

    async def add(self, event: Event, *, event_id: UUID | None = None) -> UUID:
        """Append `event` for the company of the unit of work; consumers are woken after its commit.

        Where a later transaction has already appended to the same subject, the database refuses with 40001 and the
        unit of work runs again, so that the log keeps the order of what happened to a subject.

        Raises:
            PublishedOutside: no unit of work is open.
            EventTooLarge: more than 64 KiB of JSON.
        """
        return await self.add_as(event, self._source, event_id=event_id)

    async def add_as(self, event: Event, source: str, *, event_id: UUID | None = None) -> UUID:
        """`add`, on behalf of `source`: for the agent that publishes for workflows."""
        if not self._database.in_unit_of_work:
            raise PublishedOutside
        data = orjson.dumps(event.model_dump(mode="json"))
        if len(data) > EVENT_BYTES_MAX:
            raise EventTooLarge(size_bytes=len(data), size_bytes_max=EVENT_BYTES_MAX)
        event_id = event_id or self._ids.uuid()
        now, subject = context.current(), event.subject
        connection = await driver(self._database)
        if connection.wire not in self._opened:
            # After a restore into another cluster, which ends all connections, the numbers of transactions begin anew:
            # a new epoch.
            await connection.later("select kernel.open_log()")
            self._opened.add(connection.wire)
        await connection.later(
            _APPEND,
            (event_id, event.event_type, source, subject, slot_of(subject), self._clock.now(), now.trace_id,
             now.user_id, data.decode()),
        )  # fmt: skip
        self._database.after_commit(partial(self._database.wakeups.send, CHANNEL, event.event_type))
        if self._committed is not None:
            published = Published(event_id, now.company_id, event.event_type, subject)
            self._database.after_commit(partial(self._committed, published))
        return event_id
