"""The consuming process of `benchmarks.events`: one replica, its handler does one INSERT; slow work on command.

Lines on standard input: `busy` starts a 30 s job in a sandbox worker, `idle` ends it; each is answered by `ok`.
"""

import asyncio
import contextlib
import os
import sys
import time

from pydantic import SecretStr

from benchmarks._slow_work import spin
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.event import Envelope, Event
from ecosystem.kernel.messaging.runner import ConsumerRunner
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.kernel.sandbox.settings import SandboxSettings

JOB_SECONDS = 30.0


class Measured(Event, event_type="benchmark_measured", subject="subject_id"):
    """`sent_us`: wall clock in microseconds, taken just before the unit of work that appends it."""

    subject_id: str
    round: str
    sent_us: int


async def main() -> None:
    database = Database(DatabaseSettings(url=SecretStr(os.environ["BENCHMARK_URL"])), "events")

    async def handle(envelope: Envelope) -> None:
        data = envelope.data
        late_us = time.time_ns() // 1000 - data["sent_us"]
        await (await driver(database)).execute(
            "insert into effects (company_id, event_id, round, late_us) values (%s, %s, %s, %s)",
            (envelope.company_id, envelope.id, data["round"], late_us),
        )

    stop = asyncio.Event()
    runner = ConsumerRunner(database, Consumer("benchmark", {Measured: handle}))
    running = asyncio.create_task(runner.run(stop))
    sandbox = Sandbox(SandboxSettings())
    job: asyncio.Task[object] | None = None
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        if line == b"busy\n":
            target = f"{spin.__module__}:{spin.__name__}"
            job = asyncio.create_task(
                sandbox.run(target, b"", {"seconds": JOB_SECONDS}, timeout_seconds=JOB_SECONDS + 5)
            )
            await asyncio.sleep(0.3)
            if job.done():
                job.result()
        elif job is not None:
            job.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await job
        sys.stdout.write("ok\n")
        sys.stdout.flush()
    stop.set()
    await running
    await database.close()


if __name__ == "__main__":
    asyncio.run(main())
