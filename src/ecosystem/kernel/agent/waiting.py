"""The queue of absent agents: calls of durable tasks, in the database, in the order in which their runs began.

A call waits in the lane of its agent and company. Its answer comes to the task as the event `answer/<call_id>`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg.rows import class_row

from ecosystem.kernel import context
from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.kernel.durable.durable import Durable, dumps


def channel(queue: str) -> str:
    """The wake-up of those who bring calls again: something came into the queue, or is due."""
    return f"eco_waiting_{queue}"


def answer_event(call_id: UUID) -> str:
    """What the task waits for; its value holds `answer` (and `via`, the backup that gave it) or `failure`."""
    return f"answer/{call_id}"


@dataclass(frozen=True)
class WaitingCall:
    """A question as it was asked in vain. `began_at`: when its run began, which is its place. `code`: why it waits."""

    call_id: UUID
    task_id: UUID
    run_id: UUID
    began_at: datetime
    agent_id: str
    request_type: str
    request_id: str
    payload: dict[str, Any]
    sender: str
    timeout_seconds: float
    attempt: int
    step: str
    code: str


@dataclass(frozen=True)
class Claimed:
    """A call that this process brings again. `about`: sender, user, trace, attempt, time-out, step."""

    company_id: UUID
    call_id: UUID
    run_id: UUID
    agent_id: str
    request_type: str
    request_id: str
    payload: str
    about: dict[str, Any]
    waiting_since: datetime
    failures: int


@dataclass(frozen=True)
class Line:
    """The queue of one agent: `longest` are the calls of the company that has most, `seconds` has the oldest waited."""

    agent_id: str
    calls: int
    longest: int
    since: datetime
    seconds: float
    failures: int
    companies: list[UUID]


@dataclass(frozen=True)
class Place:
    """A waiting call as its run shows it; `before` it are so many of its lane."""

    call_id: UUID
    agent_id: str
    request_type: str
    step: str
    code: str
    waiting_since: datetime
    failures: int
    before: int


class WaitingCalls:
    """The tasks of `database`'s own queue. `calls_max`: to one agent, of one company."""

    def __init__(self, database: Database, durable: Durable, cards: Mapping[str, AgentCard], calls_max: int) -> None:
        self._database, self._durable = database, durable
        self._agents = frozenset(card.id for card in cards.values() if card.fallback.queue)
        self._queue, self._calls_max = database.schema, calls_max

    def takes(self, agent_id: str) -> bool:
        """Whether calls to this agent may wait here: its card says so, and there is a company to wait for."""
        return agent_id in self._agents and context.current().company_id is not None

    async def add(self, call: WaitingCall) -> bool:
        """In the caller's unit of work; False where the queue of the agent is full."""
        now = context.current()
        about = {
            "sender": call.sender, "user_id": now.user_id, "trace_id": now.trace_id, "span_id": now.span_id,
            "attempt": call.attempt, "timeout_seconds": call.timeout_seconds, "step": call.step,
        }  # fmt: skip
        added = await self._value(
            "select kernel.add_waiting_call(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::text::jsonb, %s, %s)",
            self._queue, call.call_id, call.task_id, call.run_id, call.began_at, call.agent_id, call.request_type,
            call.request_id, dumps(call.payload), dumps(about), call.code, self._calls_max,
        )  # fmt: skip
        self._wake_after_commit()
        return bool(added)

    async def leave(self, *, call_id: UUID | None = None, run_id: UUID | None = None) -> int:
        """Take a call, or all calls of a run, out of the queue, in the caller's unit of work; how many were there."""
        removed = await self._value("select kernel.remove_waiting_calls(%s, %s, %s)", self._queue, call_id, run_id)
        self._wake_after_commit()
        return int(removed)

    async def of_run(self, run_id: UUID) -> list[Place]:
        """What a run waits for, in the caller's unit of work or reading."""
        cursor = await (await driver(self._database)).execute(
            "select * from kernel.waiting_calls_of(%s)", (run_id,), row_factory=class_row(Place)
        )
        return await cursor.fetchall()

    async def lines(self) -> list[Line]:
        """The queue of each agent for which anything waits, of all companies together."""

        async def work() -> list[Line]:
            cursor = await (await driver(self._database)).execute(
                "select * from kernel.waiting_lines()", row_factory=class_row(Line)
            )
            return await cursor.fetchall()

        return await self._database.read(work)

    async def claim(self, worker: str, agents: Sequence[str], calls_max: int) -> list[Claimed]:
        """The first of each lane of these agents that is due and that nobody alive has, for `worker` now."""

        async def work() -> list[Claimed]:
            cursor = await (await driver(self._database)).execute(
                "select * from kernel.claim_waiting_calls(%s, %s, %s, %s)",
                (self._queue, worker, list(agents), calls_max),
                row_factory=class_row(Claimed),
            )
            return await cursor.fetchall()

        return await self._database.run(work)

    async def put_back(self, call: Claimed, worker: str, seconds: float, failed: str | None = None) -> None:
        """Not answered: due again after `seconds`. `failed`: the code of a failure that counts."""

        async def work() -> None:
            await self._value(
                "select kernel.put_back_waiting_call(%s, %s, %s, %s, %s)",
                self._queue, call.call_id, worker, seconds, failed,
            )  # fmt: skip

        await self._database.run(work)

    async def answer(self, call: Claimed, value: dict[str, Any]) -> bool:
        """Give the task its answer and the place to the next, in one unit of work; False where somebody else did."""

        async def work() -> bool:
            if not await self.leave(call_id=call.call_id):
                return False
            await self._durable.emit(self._queue, answer_event(call.call_id), value)
            return True

        return await self._database.run(work)

    def _wake_after_commit(self) -> None:
        self._database.after_commit(lambda: self._database.wakeups.send(channel(self._queue)))

    async def _value(self, statement: str, *values: Any) -> Any:
        row = await (await (await driver(self._database)).execute(statement, values)).fetchone()
        return row[0] if row else None


def announced(lines: Sequence[Line]) -> bytes:
    """As it stands in the cache: for each agent how many calls wait, and since when."""
    return orjson.dumps({line.agent_id: {"calls": line.calls, "since": line.since} for line in lines})
