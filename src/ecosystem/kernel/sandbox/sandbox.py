"""Run a function over a customer's bytes in a worker that can do nothing but compute.

Each job gets a worker of its own, which was forked and locked before the job came, so that a job costs little more
than its work; the next one is forked while this one works.
"""

import asyncio
import math
import socket
from collections.abc import Mapping
from typing import Any

import orjson

from ecosystem.kernel import context
from ecosystem.kernel.sandbox.errors import (
    SandboxCrash,
    SandboxMemory,
    SandboxOutput,
    SandboxRaised,
    SandboxTimeout,
    SandboxUnavailable,
)
from ecosystem.kernel.sandbox.lane import Lane, LaneLimits
from ecosystem.kernel.sandbox.settings import SandboxSettings
from ecosystem.kernel.sandbox.shared import SharedBytes
from ecosystem.kernel.sandbox.spawning import Worker
from ecosystem.kernel.sandbox.worker import BEGUN, HEADER
from ecosystem.kernel.telemetry.metrics import METRICS

_READ_BYTES = 1 << 18
_STARTS_MAX = 3


class _NeverBegan(Exception):
    """The worker died before it took the job, so that another may have it."""


class Sandbox:
    """`await sandbox.run("package.module:function", payload, {"name": value})`.

    The function is called as `function(payload: bytes, **arguments)` and answers with JSON-ready values. Its module
    is imported before the worker is locked; a `prepare_sandbox()` in it is called then, to load what would otherwise
    be loaded lazily, because a worker cannot open files.
    """

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self._settings = settings = settings or SandboxSettings()
        self._quick = Lane(
            LaneLimits(
                settings.workers_max, settings.workers_warm, settings.waiting_max, settings.start_timeout_seconds,
                settings.niceness,
            )
        )  # fmt: skip
        self._heavy = Lane(
            LaneLimits(
                settings.heavy_workers_max, 0, settings.waiting_max, settings.heavy_start_timeout_seconds,
                settings.heavy_niceness, settings.heavy_idle_seconds,
            )
        )  # fmt: skip

    async def run(
        self,
        target: str,
        payload: bytes | SharedBytes,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout_seconds: float | None = None,
        memory_bytes_max: int | None = None,
        output_bytes_max: int | None = None,
        heavy: bool = False,
    ) -> Any:
        """What the function answers. Limits default to the settings; the context's deadline shortens the time.

        `heavy`: the function's module loads much, or its work takes many seconds. Such jobs run in a lane of their
        own, few at once, and what they loaded is let go when none came for a while.

        Raises:
            SandboxTimeout, SandboxMemory, SandboxOutput: a limit was reached; the worker is gone.
            SandboxCrash: the worker died (a signal, a parser's crash) before it answered.
            SandboxRaised: the function raised.
            SandboxUnavailable: no worker could be had, or too many jobs wait.
        """
        context.refuse_in_unit_of_work("The sandbox")
        seconds = context.remaining_seconds(timeout_seconds or self._settings.timeout_seconds)
        job = {
            "target": target,
            "arguments": dict(arguments or {}),
            "memory_bytes_max": memory_bytes_max or self._settings.memory_bytes_max,
            "output_bytes_max": output_bytes_max or self._settings.output_bytes_max,
            "cpu_seconds": math.ceil(seconds) + 1,
        }
        lane = self._heavy if heavy else self._quick
        async with lane.place():
            for _ in range(_STARTS_MAX):
                worker = await lane.worker(frozenset({target.partition(":")[0]}))
                try:
                    return await self._work(worker, job, payload, seconds)
                except _NeverBegan:
                    continue
                finally:
                    worker.end()
            raise SandboxUnavailable("Workers died before they began.")

    async def warm(self, *modules: str) -> None:
        """Have workers ready that know `modules`. Raises SandboxUnavailable if there can be none."""
        await self._quick.warm(frozenset(modules))

    async def close(self) -> None:
        self._quick.close()
        self._heavy.close()

    async def lost(self) -> None:
        """Return when no spawner can be started from this process any more: only a new process can have one.

        A service that gave up its privileges may not be able to execute Python again.
        """
        waiting = [asyncio.ensure_future(lane.spawning.lost.wait()) for lane in (self._quick, self._heavy)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    @property
    def restarts(self) -> int:
        """How often a spawner was lost since the start."""
        return self._quick.spawning.restarts + self._heavy.spawning.restarts

    async def _work(self, worker: Worker, job: dict[str, Any], payload: bytes | SharedBytes, seconds: float) -> Any:
        begun = False
        try:
            async with asyncio.timeout(seconds):
                if isinstance(payload, SharedBytes):
                    await _send(worker.channel, job, payload)
                else:
                    with SharedBytes(payload) as shared:
                        await _send(worker.channel, job, shared)
                if await _read(worker.channel, 1) != BEGUN:
                    raise SandboxCrash
                begun = True
                answer = await _receive(worker.channel, job["output_bytes_max"])
                METRICS.sandbox_job_memory_bytes.labels(job["target"]).observe(answer.get("memory_bytes", 0))
        except TimeoutError:
            raise SandboxTimeout(f"Sandboxed work did not end within {seconds:.1f} seconds.") from None
        except (OSError, SandboxCrash):
            raise (SandboxCrash if begun else _NeverBegan) from None
        match answer.get("error"):
            case None:
                return answer["value"]
            case "memory":
                raise SandboxMemory
            case "output":
                raise SandboxOutput
            case _:
                raise SandboxRaised(error=str(answer.get("type", "unknown")))


async def _send(channel: socket.socket, job: dict[str, Any], payload: SharedBytes) -> None:
    body = orjson.dumps(job | {"payload_bytes": payload.size})
    socket.send_fds(channel, [HEADER.pack(len(body))], [payload.fileno()])
    await asyncio.get_running_loop().sock_sendall(channel, body)


async def _receive(channel: socket.socket, output_bytes_max: int) -> dict[str, Any]:
    """One framed answer. Raises SandboxOutput before more than the limit is held, SandboxCrash at an early end."""
    (size,) = HEADER.unpack(await _read(channel, HEADER.size))
    # The envelope of an answer is not counted.
    if size > output_bytes_max + 1024:
        raise SandboxOutput
    try:
        answer = orjson.loads(await _read(channel, size))
    except orjson.JSONDecodeError:
        raise SandboxCrash from None
    if not isinstance(answer, dict) or not ("value" in answer or "error" in answer):
        raise SandboxCrash
    return answer


async def _read(channel: socket.socket, size: int) -> bytes:
    loop, data = asyncio.get_running_loop(), bytearray()
    while len(data) < size:
        piece = await loop.sock_recv(channel, min(_READ_BYTES, size - len(data)))
        if not piece:
            raise SandboxCrash
        data += piece
    return bytes(data)
