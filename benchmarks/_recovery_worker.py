"""A worker of `benchmarks.recovery`: a process that carries runs of steps until it is killed.

A step waits 100 ms outside of any unit of work, then its effect and its checkpoint are written in one, as a workflow
keeps the answer of an agent (ADR 72).
"""

import asyncio
import signal
from typing import Any

from pydantic import SecretStr

from ecosystem.fleet.processes import die_with_parent
from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.durable.task import TaskContext
from ecosystem.kernel.durable.worker import DurableWorker
from ecosystem.services.orchestrator.settings import ServiceSettings

QUEUE, TASK, END = "orchestrator", "recovery", "end"
STEPS, STEP_SECONDS, RUNS_AT_ONCE = 10, 0.1, 4
LEASE_SECONDS: int = ServiceSettings.model_fields["lease_seconds"].default


def work(url: str) -> None:
    """Carry runs of the queue at `url` until killed. Ends with the process that forked it."""
    die_with_parent(signal.SIGKILL)
    asyncio.run(_work(url))


async def _work(url: str) -> None:
    database = Database(DatabaseSettings(url=SecretStr(url)), QUEUE)

    async def carry(task: TaskContext) -> None:
        for number in range(STEPS):
            name = f"step-{number}"
            if task.known(name) is None:
                await asyncio.sleep(STEP_SECONDS)
                await task.keep({name: number}, effect(task, name))
        task.at_end(effect(task, END))

    def effect(task: TaskContext, name: str) -> Any:
        async def write() -> None:
            await (await driver(database)).execute(
                "insert into effects (company_id, task_id, step) values (%s, %s, %s)",
                (context.current().company_id, task.task_id, name),
            )

        return write

    worker = DurableWorker(database, QUEUE, {TASK: carry}, concurrency=RUNS_AT_ONCE, lease_seconds=LEASE_SECONDS)
    await worker.run(asyncio.Event())
