"""Work on a timer, one replica at a time where a job says so."""

import asyncio
import contextlib
import random
from typing import Any

import psycopg

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.runtime.service import Job
from ecosystem.kernel.telemetry.log import log
from ecosystem.kernel.telemetry.metrics import METRICS
from ecosystem.kernel.telemetry.tracing import span

_CLASS = 0x0EC1
_TRY = f"select pg_try_advisory_lock({_CLASS}, hashtext(%s))"


class Leadership:
    """Advisory locks of one process on a connection of its own; a dead process holds none, at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._held: set[str] = set()
        self._lock = asyncio.Lock()

    async def leads(self, name: str) -> bool:
        """Whether this process is the one that does `name` now. Raises DatabaseUnavailable."""
        async with self._lock:
            try:
                return await self._ask(name)
            except psycopg.Error:
                # What the lost connection held, others may hold by now: ask anew on a fresh one.
                await self._close()
                return await self._ask(name)

    async def _ask(self, name: str) -> bool:
        if self._connection is None:
            self._connection = await self._database.connection()
        if name in self._held:
            await self._connection.execute("select 1")
            return True
        row = await (await self._connection.execute(_TRY, (f"{self._database.schema}/{name}",))).fetchone()
        if row and row[0]:
            self._held.add(name)
        return name in self._held

    async def close(self) -> None:
        async with self._lock:
            await self._close()

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        self._held.clear()
        if connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await connection.close()


async def run_job(job: Job, leadership: Leadership, stop: asyncio.Event) -> None:
    """Tick until `stop`. The first tick comes within a second or one period, so that a restart does not skip any."""
    period = job.every.total_seconds()
    pause = random.uniform(0, min(period, 1.0))  # noqa: S311 spreads replicas, keeps no secret
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
            return
        pause = period
        await tick(job, leadership)


async def tick(job: Job, leadership: Leadership) -> None:
    """One tick, by whoever leads. A failure is logged and counted; the next tick is the retry."""
    outcome = "done"
    try:
        if job.single and not await leadership.leads(job.name):
            return
        with span(f"job {job.name}", company_id=None, user_id=None, trace_id=None, span_id=None):
            await job.run()
    except Exception as error:
        outcome = "failed"
        expected = isinstance(error, EcosystemError) and error.retryable
        (log.warning if expected else log.error)("job failed", job=job.name, exc_info=error)
    METRICS.job_runs_total.labels(job.name, outcome).inc()
