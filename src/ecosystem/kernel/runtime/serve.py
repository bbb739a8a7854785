"""`serve(...)`: a service as a process, from its settings to its exit code."""

import asyncio
import gc
import os
import signal
from contextlib import suppress
from typing import Protocol

import setproctitle
import uvloop

from ecosystem import __version__
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.runtime.process import Plan, Process
from ecosystem.kernel.runtime.service import Build
from ecosystem.kernel.runtime.settings import RuntimeSettings
from ecosystem.kernel.runtime.watching import ParentLine
from ecosystem.kernel.settings import Source
from ecosystem.kernel.telemetry import log as logging
from ecosystem.kernel.telemetry import tracing
from ecosystem.kernel.telemetry.export import SpanFile
from ecosystem.kernel.telemetry.log import log
from ecosystem.kernel.telemetry.settings import TelemetrySettings

EXIT_FAILED, EXIT_REFUSED = 1, 78  # 78: EX_CONFIG of sysexits.h, trying again will not help
_SETTLED_SECONDS = 5.0


class Entry(Protocol):
    """What is needed of an entry of the catalog."""

    @property
    def name(self) -> str: ...
    @property
    def schema(self) -> str: ...
    @property
    def needs(self) -> tuple[str, ...]: ...
    @property
    def backup_of(self) -> str | None: ...


def serve(entry: Entry, build: Build, source: Source, *, contracts: ContractIndex, ready_fd: int | None = None) -> int:
    """Run until SIGTERM or SIGINT; the exit code: 0 after a stop that was asked for, 78 for refused settings, else 1.

    `ready_fd` gets one JSON line at each change: {"state": starting, ready, degraded, draining or stopped, "reason",
    "instance_id", "host", "http_port", "grpc_port", "plain_port"}. A second signal skips the wait of the drain.
    """
    # gRPC itself writes to standard error, and not in our lines; it reads this when it is first used.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    parent = ParentLine(ready_fd)
    try:
        telemetry = source.get(TelemetrySettings)
        logging.configure(entry.name, level=telemetry.level)
        runtime = source.get(RuntimeSettings)
        setproctitle.setproctitle(f"ecosystem {entry.name}")
        spans = SpanFile(telemetry, f"{entry.name}-{runtime.instance_id or 'alone'}")
        tracing.configure(entry.name, __version__, spans, ratio=telemetry.traces_ratio)
        plan = Plan(
            entry.name,
            entry.schema,
            entry.needs,
            __version__,
            source,
            contracts,
            agents_alone=entry.backup_of is not None,
        )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(plan, build, parent, spans))
    except EcosystemError as error:
        log.error("service refused to start", exc_info=error)
        parent.say("failed", error.message)
        return EXIT_FAILED if error.retryable else EXIT_REFUSED
    except Exception as error:
        log.error("service failed", exc_info=error)
        parent.say("failed", type(error).__name__)
        return EXIT_FAILED


async def _run(plan: Plan, build: Build, parent: ParentLine, spans: SpanFile) -> int:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    process = Process(plan, build, parent, spans)

    def signalled() -> None:
        if stop.is_set():
            process.drain_now.set()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    try:
        await process.start(stop)
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLED_SECONDS):
                await stop.wait()
        # What start made lives as long as the process: the collector need not look at it again. Later than at once,
        # for then the other services of a start need the machine.
        gc.collect()
        gc.freeze()
        await stop.wait()
    finally:
        await process.stop()
    return 0
