"""Works off one queue: claims what is due, as many tasks at once as allowed, and shows that it lives.

Signs of life are two: a lease on each run, renewed for all runs by one statement, and an advisory lock on the name
of the worker, held by the process. The lock ends with the process, so that others take over within a moment; the
lease ends the claim of a process that stands still.
"""

import asyncio
import contextlib
import contextvars
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any
from uuid import UUID

from psycopg.rows import namedtuple_row

from ecosystem.kernel import context
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.kernel.durable.durable import Durable, beat_channel, channel, dumps
from ecosystem.kernel.durable.errors import (
    Abandoned,
    HandlerUnknown,
    LeaseExpired,
    Released,
    Signal,
    WorkerDied,
)
from ecosystem.kernel.durable.metrics import ENDED, RUNNING
from ecosystem.kernel.durable.settings import DurableSettings
from ecosystem.kernel.durable.task import Claim, TaskContext, TaskFailure, not_ours, plain, unknown_is_spent
from ecosystem.kernel.errors import EcosystemError, Failure, Kind, describe
from ecosystem.kernel.ids import Ids, SystemIds
from ecosystem.kernel.telemetry.log import log

Handler = Callable[[TaskContext], Awaitable[Any]]
LOCKS = "eco.worker"
_WAITING_MAX = 1000


