"""Recovery: 1,000 durable runs while worker processes are killed, against the same undisturbed.

A run has 10 steps of 100 ms, each with one effect in the database. Four worker processes carry four runs each, with the
settings that ship (lease 10 s). They are forked by a server that has imported everything, as the platform's zygote
does, and replaced at once. PostgreSQL with fsync.

The 1,000 runs are seven pieces of 143, each side some 9 s a piece and 65 s in all, instead of seven times 65 s: sides
close in time meet the same noise, and a piece is the harder test, because each has an end at which the last killed run
is waited for. Three SIGKILLs in each disturbed piece, 21 in all, at its quarters, each at a worker chosen by the seed.

Counted at the end: each run completed once, each effect there once. `taken_over_seconds`: from a kill until the last
of its runs was given to others.
"""

import asyncio
import multiprocessing
import random
import statistics
import sys
import time
from datetime import UTC, datetime
from multiprocessing.context import ForkServerProcess
from typing import Any
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from benchmarks._recovery_worker import END, LEASE_SECONDS, QUEUE, RUNS_AT_ONCE, STEP_SECONDS, STEPS, TASK, work
from benchmarks._report import closing_line, rounds_from_command_line
from ecosystem.catalog import CATALOG
from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.migrate import MigrationSet, migrate
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.durable.durable import Durable
from tests.support import engines

COMPANY = UUID(int=0xBE)
WORKERS, RUNS, KILLS, SEED = 4, 143, 3, 7
PIECE_SECONDS = RUNS * STEPS * STEP_SECONDS / (WORKERS * RUNS_AT_ONCE)
PIECE_SECONDS_MAX = 120.0
BAR = 1.5

TABLES = """
set role eco_owner;
create table orchestrator.effects (company_id uuid not null, task_id uuid not null, step text not null);
grant select, insert on orchestrator.effects to eco_orchestrator;
select kernel.fence('orchestrator.effects'::regclass);
"""


class Workers:
    """Four processes, each replaced as soon as it has ended."""

    def __init__(self, url: str) -> None:
        self._url, self._forks = url, multiprocessing.get_context("forkserver")
        self._forks.set_forkserver_preload(["benchmarks.recovery"])
        self._processes = [self._begin() for _ in range(WORKERS)]

    def _begin(self) -> ForkServerProcess:
        process = self._forks.Process(target=work, args=(self._url,))
        process.start()
        return process

    def kill(self, number: int) -> None:
        self._processes[number].kill()
        self._processes[number].join()
        self._processes[number] = self._begin()

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.join()


