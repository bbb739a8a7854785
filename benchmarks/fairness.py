"""Fairness: a quiet company's p95 beside one that sends ten times its share, and what the loud one still gets.

Case `runs`: a worker with 16 places carries runs whose one step waits 400 ms; a company's share is half of the places.
The loud company keeps 80 runs outstanding, the quiet one starts one after the other. Case `requests`: the door of a
service lets 14 ordinary requests work at once, each waits 200 ms; the loud company keeps 70 outstanding. Work that
waits instead of computing keeps the machine itself out of the measurement: what is measured is whose turn it is.
Baseline: the quiet company alone. The loud one's part is that of the places that the quiet one leaves free.
"""

import asyncio
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from benchmarks._report import closing_line, rounds_from_command_line
from ecosystem.catalog import CATALOG
from ecosystem.kernel import context
from ecosystem.kernel.clock import SystemClock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.migrate import MigrationSet, migrate
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.durable.durable import Durable
from ecosystem.kernel.durable.task import TaskContext
from ecosystem.kernel.durable.worker import DurableWorker
from ecosystem.kernel.http.app import create_app
from ecosystem.kernel.http.door import Door, Guards
from ecosystem.kernel.http.health import Health
from ecosystem.kernel.http.server import HttpServer
from ecosystem.kernel.http.settings import HttpSettings
from ecosystem.kernel.telemetry import log
from ecosystem.kernel.testing.twins import NamedPrincipals, a_principal
from tests.support import engines

QUIET, LOUD = UUID(int=0xA), UUID(int=0xB)
BAR, SPARE_BAR = 1.5, 0.7
QUIET_TIMES = 20
RUN_PLACES, RUN_SECONDS = 16, 0.4
REQUEST_PLACES, REQUEST_SECONDS = 14, 0.2
Work = Callable[[UUID], Awaitable[None]]


def spread(seconds: float) -> float:
    """Half as long to half as long again, so that places become free one by one, as they do in life."""
    return seconds * random.uniform(0.5, 1.5)


class Loud:
    """Keeps `outstanding` pieces of work going until it is stopped, and counts what was done."""

    def __init__(self, work: Work, outstanding: int) -> None:
        self.done, self._work, self._stopped = 0, work, False
        self._tasks = [asyncio.create_task(self._go_on()) for _ in range(outstanding)]

    async def _go_on(self) -> None:
        while not self._stopped:
            await self._work(LOUD)
            self.done += 1

    async def stop(self) -> None:
        """Returns when what it had outstanding is done, so that nothing of it is left for the quiet one's turn."""
        self._stopped = True
        await asyncio.gather(*self._tasks)


async def p95_ms(work: Work) -> float:
    """Of the quiet company, one after the other."""
    found = []
    for _ in range(QUIET_TIMES):
        began = time.perf_counter()
        await work(QUIET)
        found.append((time.perf_counter() - began) * 1000)
    return statistics.quantiles(found, n=20)[18]


async def measure(case: str, work: Work, rounds: int, *, places: int, seconds_each: float) -> bool:
    share = places // 2
    figures, parts = [], []
    await work(QUIET)
    for number in range(rounds):
        one: dict[str, float] = {}
        for which in ("ours", "baseline") if number % 2 else ("baseline", "ours"):
            if which == "baseline":
                one[which] = await p95_ms(work)
                continue
            loud = Loud(work, 10 * share)
            await asyncio.sleep(2 * seconds_each)
            before, began = loud.done, time.perf_counter()
            one[which] = await p95_ms(work)
            rate = (loud.done - before) / (time.perf_counter() - began)
            # The quiet company fills one place all the time; what the others could do is the spare capacity.
            parts.append(rate / ((places - 1) / seconds_each))
            await loud.stop()
        figures.append(one)
    part = round(statistics.median(parts), 3)
    settings = {"places": places, "seconds_each": seconds_each, "share": share, "outstanding": 10 * share}
    held = closing_line(
        "fairness", case, "ms p95", "lower", figures, BAR, settings, loud_part_of_spare=part, spare_bar=SPARE_BAR
    )
    print(f"{case}: the loud company got {part:.0%} of the spare capacity (at least {SPARE_BAR:.0%})")
    return held and part >= SPARE_BAR


@asynccontextmanager
async def runs(url: str) -> AsyncIterator[Work]:
    database, stop = Database(DatabaseSettings(url=SecretStr(url)), "orchestrator"), asyncio.Event()
    ended: defaultdict[UUID, asyncio.Event] = defaultdict(asyncio.Event)

    async def handler(task: TaskContext) -> None:
        await task.step("wait", lambda: SystemClock().sleep(spread(RUN_SECONDS)))
        ended[task.task_id].set()

    durable = Durable(database)
    worker = DurableWorker(database, "orchestrator", {"wait": handler}, concurrency=RUN_PLACES)
    running = asyncio.create_task(worker.run(stop))

    async def work(company: UUID) -> None:
        with context.scope(company_id=company):
            task_id = await database.run(lambda: durable.start("orchestrator", "wait", {}))
            await ended[task_id].wait()

    try:
        yield work
    finally:
        stop.set()
        await running
        await database.close()


@asynccontextmanager
async def requests() -> AsyncIterator[Work]:
    routes, verifier = APIRouter(), NamedPrincipals()
    verifier.principals.update({company.hex: a_principal(company) for company in (QUIET, LOUD)})

    @routes.get("/work")
    async def wait() -> PlainTextResponse:
        await asyncio.sleep(spread(REQUEST_SECONDS))
        return PlainTextResponse("done")

    health = Health("fairness", "1", "i", SystemClock().now(), state="ready")
    settings = HttpSettings()
    door = Door(create_app("fairness", "1", [routes]), Guards(verifier), health, settings=settings)
    server = HttpServer(door, settings, context=None)
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    port = await server.start()
    address = f"http://127.0.0.1:{port}"
    # A client for each, as companies have: in one pool the quiet one waits for a connection behind the loud one.
    async with (
        httpx.AsyncClient(base_url=address) as quiet,
        httpx.AsyncClient(base_url=address, limits=limits) as loud,
    ):

        async def work(company: UUID) -> None:
            client, headers = quiet if company == QUIET else loud, {"authorization": f"Bearer {company.hex}"}
            answer = await client.get("/work", headers=headers)
            while answer.status_code in (429, 503):
                await asyncio.sleep(float(answer.headers["retry-after"]))
                answer = await client.get("/work", headers=headers)

        yield work
    await server.stop(1)


async def _measure_all(url: str, rounds: int) -> bool:
    async with runs(url) as work:
        held = await measure("runs", work, rounds, places=RUN_PLACES, seconds_each=RUN_SECONDS)
    async with requests() as work:
        return await measure("requests", work, rounds, places=REQUEST_PLACES, seconds_each=REQUEST_SECONDS) and held


def main() -> int:
    rounds = rounds_from_command_line(__doc__ or "")
    log.configure("benchmark", level="warning")
    with engines.short_folder("fair") as folder, engines.postgres(folder) as engine:
        sets = [MigrationSet(entry.name, entry.schema, entry.migrations) for entry in CATALOG]
        migrate(engine.admin_url, sets, password_of=engine.password_of)
        password = engine.password_of("eco_orchestrator")
        url = make_conninfo(engine.admin_url, user="eco_orchestrator", password=password)
        return 0 if asyncio.run(_measure_all(url, rounds)) else 1


if __name__ == "__main__":
    sys.exit(main())