class DurableWorker:
    """`on_failure` runs in the transaction that fails the task, with the task's company, user and trace set.

    A handler that raises a permanent error fails its task at once; any other error is tried again with growing
    delays up to the task's attempts. `queue` is the schema of `database`.

    `rooms` says how many tasks of a name may be at work at once. Those that wait for room, in the order in which they
    came, take no place of `concurrency`: a crowd of long tasks leaves the others theirs.
    """

    def __init__(
        self,
        database: Database,
        queue: str,
        handlers: Mapping[str, Handler],
        *,
        concurrency: int = 16,
        rooms: Mapping[str, int] | None = None,
        lease_seconds: int = 30,
        on_failure: Callable[[TaskFailure], Awaitable[None]] | None = None,
        durable: Durable | None = None,
        settings: DurableSettings | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        self._database, self.queue, self._handlers = database, queue, dict(handlers)
        self._concurrency, self._lease_seconds, self._on_failure = concurrency, lease_seconds, on_failure
        self._rooms = {name: asyncio.Semaphore(size) for name, size in (rooms or {}).items()}
        self._waiting: set[UUID] = set()
        self._durable = durable or Durable(database)
        self._settings, self._clock = settings or DurableSettings(), clock or SystemClock()
        self.name = f"{database.schema}/{(ids or SystemIds()).uuid()}"
        self._running: dict[UUID, tuple[Claim, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        self._beat_now = asyncio.Event()
        self._suspects: set[UUID] = set()
        self._stale = False
        self._context: contextvars.Context | None = None

    @property
    def _free(self) -> int:
        """Places for more tasks. Who waits for room takes none, as long as not too many do."""
        return self._concurrency - len(self._running) + min(len(self._waiting), _WAITING_MAX)

    @property
    def idle(self) -> bool:
        """Nothing is being worked on here."""
        return not self._running

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then steps may finish for `drain_seconds`, and all runs are given back."""
        wakeups = self._database.wakeups
        wakeups.hold(LOCKS, self.name)
        wakeups.subscribe(channel(self.queue), self._wake)
        wakeups.subscribe(beat_channel(self.queue), self._beat_now)
        helpers = [asyncio.create_task(work) for work in (self._stop_wakes(stop), self._beats(), self._watch())]
        self._context = contextvars.copy_context()
        try:
            await self._claims(stop)
        finally:
            self._context = None
            await self._drain()
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            wakeups.unsubscribe(channel(self.queue), self._wake)
            wakeups.unsubscribe(beat_channel(self.queue), self._beat_now)
            wakeups.release(LOCKS, self.name)

    async def _stop_wakes(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    async def _claims(self, stop: asyncio.Event) -> None:
        pause = 0.0
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()
            free = self._free
            if stop.is_set() or free <= 0:
                # A task that ends wakes this loop.
                pause = self._settings.poll_seconds
                continue
            try:
                pause = await self._claim(free)
            except Exception as error:
                log.warning("a worker could not claim", queue=self.queue, exc_info=error)
                pause = self._settings.poll_seconds

    async def _claim(self, free: int) -> float:
        """Start what is due; seconds until something else may be, unless woken."""
        if self._stale:
            self._stale = False
            await self._bury_stale()
        asked_at = time.monotonic()
        with context.scope(company_id=None):
            rows = await self._database.run(lambda: self._claimed(free))
        return self._begin(rows, asked_at)

    async def take_up(self) -> None:
        """Inside a unit of work: claim what it has started, and begin when it has committed.

        Saves the wake-up and a transaction. Where there is no room the wake-up goes out as for any other task.
        """
        free, asked_at = self._free, time.monotonic()
        rows = await self._claimed(free) if self._context is not None and free > 0 else []

        def begin() -> None:
            if rows and rows[0].run_id is not None:
                # Whatever is not begun here is found by a claim, here or in another process.
                if self._begin(rows, asked_at) == 0.0:
                    self._wake.set()
            else:
                self._stale = any(row.stale for row in rows)
                self._database.wakeups.send(channel(self.queue))

        self._database.after_commit(begin)

    async def _claimed(self, quantity: int) -> list[Any]:
        """What was claimed, as soon as the unit of work that is open is committed."""
        rows: list[Any] = []
        await (await driver(self._database)).later(
            f"select * from kernel.{self.queue}_claim(%s, %s, %s)",  # noqa: S608 named by our code
            (self.name, self._lease_seconds, quantity), namedtuple_row, rows.extend,
        )  # fmt: skip
        return rows

    def _begin(self, rows: list[Any], asked_at: float) -> float:
        """Start what was claimed; seconds until something else may be due."""
        for row in rows:
            if row.run_id is None:
                self._stale = row.stale
                due = self._settings.poll_seconds if row.due_seconds is None else max(0.0, row.due_seconds)
                return 0.0 if row.stale else min(due, self._settings.poll_seconds)
            claim = Claim(
                self.queue, self.name, self._lease_seconds, row.run_id, row.task_id, row.attempt, row.task_name,
                row.params or {}, row.max_attempts, row.headers or {}, row.checkpoints or {},
                asked_at + self._lease_seconds,
            )  # fmt: skip
            if self._context is None:
                # It stopped between claim and commit: what nobody begins is given back.
                claim.stopping = True
            own = self._context.copy() if self._context is not None else None
            work = asyncio.create_task(self._work(claim), name=f"task {row.task_id}", context=own)
            self._running[row.run_id] = (claim, work)
            RUNNING.labels(self.queue).inc()
        return 0.0

    async def _work(self, claim: Claim) -> None:
        outcome = "released"
        try:
            async with self._room(claim):
                with claim.scope():
                    outcome = outcome if claim.stopping else await self._attempt(claim)
        except asyncio.CancelledError:
            outcome = "abandoned" if claim.lost else "released"
        except Exception as error:
            # Not even the failure could be written: the lease will end, and the task is taken up again.
            log.error("a task could not be ended", task_id=str(claim.task_id), exc_info=error)
            outcome = "left"
        finally:
            self._running.pop(claim.run_id, None)
            RUNNING.labels(self.queue).dec()
            ENDED.labels(self.queue, outcome).inc()
            if len(self._running) + 1 >= self._concurrency:
                # There was no room for what may have become due meanwhile.
                self._wake.set()
        if outcome == "released":
            await self._release(claim)

    @contextlib.asynccontextmanager
    async def _room(self, claim: Claim) -> AsyncIterator[None]:
        room = self._rooms.get(claim.task_name)
        if room is None:
            yield
            return
        self._waiting.add(claim.run_id)
        self._wake.set()
        try:
            await room.acquire()
        finally:
            self._waiting.discard(claim.run_id)
        try:
            yield
        finally:
            room.release()

    async def _attempt(self, claim: Claim) -> str:
        handler = self._handlers.get(claim.task_name)
        try:
            if handler is None:
                raise HandlerUnknown
            result = plain(await handler(TaskContext(self._database, self._durable, claim, self._clock)))
        except Abandoned:
            return "abandoned"
        except Released:
            return "released"
        except Signal:
            return "suspended"
        except Exception as error:
            failure = describe(error)
            log.warning(
                "an attempt failed", task_id=str(claim.task_id), task=claim.task_name, attempt=claim.attempt,
                code=failure.code, exc_info=None if isinstance(error, EcosystemError) else error,
            )  # fmt: skip
            return await self._fail(claim, failure, final=failure.kind is Kind.PERMANENT, at_once=False)
        return await self._complete(claim, result)

    async def _complete(self, claim: Claim, result: Any) -> str:
        async def work() -> None:
            connection = await driver(self._database)
            # The completion comes first and proves that the run is ours.
            await connection.later(
                "select kernel.complete_run(%s, %s, %s, %s::text::jsonb)",
                (self.queue, claim.task_id, claim.run_id, dumps(result)),
            )
            if claim.at_end is not None:
                await claim.at_end()
            if claim.headers.get("parent"):
                self._database.after_commit(lambda: self._database.wakeups.send(channel(self.queue)))

        try:
            await self._database.run(work)
        except Exception as error:
            if not_ours(error):
                return "abandoned"
            raise
        return "completed"

    async def _fail(self, claim: Claim, failure: Failure, *, final: bool, at_once: bool, worker: str = "") -> str:
        """Fail the run; where the task fails with it, `on_failure` speaks in the same transaction.

        Where it cannot, the task ends without it: while its lease is over and it has not ended, nobody claims anything.
        """
        reason = {"code": failure.code, "message": failure.message, "kind": failure.kind.value}

        async def work(*, told: bool = True) -> str:
            connection = await driver(self._database)
            no_more = final or await unknown_is_spent(connection, claim, failure)
            cursor = await connection.execute(
                "select kernel.fail_run(%s, %s, %s, %s::text::jsonb, %s, %s)",
                (self.queue, claim.run_id, worker or self.name, dumps(reason), no_more, at_once),
            )
            row = await cursor.fetchone()
            state = row[0] if row else None
            if state == "failed" and told and self._on_failure is not None:
                await self._on_failure(
                    TaskFailure(claim.task_id, claim.task_name, claim.params, claim.attempt, failure, claim.company_id)
                )
            self._database.after_commit(lambda: self._database.wakeups.send(channel(self.queue)))
            return "abandoned" if state is None else "failed" if state == "failed" else "retried"

        try:
            return await self._database.run(work)
        except Exception as error:
            if describe(error).kind is Kind.TRANSIENT:
                raise
            log.error("a task failed and could not say so", task_id=str(claim.task_id), exc_info=error)
            return await self._database.run(lambda: work(told=False))

    async def _release(self, claim: Claim) -> None:
        """Give the run back: no attempt is used up, and another worker may have it now."""

        async def work() -> None:
            await (await driver(self._database)).execute(
                "select kernel.release_run(%s, %s, %s)", (self.queue, claim.run_id, self.name)
            )
            self._database.after_commit(lambda: self._database.wakeups.send(channel(self.queue)))

        try:
            with context.scope(company_id=None):
                await self._database.run(work)
        except Exception as error:
            log.warning("a run could not be given back", task_id=str(claim.task_id), exc_info=error)

    async def _drain(self) -> None:
        for claim, _ in self._running.values():
            claim.stopping = True
        tasks = [task for _, task in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=self._settings.drain_seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _beats(self) -> None:
        """One statement for all runs every third of the lease, and at once when something was cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._lease_seconds / 3):
                    await self._beat_now.wait()
            self._beat_now.clear()
            await self._quietly(self._beat())

    async def _beat(self) -> None:
        runs = list(self._running)
        if not runs:
            return
        asked_at = time.monotonic()

        async def work() -> set[UUID]:
            cursor = await (await driver(self._database)).execute(
                "select * from kernel.beat_runs(%s, %s, %s, %s)", (self.queue, self.name, self._lease_seconds, runs)
            )
            return {row[0] for row in await cursor.fetchall()}

        with context.scope(company_id=None):
            ours = await self._database.run(work)
        for run_id in runs:
            if run_id not in self._running:
                continue
            claim, task = self._running[run_id]
            if run_id in ours:
                claim.held_until = asked_at + self._lease_seconds
            else:
                # Cancelled, taken over, or just ended by itself, which the cancellation does not reach.
                claim.lost = True
                task.cancel()

    async def _watch(self) -> None:
        """The first look is at once: on a small platform the only heir is who comes up in the place of the dead."""
        while True:
            await self._quietly(self._bury_stale())
            await asyncio.sleep(self._settings.watch_seconds)

    async def _bury_stale(self) -> None:
        """Fail the runs of dead workers at once, and those whose lease has ended."""
        with context.scope(company_id=None):
            rows = await self._database.run(self._stale_runs)
        # A lock may be free for a moment, while a living worker connects again: dead is who is gone twice.
        suspects, self._suspects = self._suspects, {row.run_id for row in rows if not row.expired}
        for row in rows:
            if not row.expired and row.run_id not in suspects:
                continue
            claim = Claim(
                self.queue, row.claimed_by, self._lease_seconds, row.run_id, row.task_id, row.attempt, row.task_name,
                row.params or {}, 0, row.headers or {}, {},
            )  # fmt: skip
            failure = describe(LeaseExpired() if row.expired else WorkerDied())
            log.warning("a run is taken over", task_id=str(row.task_id), code=failure.code, attempt=row.attempt)
            with claim.scope():
                # One that cannot be ended must not keep the others from it.
                await self._quietly(self._fail(claim, failure, final=False, at_once=True, worker=row.claimed_by))

    async def _stale_runs(self) -> list[Any]:
        connection = await driver(self._database)
        cursor = await connection.execute(
            "select * from kernel.stale_runs(%s, %s)", (self.queue, self.name), row_factory=namedtuple_row
        )
        return await cursor.fetchall()

    async def _quietly(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except Exception as error:
            log.warning("a worker's care failed", queue=self.queue, exc_info=error)
