"""Tasks on a real database, worked off in this process or in one of its own that can be killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.durable.durable import Durable, TaskState
from ecosystem.kernel.durable.settings import DurableSettings
from ecosystem.kernel.durable.worker import DurableWorker, Handler
from tests.kernel.db.fixtures import Platform, PlatformCluster, a_platform, a_variant, execute
from tests.support.poll import PATIENCE_SECONDS, eventually

ZURICH, GENEVA = UUID(int=0xA1), UUID(int=0xB2)
QUEUE = "orchestrator"
ENDED = ("completed", "failed", "cancelled")

MARKS = """
set role eco_owner;
create table orchestrator.marks (
  number bigint generated always as identity, company_id uuid not null, mark text not null
);
grant select, insert on orchestrator.marks to eco_orchestrator;
select kernel.fence('orchestrator.marks'::regclass);
"""


@dataclass
class Tasks:
    platform: Platform
    database: Database
    durable: Durable
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    async def start(self, task: str, params: dict[str, Any] | None = None, **options: Any) -> UUID:
        company = options.pop("company", ZURICH)
        with context.scope(company_id=company, user_id="client-1", trace_id="ab" * 16):
            return await self.database.run(lambda: self.durable.start(QUEUE, task, params or {}, **options))

    async def start_and(self, task: str, work: Callable[[], Awaitable[None]]) -> UUID:
        """Start a task that wakes nobody, and do `work` in the same unit of work."""

        async def both() -> UUID:
            task_id = await self.durable.start(QUEUE, task, {}, wake=False)
            await work()
            return task_id

        with context.scope(company_id=ZURICH):
            return await self.database.run(both)

    async def state(self, task_id: UUID, company: UUID = ZURICH) -> TaskState:
        with context.scope(company_id=company):
            return await self.durable.state(task_id)

    async def ended(self, task_id: UUID) -> TaskState:
        async def look() -> TaskState | None:
            state = await self.state(task_id)
            return state if state.state in ENDED else None

        found = await eventually(look)
        assert found is not None
        return found

    def worker(self, handlers: dict[str, Handler], **options: Any) -> DurableWorker:
        # Past its bounds too: what a poll must not save has one in an hour.
        settings = DurableSettings.model_construct(
            watch_seconds=options.pop("watch_seconds", 0.2), drain_seconds=options.pop("drain_seconds", 0.3),
            poll_seconds=options.pop("poll_seconds", 1.0),
        )  # fmt: skip
        database = options.pop("database", self.database)
        return DurableWorker(
            database, QUEUE, handlers, settings=settings, durable=Durable(database, retry=RETRY), **options
        )

    @asynccontextmanager
    async def working(self, handlers: dict[str, Handler], **options: Any) -> AsyncIterator[DurableWorker]:
        worker, stop = self.worker(handlers, **options), asyncio.Event()
        task = asyncio.create_task(worker.run(stop))
        try:
            yield worker
        finally:
            stop.set()
            await asyncio.wait_for(task, PATIENCE_SECONDS)

    def process(self, program: str, **values: Any) -> subprocess.Popen[bytes]:
        """A worker in a process of its own; `program` names a function of `workers.py`."""
        url = self.platform.url("eco_orchestrator")
        root = Path(__file__).parents[3]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.kernel.durable.workers", program, json.dumps(values)], cwd=root,
            env=os.environ | {"DATABASE_URL": url, "PYTHONPATH": f"{root / 'src'}:{root}"}, stdin=subprocess.PIPE,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def marks(self) -> list[str]:
        """What steps left behind, in their order."""
        return [mark for (mark,) in self.platform.rows("select mark from orchestrator.marks order by number")]

    async def until_marked(self, mark: str) -> None:
        async def look() -> bool:
            return mark in self.marks()

        await eventually(look)


RETRY = {"kind": "exponential", "base_seconds": 0.05, "factor": 2, "max_seconds": 1}


@pytest.fixture(scope="session")
def marks_cluster(platform_cluster: PlatformCluster) -> Iterator[PlatformCluster]:
    with a_variant(platform_cluster, "eco_marks", lambda url: execute(url, MARKS)) as cluster:
        yield cluster


@pytest.fixture
async def platform(marks_cluster: PlatformCluster) -> AsyncIterator[Platform]:
    async with a_platform(marks_cluster) as platform:
        yield platform


@pytest.fixture
def tasks(platform: Platform) -> Iterator[Tasks]:
    database = platform.database(QUEUE)
    tasks = Tasks(platform, database, Durable(database, retry=RETRY))
    yield tasks
    for process in tasks.processes:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait(10)