class Bench:
    def __init__(self, admin_url: str, database: Database, workers: Workers) -> None:
        self.admin = psycopg.connect(admin_url, autocommit=True)
        self.database, self.durable, self.workers = database, Durable(database), workers
        self.victims = random.Random(SEED)
        self.killed_at: list[datetime] = []

    def number(self, statement: str, *values: Any) -> int:
        row: Any = self.admin.execute(statement, values).fetchone()
        return int(row[0])

    async def all_work(self) -> None:
        """Wait until as many workers as there should be show their sign of life, and no others."""
        held = "select count(*) from pg_locks where locktype = 'advisory' and classid = hashtext('eco.worker')::oid"
        async with asyncio.timeout(30):
            while self.number(held) != WORKERS:  # noqa: ASYNC110 the database says it, no event
                await asyncio.sleep(0.01)

    async def piece(self, *, disturbed: bool) -> float:
        """Seconds from the start of the runs until the last has ended."""
        await self.all_work()
        began = time.perf_counter()

        async def start() -> None:
            for _ in range(RUNS):
                await self.durable.start(QUEUE, TASK, {})

        await self.database.run(start)
        killing = asyncio.create_task(self.kills() if disturbed else asyncio.sleep(0))
        left = "select count(*) from absurd.t_orchestrator where state not in ('completed', 'failed')"
        async with asyncio.timeout(PIECE_SECONDS_MAX):
            while self.number(left):  # noqa: ASYNC110 the database says it, no event
                await asyncio.sleep(0.02)
        seconds = time.perf_counter() - began
        await killing
        return seconds

    async def kills(self) -> None:
        for _ in range(KILLS):
            await asyncio.sleep(PIECE_SECONDS / (KILLS + 1))
            self.killed_at.append(datetime.now(UTC))
            self.workers.kill(self.victims.randrange(WORKERS))

    def counted(self, pieces: int) -> dict[str, int]:
        """`lost` and `doubled` are effects of steps and ends of runs."""
        wanted = pieces * RUNS
        each = (
            "with wanted as (select task_id, s.step from absurd.t_orchestrator, unnest(%s::text[]) s (step)),"
            " found as (select task_id, step, count(*) n from orchestrator.effects group by 1, 2)"
            " select count(*) from wanted full join found using (task_id, step) where "
        )
        steps = [*(f"step-{number}" for number in range(STEPS)), END]
        return {
            "runs": wanted, "killed": len(self.killed_at),
            "completed": self.number("select count(*) from absurd.t_orchestrator where state = 'completed'"),
            "lost": self.number(f"{each} n is null", steps), "doubled": self.number(f"{each} n > 1", steps),
        }  # fmt: skip

    def taken_over_seconds(self) -> list[float]:
        """For each kill, until the last run of the dead worker was failed over."""
        found = []
        for killed_at, following in zip(self.killed_at, [*self.killed_at[1:], datetime.now(UTC)], strict=True):
            row: Any = self.admin.execute(
                "select extract(epoch from max(failed_at) - %s) from absurd.r_orchestrator"
                " where failure_reason->>'code' in ('worker_died', 'lease_expired') and failed_at between %s and %s",
                (killed_at, killed_at, following),
            ).fetchone()
            found += [] if row[0] is None else [float(row[0])]
        return found


async def measure(bench: Bench, rounds: int) -> bool:
    found: list[dict[str, float]] = []
    with context.scope(company_id=COMPANY):
        await bench.piece(disturbed=False)
        for number in range(rounds):
            sides = {"ours": True, "baseline": False} if number % 2 else {"baseline": False, "ours": True}
            found.append({side: await bench.piece(disturbed=disturbed) for side, disturbed in sides.items()})
            print(f"round {number + 1}: {found[-1]}", file=sys.stderr)
    counted, taken_over = bench.counted(1 + 2 * rounds), bench.taken_over_seconds()
    settings = {
        "workers": WORKERS, "runs_at_once": RUNS_AT_ONCE, "runs_per_round": RUNS, "steps": STEPS, "step_seconds":
        STEP_SECONDS, "kills_per_round": KILLS, "lease_seconds": LEASE_SECONDS, "seed": SEED, "fsync": True,
    }  # fmt: skip
    late = {"median": round(statistics.median(taken_over), 2), "max": round(max(taken_over), 2)} if taken_over else {}
    held = closing_line(
        "recovery", "killed_workers", "s", "lower", found, BAR, settings, counted=counted, taken_over_seconds=late
    )
    clean = counted["lost"] == counted["doubled"] == 0 and counted["completed"] == counted["runs"]
    print(f"counted: {counted}; {'none lost, none doubled' if clean else 'LOST OR DOUBLED'}")
    return held and clean


def main() -> int:
    rounds = rounds_from_command_line(__doc__ or "")
    with engines.short_folder("recovery") as folder, engines.postgres(folder) as engine:
        sets = [MigrationSet(entry.name, entry.schema, entry.migrations) for entry in CATALOG]
        migrate(engine.admin_url, sets, password_of=engine.password_of)
        with psycopg.connect(engine.admin_url, autocommit=True) as admin:
            admin.execute(TABLES)
        url = make_conninfo(engine.admin_url, user=f"eco_{QUEUE}", password=engine.password_of(f"eco_{QUEUE}"))
        workers = Workers(url)
        try:
            return 0 if asyncio.run(_run(engine.admin_url, url, workers, rounds)) else 1
        finally:
            workers.end()


async def _run(admin_url: str, url: str, workers: Workers, rounds: int) -> bool:
    database = Database(DatabaseSettings(url=SecretStr(url)), QUEUE)
    try:
        return await measure(Bench(admin_url, database, workers), rounds)
    finally:
        await database.close()


if __name__ == "__main__":
    sys.exit(main())
