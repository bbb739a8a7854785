"""All SQL about the queue of absent agents: functions of the kernel that answer recovery-agent, for all companies."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg.rows import class_row

from ecosystem.kernel.agent.waiting import Line, channel
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.kernel.durable.durable import channel as durable_channel
from ecosystem.services.recovery.queueing.model import Waiting


class Queues:
    """Each method belongs inside of `database.run` or `read`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lines(self) -> list[Line]:
        cursor = await (await driver(self._database)).execute(
            "select * from kernel.waiting_lines()", row_factory=class_row(Line)
        )
        return await cursor.fetchall()

    async def page(self, agent: str | None, after: datetime | None, after_id: UUID | None, limit: int) -> list[Waiting]:
        """Who has waited longest first."""
        cursor = await (await driver(self._database)).execute(
            "select * from kernel.list_waiting_calls(%s, %s, %s, %s)",
            (agent, after, after_id, limit),
            row_factory=class_row(Waiting),
        )
        return await cursor.fetchall()

    async def hurry(self, *, call_id: UUID | None = None, agent: str | None = None) -> int:
        """Have a call, or all calls to an agent, brought as soon as it is their turn; how many there are."""
        return int(await self._queues("select * from kernel.hurry_waiting_calls(%s, %s)", call_id, agent))

    async def give_up(self, call_id: UUID, answer: dict[str, Any]) -> bool:
        """Give the run this answer instead of that of the agent; False where it does not wait any more."""
        given = await self._queues(
            "select * from kernel.give_up_waiting_call(%s, %s::text::jsonb)", call_id, orjson.dumps(answer).decode()
        )
        return given > 0

    async def _queues(self, statement: str, *values: Any) -> int:
        """How many rows the function named, each the durable queue of a call; their workers are woken."""
        rows = await (await (await driver(self._database)).execute(statement, values)).fetchall()
        for queue in {row[0] for row in rows}:
            for name in (channel(queue), durable_channel(queue)):
                self._database.after_commit(lambda name=name: self._database.wakeups.send(name))  # type: ignore[misc]
        return len(rows)
