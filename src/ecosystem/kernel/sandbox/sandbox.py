"""Run a function over a customer's bytes in a worker that can do nothing but compute.

Each job gets a worker of its own, which was forked and locked before the job came, so that a job costs little more
than its work. The next ones are forked a moment later, when the processors no longer serve what this job is part of.
"""

import asyncio
import math
import socket
from collections import deque
from collections.abc import Mapping
from typing import Any

import orjson

from ecosystem.kernel import context
from ecosystem.kernel.sandbox import seccomp
from ecosystem.kernel.sandbox.errors import (
    SandboxCrash,
    SandboxMemory,
    SandboxOutput,
    SandboxRaised,
    SandboxTimeout,
    SandboxUnavailable,
)
from ecosystem.kernel.sandbox.settings import SandboxSettings
from ecosystem.kernel.sandbox.shared import SharedBytes
from ecosystem.kernel.sandbox.spawning import Asked, Spawning, Worker
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
    be loaded lazily, because a worker cannot open files. A `rehearse_sandbox()` is called in each worker before its
    job comes, to touch the memory that the job will touch.
    """

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self._settings = settings or SandboxSettings()
        self._spawning = Spawning(self._settings.niceness)
        self._warm: deque[Asked] = deque()
        self._free = asyncio.Semaphore(self._settings.workers_max)
        self._waiting = 0
        self._rest: asyncio.TimerHandle | None = None
        self._filling: asyncio.TimerHandle | None = None

    async def run(
        self,
        target: str,
        payload: bytes | SharedBytes,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout_seconds: float | None = None,
        memory_bytes_max: int | None = None,
        output_bytes_max: int | None = None,
        memory_bytes_sure: int = 0,
    ) -> Any:
        """What the function answers. Limits default to the settings; the context's deadline shortens the time.

        `memory_bytes_sure` is what the job will take in any case: the worker gets it at once, which is cheaper than
        page by page.

        Raises:
            SandboxTimeout, SandboxMemory, SandboxOutput: a limit was reached; the worker is gone.
            SandboxCrash: the worker died (a signal, a parser's crash) before it answered.
            SandboxRaised: the function raised.
            SandboxUnavailable: no worker could be had, or too many jobs wait.
        """
        context.refuse_in_unit_of_work("The sandbox")
        if self._waiting >= self._settings.waiting_max:
            raise SandboxUnavailable(f"{self._waiting} jobs wait for the sandbox already.")
        seconds = context.remaining_seconds(timeout_seconds or self._settings.timeout_seconds)
        job = {
            "target": target,
            "arguments": dict(arguments or {}),
            "memory_bytes_max": memory_bytes_max or self._settings.memory_bytes_max,
            "output_bytes_max": output_bytes_max or self._settings.output_bytes_max,
            "memory_bytes_sure": memory_bytes_sure,
            "cpu_seconds": math.ceil(seconds) + 1,
        }
        self._waiting += 1
        self._stay()
        try:
            async with self._free:
                # The whole reserve dies with its spawner, and may not show it yet.
                for _ in range(self._settings.workers_warm + _STARTS_MAX):
                    worker = await self._worker(frozenset({target.partition(":")[0]}))
                    try:
                        return await self._work(worker, job, payload, seconds)
                    except _NeverBegan:
                        continue
                    finally:
                        worker.end()
                raise SandboxUnavailable("Workers died before they began.")
        finally:
            self._waiting -= 1
            if not self._waiting and not self._warm and self._settings.idle_seconds:
                self._rest = asyncio.get_running_loop().call_later(self._settings.idle_seconds, self._spawning.rest)

    def _stay(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    async def warm(self, *modules: str) -> None:
        """Have workers ready that know `modules`. Raises SandboxUnavailable if there can be none."""
        worker = await self._worker(frozenset(modules))
        ready: Asked = asyncio.get_running_loop().create_future()
        ready.set_result(worker)
        self._warm.appendleft(ready)

    async def close(self) -> None:
        self._stay()
        self._fill_no_more()
        while self._warm:
            _let_go(self._warm.popleft())
        self._spawning.close()

    async def lost(self) -> None:
        """Return when no spawner can be started from this process any more: only a new process can have one.

        A service that gave up its privileges may not be able to execute Python again.
        """
        await self._spawning.lost.wait()

    @property
    def restarts(self) -> int:
        """How often the spawner was lost since the start."""
        return self._spawning.restarts

    async def _worker(self, modules: frozenset[str]) -> Worker:
        """A living worker that knows `modules`, from the reserve where one stands there."""
        if not seccomp.supported():
            raise SandboxUnavailable(
                "The sandbox needs Linux on x86-64.", suggestion="Run this service on a Linux machine with x86-64."
            )
        try:
            async with asyncio.timeout(context.remaining_seconds(self._settings.start_timeout_seconds)):
                while self._warm:
                    asked = self._warm.popleft()
                    worker = await _arrival(asked)
                    if worker is not None and modules <= worker.modules and worker.alive:
                        break
                    _let_go(asked)
                else:
                    asked = self._spawning.ask(modules)
                    try:
                        worker = await asked
                    except asyncio.CancelledError:
                        _let_go(asked)
                        raise
        except TimeoutError:
            raise SandboxUnavailable("No worker stood ready in time.") from None
        # Only now: where one worker cannot be made, asking for more would go on for ever.
        self._keep_reserve(modules)
        return worker

    def _keep_reserve(self, modules: frozenset[str]) -> None:
        """Fill the reserve up: at once where it is empty, else when what took from it has had the processors."""
        if not self._warm:
            self._fill(modules)
        elif self._filling is None:
            loop = asyncio.get_running_loop()
            self._filling = loop.call_later(self._settings.reserve_pause_seconds, self._fill, modules)

    def _fill(self, modules: frozenset[str]) -> None:
        self._fill_no_more()
        while len(self._warm) < self._settings.workers_warm:
            self._warm.append(self._spawning.ask(modules))

    def _fill_no_more(self) -> None:
        if self._filling is not None:
            self._filling.cancel()
            self._filling = None

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


async def _arrival(asked: Asked) -> Worker | None:
    """The worker, or None where it could not be made: what failed for an earlier job need not fail for this one."""
    try:
        return await asked
    except SandboxUnavailable:
        return None
    except asyncio.CancelledError:
        _let_go(asked)
        raise


def _let_go(asked: Asked) -> None:
    """Give up a worker that was asked for, whether it stands ready or is still to come."""
    if not asked.done():
        asked.cancel()
    elif not asked.cancelled() and asked.exception() is None:
        asked.result().end()


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
