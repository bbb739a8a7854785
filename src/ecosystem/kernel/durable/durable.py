"""Starting and steering tasks. What is started in a unit of work commits with it, or never was."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg import sql
from psycopg.rows import class_row

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.kernel.durable.errors import StartedOutside, TaskUnknown

MAX_ATTEMPTS = 5
_RETRY = {"kind": "exponential", "base_seconds": 1, "factor": 2, "max_seconds": 30}


def channel(queue: str) -> str:
    """The wake-up of workers: there is something to claim."""
    return f"eco_tasks_{queue}"


def beat_channel(queue: str) -> str:
    """The wake-up of heartbeats: a run may have been cancelled."""
    return f"eco_beats_{queue}"


@dataclass(frozen=True)
class TaskState:
    """`state`: pending, running, sleeping, completed, failed or cancelled. `failure` is that of the last attempt."""

    task_id: UUID
    task_name: str
    company_id: UUID | None
    user_id: str | None
    trace_id: str | None
    parent_id: UUID | None
    params: Any
    state: str
    attempts: int
    max_attempts: int | None
    enqueue_at: datetime
    first_started_at: datetime | None
    ended_at: datetime | None
    wakes_at: datetime | None
    wake_event: str | None
    result: Any
    failure: Any


class Durable:
    """`queue` is named like the schema of the service that works it off; where it is left out, our own.

    Everything here is fenced: a task belongs to the company of the unit of work that started it, and is found only
    with that company set. Parameters and results hold ids, never names, numbers or texts about people.
    """

    def __init__(self, database: Database, *, retry: dict[str, Any] | None = None) -> None:
        self._database, self._retry = database, retry or _RETRY

    async def start(
        self, queue: str, task: str, params: dict[str, Any], *, key: str | None = None,
        max_attempts: int = MAX_ATTEMPTS, parent_id: UUID | None = None, wake: bool = True,
    ) -> UUID:  # fmt: skip
        """The id of the task, which starts when the unit of work commits. The same `key` starts it once.

        Without `wake` no worker is told: the caller has it taken up (`DurableWorker.take_up`).

        Raises StartedOutside: no unit of work is open.
        """
        self._inside()
        now = context.current()
        headers = {
            "user_id": now.user_id, "trace_id": now.trace_id, "span_id": now.span_id,
            "parent": str(parent_id) if parent_id else None,
        }  # fmt: skip
        connection = await driver(self._database)
        cursor = await connection.execute(
            "select task_id from kernel.start_task(%s, %s, %s::text::jsonb, %s::text::jsonb, %s, %s, %s::text::jsonb)",
            (queue, task, dumps(params), dumps(headers), key, max_attempts, dumps(self._retry)),
        )
        row = await cursor.fetchone()
        assert row is not None
        if wake:
            self._wake_after_commit(channel(queue))
        task_id: UUID = row[0]
        return task_id

    async def cancel(self, task_id: UUID, *, queue: str | None = None) -> None:
        """End the task and its children. A handler that runs is cancelled within a moment; one that ended stays.

        Raises TaskUnknown, StartedOutside.
        """
        self._inside()
        queue = queue or self._database.schema
        cursor = await (await driver(self._database)).execute("select kernel.cancel_task(%s, %s)", (queue, task_id))
        row = await cursor.fetchone()
        if row is None or not row[0]:
            raise TaskUnknown
        self._wake_after_commit(beat_channel(queue))

    async def retry(self, task_id: UUID, *, queue: str | None = None, attempts: int = MAX_ATTEMPTS) -> bool:
        """Let a failed task go on from its last finished step; False where it has not failed.

        Raises TaskUnknown, StartedOutside.
        """
        self._inside()
        queue = queue or self._database.schema
        connection = await driver(self._database)
        cursor = await connection.execute("select kernel.retry_task(%s, %s, %s)", (queue, task_id, attempts))
        row = await cursor.fetchone()
        if row is None or row[0] is None:
            raise TaskUnknown
        self._wake_after_commit(channel(queue))
        return bool(row[0] == "failed")

    async def emit(self, queue: str, event_name: str, payload: Any = None) -> None:
        """Let those who wait for `event_name` go on. First write wins; a later one changes nothing."""
        self._inside()
        await (await driver(self._database)).execute(
            "select kernel.emit_event(%s, %s, %s::text::jsonb)", (queue, event_name, dumps(payload))
        )
        self._wake_after_commit(channel(queue))

    async def state(self, task_id: UUID, *, queue: str | None = None) -> TaskState:
        """Raises TaskUnknown."""

        async def work() -> TaskState | None:
            connection = await driver(self._database)
            view = sql.Identifier("kernel", f"{queue or self._database.schema}_tasks")
            cursor = await connection.execute(
                sql.SQL("select * from {} where task_id = %s").format(view),
                (task_id,),
                row_factory=class_row(TaskState),
            )
            return await cursor.fetchone()

        found = await self._database.read(work)
        if found is None:
            raise TaskUnknown
        return found

    def _inside(self) -> None:
        if not self._database.in_unit_of_work:
            raise StartedOutside

    def _wake_after_commit(self, name: str) -> None:
        self._database.after_commit(lambda: self._database.wakeups.send(name))


def dumps(value: Any) -> str:
    """JSON text of ids and measures; dates and UUIDs become text."""
    return orjson.dumps(value).decode()
