"""Agent calls: everything the kernel does for one, beside a bare grpc.aio unary call with the same mTLS and payload.

`reading`: no database in it. `effect`: the task's INSERT, its recorded answer and COMMIT, against a bare call whose
handler does the same INSERT and COMMIT through the same pool and session. Client and server are two processes; the
server writes its log lines to a file and its spans (10 %) as OTLP, as in production. Medians of one call at a time;
throughput with 16 in flight is printed beside.
"""

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from psycopg.conninfo import make_conninfo

from benchmarks._agent_server import AGENTS, CALLER, COMPANY, ECHO, INSERT, SCHEMA, SERVICE, Read, Write
from benchmarks._report import closing_line, rounds_from_command_line
from ecosystem.catalog import CATALOG
from ecosystem.kernel import context
from ecosystem.kernel.agent.client import AgentClient
from ecosystem.kernel.agent.transport import GrpcTransport
from ecosystem.kernel.db.migrate import MigrationSet, migrate
from ecosystem.kernel.identity.authority import Authority
from ecosystem.kernel.testing.twins import MemoryInstance, MemoryRegistry, an_identity
from tests.support import engines

CALLS, WARM_UP, IN_FLIGHT = 250, 200, 16
READING_BAR, EFFECT_BAR = 1.6, 1.5
PAGES = tuple(f"page {number} " + "x" * 60 for number in range(8))
TABLE = """
set role eco_owner;
create table events.bench_rows (company_id uuid not null, request_id text not null, body text not null);
grant select, insert on events.bench_rows to eco_events;
select kernel.fence('events.bench_rows'::regclass);
"""

One = Callable[[], Awaitable[object]]


@contextlib.contextmanager
def a_server(folder: Path, engine: engines.PostgresEngine) -> Iterator[dict[str, int]]:
    url = make_conninfo(engine.admin_url, user=f"eco_{SCHEMA}", password=engine.password_of(f"eco_{SCHEMA}"))
    command = (sys.executable, "-m", "benchmarks._agent_server", json.dumps({"folder": str(folder), "url": url}))
    environment = dict(os.environ) | {"GRPC_VERBOSITY": "NONE"}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.PIPE, env=environment)
        try:
            assert process.stderr
            yield json.loads(process.stderr.readline())
        finally:
            process.terminate()
            process.wait(10)


async def latency(one: One) -> float:
    """Median seconds of `CALLS` calls, one at a time."""
    took = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await one()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


async def throughput(one: One) -> float:
    """Calls a second with `IN_FLIGHT` at once."""
    began = time.perf_counter()

    async def some() -> None:
        for _ in range(CALLS // IN_FLIGHT * 2):
            await one()

    await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))
    return CALLS // IN_FLIGHT * 2 * IN_FLIGHT / (time.perf_counter() - began)


async def case(name: str, rounds: int, ours: One, baseline: One, bar: float, settings: dict[str, object]) -> bool:
    """Interleaved rounds; who goes first alternates, so that neither has the warmer machine."""
    found: list[dict[str, float]] = []
    speed: dict[str, list[float]] = {"ours": [], "baseline": []}
    for warm in (ours, baseline):
        for _ in range(WARM_UP):
            await warm()
    for number in range(rounds):
        pair = [("ours", ours), ("baseline", baseline)]
        measured = {side: await latency(one) for side, one in (pair if number % 2 else reversed(pair))}
        found.append(measured)
        for side, one in pair:
            speed[side].append(await throughput(one))
    calls = {side: round(statistics.median(values)) for side, values in speed.items()}
    print(f"{name}: calls/s with {IN_FLIGHT} in flight: {calls['ours']}, baseline {calls['baseline']}", flush=True)
    return closing_line(
        "agent_call", name, "seconds", "lower", found, bar, settings, calls_per_second=calls,
        throughput_ratio=round(calls["ours"] / calls["baseline"], 3),
    )  # fmt: skip


async def measure(folder: Path, ports: dict[str, int], rounds: int, settings: dict[str, object]) -> bool:
    identity = an_identity(Authority.open(folder / "authority"), folder, CALLER)
    registry = MemoryRegistry({SERVICE: [MemoryInstance("one", grpc_port=ports["agents"])]})
    transport = GrpcTransport(registry, identity)
    client = AgentClient(AGENTS, transport)
    read, write = Read(document_id="d" * 36, pages=PAGES), Write(document_id="d" * 36, pages=PAGES)
    payload = read.model_dump_json().encode()
    channel = identity.grpc_channel(f"127.0.0.1:{ports['bare']}", SERVICE)
    echo: Any = channel.unary_unary(ECHO)
    insert: Any = channel.unary_unary(INSERT)

    with context.scope(company_id=COMPANY, user_id="bench"):
        settings = settings | {"payload_bytes": len(payload), "mtls": True, "loop": "uvloop"}
        reading = await case(
            "reading", rounds, lambda: client.call(read, to="measured-agent", sender="calling-agent"),
            lambda: echo(payload, timeout=5), READING_BAR, settings,
        )  # fmt: skip
        effect = await case(
            "effect", rounds, lambda: client.call(write, to="measured-agent", sender="calling-agent"),
            lambda: insert(payload, timeout=5), EFFECT_BAR, settings,
        )  # fmt: skip
    await transport.close()
    await channel.close()
    return reading and effect


def main() -> int:
    rounds = rounds_from_command_line(__doc__ or "")
    os.environ["GRPC_VERBOSITY"] = "NONE"
    with engines.short_folder("pg") as home, engines.postgres(home) as engine:
        migrate(
            engine.admin_url, [MigrationSet(item.name, item.schema, item.migrations) for item in CATALOG],
            password_of=engine.password_of,
        )  # fmt: skip
        with psycopg.connect(engine.admin_url, autocommit=True) as admin:
            admin.execute(TABLE)
            wanted = "select name, setting from pg_settings where name in ('fsync', 'synchronous_commit')"
            settings: dict[str, object] = dict(admin.execute(wanted).fetchall())
        folder = home / "bench"
        folder.mkdir()
        an_identity(Authority.open(folder / "authority"), folder, SERVICE)
        with a_server(folder, engine) as ports:
            return 0 if uvloop.run(measure(folder, ports, rounds, settings)) else 1


if __name__ == "__main__":
    sys.exit(main())
