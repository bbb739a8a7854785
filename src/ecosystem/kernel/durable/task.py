"""One attempt of one task, as its handler sees it: steps by name, each kept once it is done."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson

from ecosystem.kernel import context
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.errors import sqlstate
from ecosystem.kernel.db.raw import Connection, driver
from ecosystem.kernel.durable.durable import Durable, channel, dumps
from ecosystem.kernel.durable.errors import Abandoned, ChildFailed, Released, Suspended
from ecosystem.kernel.errors import Failure, Kind, is_last

JSON = Any
Work = Callable[[], Awaitable[JSON]]

_NOT_OURS = frozenset({"AB001", "AB002"})
_NOT_RUNNING = "is not currently running"


@dataclass
class Claim:
    """What the worker holds: `held_until` is a reading of `time.monotonic()`, moved on by every beat."""

    queue: str
    worker: str
    lease_seconds: int
    run_id: UUID
    task_id: UUID
    attempt: int
    task_name: str
    params: dict[str, Any]
    max_attempts: int
    headers: dict[str, Any]
    checkpoints: dict[str, JSON]
    held_until: float = 0.0
    at_end: Callable[[], Awaitable[None]] | None = None
    stopping: bool = False
    lost: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def company_id(self) -> UUID | None:
        company = self.headers.get("company_id")
        return UUID(company) if company else None

    def scope(self) -> AbstractContextManager[context.Context]:
        """Whose task it is, and on whose behalf, for what is done with it."""
        headers = self.headers
        return context.scope(
            company_id=self.company_id, user_id=headers.get("user_id"), trace_id=headers.get("trace_id"),
            span_id=headers.get("span_id"), deadline=None, attempt=self.attempt,
        )  # fmt: skip


@dataclass(frozen=True)
class TaskFailure:
    """A task that will not be tried again by itself. The company is that of the task."""

    task_id: UUID
    task_name: str
    params: dict[str, Any]
    attempt: int
    failure: Failure
    company_id: UUID | None


class TaskContext:
    """Steps have names that are unique in the task. A finished step is not run again: its result is read.

    Sleeps, waits and children are taken one after the other, never in parallel branches: a branch that may suspend
    is a child task.
    """

    def __init__(self, database: Database, durable: Durable, claim: Claim, clock: Clock) -> None:
        self._database, self._durable, self._claim, self._clock = database, durable, claim, clock

    @property
    def task_id(self) -> UUID:
        return self._claim.task_id

    @property
    def attempt(self) -> int:
        return self._claim.attempt

    @property
    def params(self) -> dict[str, Any]:
        return self._claim.params

    @property
    def name(self) -> str:
        return self._claim.task_name

    async def step(self, name: str, work: Work) -> JSON:
        """Run `work` outside of any unit of work, then keep its result: at least once, so `work` is idempotent."""
        if name in self._claim.checkpoints:
            return self._claim.checkpoints[name]
        self._may_go_on()
        context.refuse_in_unit_of_work("A step")
        result = plain(await work())
        await self._keep(name, result)
        return result

    async def database_step(self, name: str, work: Work) -> JSON:
        """`work` and its checkpoint in one unit of work: exactly once. `work` holds database statements only."""
        if name in self._claim.checkpoints:
            return self._claim.checkpoints[name]
        self._may_go_on()

        async def both() -> JSON:
            connection = await driver(self._database)
            await self._hold(connection)
            result = plain(await work())
            await self._set(connection, name, result)
            return result

        result = await self._run(both)
        self._claim.checkpoints[name] = result
        return result

    def known(self, name: str) -> JSON | None:
        """The kept result of that name, or None; for whoever decides by it what comes next."""
        return self._claim.checkpoints.get(name)

    async def keep(self, results: Mapping[str, JSON], work: Callable[[], Awaitable[None]]) -> None:
        """`work` and these checkpoints in one unit of work. `work` holds database statements only."""
        self._may_go_on()
        kept = {name: plain(result) for name, result in results.items()}

        async def both() -> None:
            await self._keep_all(await driver(self._database), kept)
            await work()

        await self._run(both)
        self._claim.checkpoints.update(kept)

    def at_end(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` in the transaction that completes the task, as `on_failure` is done in the one that fails it."""
        self._claim.at_end = work

    async def sleep(self, name: str, seconds: float) -> None:
        """Suspend for `seconds` from the first time this is reached."""
        kept = self._claim.checkpoints.get(name)
        if kept is not None:
            left = kept["until"] - self._clock.now().timestamp()
            if left <= 0:
                return
            await self._suspend(left)
        self._may_go_on()
        until = self._clock.now() + timedelta(seconds=seconds)

        async def both() -> None:
            connection = await driver(self._database)
            await self._hold(connection)
            await self._set(connection, name, {"until": until.timestamp()})
            await self._schedule(connection, seconds)

        await self._run(both)
        raise Suspended

    async def wait_for(self, event_name: str, timeout_seconds: float | None = None) -> JSON | None:
        """The payload of `event_name`, or None when the time is over. Names are the company's: put an id into them."""
        name = f"wait/{event_name}"
        if name not in self._claim.checkpoints:
            await self._await(name, f"{self._claim.company_id or ''}/{event_name}", timeout_seconds)
        kept = self._claim.checkpoints[name]
        return None if kept is None or kept.get("timeout") else kept.get("value")

    async def emit(self, event_name: str, payload: JSON = None) -> None:
        """Let tasks of this queue and company that wait for `event_name` go on."""
        await self.database_step(
            f"emit/{event_name}", lambda: self._durable.emit(self._claim.queue, event_name, payload)
        )

    async def child(self, name: str, task: str, params: dict[str, Any]) -> UUID:
        """Start a task of its own, once, however often this is run."""

        async def start() -> str:
            child_id = await self._durable.start(
                self._claim.queue, task, params, key=f"{self.task_id}/{name}", parent_id=self.task_id,
                max_attempts=self._claim.max_attempts,
            )  # fmt: skip
            return str(child_id)

        return UUID(await self.database_step(f"child/{name}", start))

    async def results(self, children: Sequence[UUID]) -> list[JSON]:
        """What the children returned, in their order; suspends until all have ended.

        Raises ChildFailed for the first that failed, after all have ended.
        """
        kept: list[dict[str, Any]] = []
        for child in children:
            name = f"ended/{child}"
            if name not in self._claim.checkpoints:
                await self._await(name, name, None)
            kept.append(self._claim.checkpoints[name])
        for child, ended in zip(children, kept, strict=True):
            if "failure" in ended:
                raise ChildFailed(code=ended["failure"].get("code"), task_id=str(child))
        return [ended["result"] for ended in kept]

    def _may_go_on(self) -> None:
        if self._claim.lost or time.monotonic() >= self._claim.held_until:
            # This process stood still for longer than its lease: another may be at work on the task.
            raise Abandoned
        if self._claim.stopping:
            raise Released

    async def _keep(self, name: str, result: JSON) -> None:
        async def work() -> None:
            await self._keep_all(await driver(self._database), {name: result})

        await self._run(work)
        self._claim.checkpoints[name] = result

    async def _await(self, name: str, event_name: str, timeout_seconds: float | None) -> None:
        self._may_go_on()
        timeout = None if timeout_seconds is None else math.ceil(timeout_seconds)
        claim = self._claim

        async def work() -> tuple[bool, JSON]:
            connection = await driver(self._database)
            cursor = await connection.execute(
                "select should_suspend, payload from kernel.await_event(%s, %s, %s, %s, %s, %s)",
                (claim.queue, claim.task_id, claim.run_id, name, event_name, timeout),
            )
            row = await cursor.fetchone()
            assert row is not None
            return bool(row[0]), row[1]

        suspend, payload = await self._run(work)
        if suspend:
            raise Suspended
        claim.checkpoints[name] = payload

    async def _suspend(self, seconds: float) -> None:
        async def work() -> None:
            connection = await driver(self._database)
            await self._hold(connection)
            await self._schedule(connection, seconds)

        await self._run(work)
        raise Suspended

    async def _schedule(self, connection: Connection, seconds: float) -> None:
        await connection.later(
            "select kernel.suspend_run(%s, %s, clock_timestamp() + make_interval(secs => %s::float8))",
            (self._claim.queue, self._claim.run_id, seconds),
        )
        # Somebody who sleeps longer must learn that something is due sooner.
        self._database.after_commit(lambda: self._database.wakeups.send(channel(self._claim.queue)))

    async def _hold(self, connection: Connection) -> None:
        """First in each transaction of a step: lock the run and prove that it is still ours."""
        await connection.later(
            "select kernel.hold_run(%s, %s, %s)", (self._claim.queue, self._claim.run_id, self._claim.lease_seconds)
        )

    async def _keep_all(self, connection: Connection, kept: Mapping[str, JSON]) -> None:
        """Lock the run, prove that it is still ours, and write its checkpoints."""
        await connection.later(
            f"select kernel.{self._claim.queue}_keep(%s, %s, %s, %s::text[], %s::text[])",
            (self._claim.task_id, self._claim.run_id, self._claim.lease_seconds, list(kept),
             [dumps(state) for state in kept.values()]),
        )  # fmt: skip

    async def _set(self, connection: Connection, name: str, result: JSON) -> None:
        await connection.later(
            "select kernel.keep_step(%s, %s, %s, %s, %s::text::jsonb)",
            (self._claim.queue, self._claim.task_id, self._claim.run_id, name, dumps(result)),
        )

    async def _run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await self._database.run(work)
        except Exception as error:
            if not_ours(error):
                self._claim.lost = True
                raise Abandoned from error
            raise


def plain(value: Any) -> JSON:
    """As it will be read back by the next attempt: the first one must not see anything else."""
    return orjson.loads(dumps(value))


async def unknown_is_spent(connection: Connection, claim: Claim, failure: Failure) -> bool:
    """Whether a failure that nobody knows, counted with those before it, is not tried again."""
    if failure.kind is not Kind.UNKNOWN:
        return False
    cursor = await connection.execute("select kernel.unknown_failures(%s, %s)", (claim.queue, claim.task_id))
    row = await cursor.fetchone()
    return is_last(failure.kind, 1 + (row[0] if row else 0))


def not_ours(error: BaseException) -> bool:
    """The database refused because the run was cancelled or taken over."""
    state = sqlstate(error)
    return state in _NOT_OURS or (state == "P0001" and _NOT_RUNNING in str(error))
