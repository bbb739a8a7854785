"""Events: append → handled, beside INSERT+COMMIT of the same rows by the same writers; and beside slow work.

Throughput: 4 writers, one commit an event, a consumer in a process of its own (one INSERT by the handler, inbox and
cursor on); from the first append to the last effect. Baseline: the same writers, session and rows into a plain table.
Latency: 50 events a second, from just before the unit of work that appends to the handler; p95, idle against a 30 s
job in a sandbox worker of the consumer's process. PostgreSQL with fsync and synchronous_commit.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from benchmarks._events_consumer import Measured
from benchmarks._report import closing_line, rounds_from_command_line
from ecosystem.catalog import CATALOG
from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.migrate import MigrationSet, migrate
from ecosystem.kernel.db.raw import driver
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.ids import SystemIds
from ecosystem.kernel.messaging.outbox import Outbox
from tests.support import engines

COMPANY = UUID(int=0xBE)
WRITERS, EVENTS, SUBJECTS = 4, 800, 97
PACED, PACE_SECONDS = 100, 0.02
THROUGHPUT_BAR, LATENCY_BAR = 0.5, 1.5

TABLES = """
set role eco_owner;
create table events.effects (
  company_id uuid not null, event_id uuid not null, round text not null, late_us bigint not null
);
create table events.plain (
  id bigint generated always as identity primary key, event_id uuid not null, type text not null,
  source text not null, subject text not null, company_id uuid not null, time timestamptz not null, trace_id text,
  user_id text, data jsonb not null, recorded_at timestamptz not null default clock_timestamp()
);
grant select, insert on events.effects, events.plain to eco_events;
select kernel.fence('events.effects'::regclass), kernel.fence('events.plain'::regclass);
"""


class Bench:
    def __init__(self, engine: engines.PostgresEngine, database: Database, consumer: subprocess.Popen[str]) -> None:
        self.admin = psycopg.connect(engine.admin_url, autocommit=True)
        self.database, self.consumer = database, consumer
        self.outbox, self.ids = Outbox(database, source="events-service"), SystemIds()
        self.settings: dict[str, Any] = dict(self.admin.execute(
            "select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'server_version')"
        ).fetchall())  # fmt: skip

    async def append(self, name: str, number: int) -> None:
        event = Measured(subject_id=f"s{number % SUBJECTS}", round=name, sent_us=time.time_ns() // 1000)
        await self.database.run(lambda: self.outbox.add(event))

    async def insert(self, name: str, number: int) -> None:
        event = Measured(subject_id=f"s{number % SUBJECTS}", round=name, sent_us=time.time_ns() // 1000)
        event_id, data = self.ids.uuid(), event.model_dump_json()

        async def work() -> None:
            await (await driver(self.database)).execute(
                "insert into plain (event_id, type, source, subject, company_id, time, trace_id, user_id, data)"
                " values (%s, %s, %s, %s, %s, clock_timestamp(), %s, %s, %s::text::jsonb)",
                (event_id, event.event_type, "events-service", event.subject, COMPANY, None, None, data),
            )

        await self.database.run(work)

    async def write_all(self, name: str, write: Callable[[str, int], Awaitable[None]]) -> None:
        numbers = iter(range(EVENTS))

        async def writer() -> None:
            for number in numbers:
                await write(name, number)

        await asyncio.gather(*(writer() for _ in range(WRITERS)))

    async def handled(self, name: str, wanted: int) -> None:
        end = time.monotonic() + 60
        while self.effects(name) < wanted:
            if time.monotonic() > end:
                sys.exit(f"lost: {self.effects(name)} of {wanted} after 60 s")
            await asyncio.sleep(0.005)

    def effects(self, name: str) -> int:
        row: Any = self.admin.execute("select count(*) from events.effects where round = %s", (name,)).fetchone()
        return int(row[0])

    async def throughput(self, number: int) -> dict[str, float]:
        """Events a second, in alternating order."""
        found: dict[str, float] = {}
        for which in ("ours", "baseline") if number % 2 else ("baseline", "ours"):
            name, began = f"{which}-{number}", time.perf_counter()
            if which == "ours":
                await self.write_all(name, self.append)
                await self.handled(name, EVENTS)
            else:
                await self.write_all(name, self.insert)
            found[which] = EVENTS / (time.perf_counter() - began)
        return found

    async def latency(self, number: int) -> dict[str, float]:
        """p95 in milliseconds, with and without slow work beside."""
        found: dict[str, float] = {}
        for which in ("ours", "baseline") if number % 2 else ("baseline", "ours"):
            if which == "ours":
                self.tell("busy")
            name = f"late-{which}-{number}"
            for event in range(PACED):
                began = time.monotonic()
                await self.append(name, event)
                await asyncio.sleep(max(0.0, PACE_SECONDS - (time.monotonic() - began)))
            await self.handled(name, PACED)
            if which == "ours":
                self.tell("idle")
            rows = self.admin.execute("select late_us from events.effects where round = %s", (name,)).fetchall()
            found[which] = statistics.quantiles([row[0] for row in rows], n=20)[18] / 1000
        return found

    def tell(self, what: str) -> None:
        assert self.consumer.stdin
        assert self.consumer.stdout
        self.consumer.stdin.write(f"{what}\n")
        self.consumer.stdin.flush()
        if self.consumer.stdout.readline() != "ok\n":
            sys.exit("the consumer did not answer")

    def counted(self, prefix: str) -> dict[str, int]:
        """Appended against effects, by id: what is lost and what is doubled."""
        row: Any = self.admin.execute(
            "select count(*) filter (where e.n is null), count(*) filter (where e.n > 1), count(*) from kernel.log l"
            " left join (select event_id, count(*) n from events.effects group by event_id) e using (event_id)"
            " where l.data->>'round' like %s", (f"{prefix}%",),
        ).fetchone()  # fmt: skip
        return {"lost": row[0], "doubled": row[1], "appended": row[2]}


async def measure(bench: Bench, rounds: int) -> bool:
    with context.scope(company_id=COMPANY):
        for warm_up in (bench.append, bench.insert):
            await bench.write_all("warm-up", warm_up)
        await bench.handled("warm-up", EVENTS)
        ratios = [await bench.throughput(number) for number in range(rounds)]
        counted = bench.counted("ours")
        clean = counted["lost"] == counted["doubled"] == 0
        settings = bench.settings | {"writers": WRITERS, "events_per_round": EVENTS}
        held = closing_line(
            "events", "throughput", "events/s", "higher", ratios, THROUGHPUT_BAR, settings, counted=counted
        )
        print(f"counted: {counted}; {'none lost, none doubled' if clean else 'LOST OR DOUBLED'}")
        latencies = [await bench.latency(number) for number in range(rounds)]
        counted = bench.counted("late")
        settings = bench.settings | {"events_per_second": 1 / PACE_SECONDS, "sandbox_job_seconds": 30}
        held &= closing_line(
            "events", "beside_slow_work", "ms p95", "lower", latencies, LATENCY_BAR, settings, counted=counted
        )
    return held and clean and counted["lost"] == counted["doubled"] == 0


def main() -> int:
    rounds = rounds_from_command_line(__doc__ or "")
    with engines.short_folder("bench") as folder, engines.postgres(folder) as engine:
        sets = [MigrationSet(entry.name, entry.schema, entry.migrations) for entry in CATALOG]
        migrate(engine.admin_url, sets, password_of=engine.password_of)
        with psycopg.connect(engine.admin_url, autocommit=True) as admin:
            admin.execute(TABLES)
        url = make_conninfo(engine.admin_url, user="eco_events", password=engine.password_of("eco_events"))
        consumer = subprocess.Popen(
            [sys.executable, "-m", "benchmarks._events_consumer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, cwd=Path(__file__).parents[1], env=os.environ | {"BENCHMARK_URL": url},
        )  # fmt: skip
        try:
            return 0 if asyncio.run(_run(engine, url, consumer, rounds)) else 1
        finally:
            consumer.kill()
            consumer.wait()


async def _run(engine: engines.PostgresEngine, url: str, consumer: subprocess.Popen[str], rounds: int) -> bool:
    database = Database(DatabaseSettings(url=SecretStr(url), pool_size=WRITERS), "events")
    try:
        return await measure(Bench(engine, database, consumer), rounds)
    finally:
        await database.close()


if __name__ == "__main__":
    sys.exit(main())
