"""The way around a log that is late: the publisher sees who has not come to its event, and asks that one's agent.

What is sent is a place in the log, not the event: the consumer reads it there itself, with its own rights, so that
nobody can make an event up by asking. Its inbox takes the double away when the log catches up.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from psycopg.rows import namedtuple_row

from ecosystem.kernel import context
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.messaging.metrics import DIRECT
from ecosystem.kernel.messaging.outbox import Published, slot_of
from ecosystem.kernel.messaging.position import Position
from ecosystem.kernel.messaging.settings import MessagingSettings
from ecosystem.kernel.telemetry.log import log

_REMEMBERED_MAX = 10_000
_ASKED_MAX = 500

_LATE = """
select event_id, consumer, slot, epoch, xid::text::bigint as xid, id, recorded_at
  from kernel.late_consumers(%s::text[], %s::text[], %s::uuid[], %s::uuid[])
"""


@dataclass(frozen=True)
class Hint:
    """An event that `consumer` has not come to, by its place in the log."""

    consumer: str
    event_id: UUID
    slot: int
    position: Position
    recorded_at: datetime


class Delivery(Protocol):
    """Kept by `agent`: brings a hint to the agent that takes events for a consumer."""

    @property
    def consumers(self) -> Collection[str]:
        """Those for which there is such an agent."""

    async def deliver(self, hint: Hint) -> bool:
        """Whether the consumer has handled the event, now or before; else the log brings it. Raises EcosystemError."""


class LateEvents:
    """What this process published and has not yet seen handled by everyone whom an agent can reach."""

    def __init__(
        self, database: Database, delivery: Delivery, settings: MessagingSettings | None = None,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self._database, self._delivery = database, delivery
        self._after_seconds = (settings or MessagingSettings()).direct_after_seconds
        self._monotonic = (clock or SystemClock()).monotonic
        self._young: deque[tuple[float, Published]] = deque(maxlen=_REMEMBERED_MAX)
        self._late: deque[Published] = deque(maxlen=_REMEMBERED_MAX)
        self._direct = False

    def remember(self, published: Published) -> None:
        """An event was committed. The oldest of too many is forgotten: the log brings it, only later."""
        self._young.append((self._monotonic() + self._after_seconds, published))

    async def look(self) -> None:
        """Deliver what is late by now. To be called about once a second; it asks nobody while nothing can be late."""
        due = self._due()
        with context.scope(company_id=None):
            if due:
                self._late.extend(await self._behind(due))
            if self._late or self._direct:
                hints = await self._ask(list(self._late)[:_ASKED_MAX])
                delivered = sum([await self._deliver(hint) for hint in hints])
                await self._forget_handled()
                self._tell(delivered)

    def _due(self) -> list[Published]:
        now, due = self._monotonic(), []
        while self._young and self._young[0][0] <= now:
            due.append(self._young.popleft()[1])
        return due

    async def _behind(self, due: Sequence[Published]) -> list[Published]:
        """Those of `due` whose slot's newest one of their type is late: a cursor behind that one has passed the others.

        Of their type: the newest of all may be one that nobody takes whom an agent can reach, such as the audit entry
        of the same deed.
        """
        newest = {(slot_of(one.subject), one.event_type): one for one in due}
        hints = await self._ask(list(newest.values()))
        late = {one.event_id for one in hints}
        keys = {key for key, one in newest.items() if one.event_id in late}
        return [one for one in due if (slot_of(one.subject), one.event_type) in keys]

    async def _ask(self, events: Sequence[Published]) -> list[Hint]:
        """Who has not come to these events, of those whom an agent can reach, in the order of the log."""

        async def reading() -> list[Any]:
            connection = await driver(self._database)
            cursor = await connection.execute(
                _LATE,
                (list(self._delivery.consumers), sorted({one.event_type for one in events}),
                 [one.company_id for one in events], [one.event_id for one in events]),
                row_factory=namedtuple_row,
            )  # fmt: skip
            return await cursor.fetchall()

        rows = await self._database.read(reading)
        hints = [
            Hint(row.consumer, row.event_id, row.slot, Position(row.epoch, row.xid, row.id), row.recorded_at)
            for row in rows
        ]
        return sorted(hints, key=lambda one: one.position)

    async def _deliver(self, hint: Hint) -> bool:
        """The log stays the way that cannot fail; what is not delivered now is tried again at the next look."""
        try:
            handled = await self._delivery.deliver(hint)
            outcome = "handled" if handled else "not_now"
        except EcosystemError as error:
            handled, outcome = False, error.code
        DIRECT.labels(hint.consumer, outcome).inc()
        return handled

    async def _forget_handled(self) -> None:
        asked = list(self._late)[:_ASKED_MAX]
        late = {hint.event_id for hint in await self._ask(asked)}
        handled = {one.event_id for one in asked} - late
        self._late = deque((one for one in self._late if one.event_id not in handled), _REMEMBERED_MAX)

    def _tell(self, delivered: int) -> None:
        """Once when the log is late, and once when it is not any more."""
        if delivered and not self._direct:
            log.warning("the log is late; events are delivered directly", events=delivered)
        elif self._direct and not self._late:
            log.info("the log has caught up")
        self._direct = bool(self._late) or bool(delivered)
