"""Run a function over a customer's bytes in a worker that can do nothing but compute.

Each job gets a worker of its own, which was forked and locked before the job came, so that a job costs little more
than its work. The next ones are forked a moment later, when the processors no longer serve what this job is part of.
"""

import asyncio
import math
import socket
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, TypedDict, Unpack

import orjson

from ecosystem.kernel import context
from ecosystem.kernel.errors import DeadlineExceeded
from ecosystem.kernel.sandbox import seccomp
from ecosystem.kernel.sandbox.errors import (
    SandboxCrash,
    SandboxMemory,
    SandboxOutput,
    SandboxRaised,
    SandboxTimeout,
    SandboxUnavailable,
)
from ecosystem.kernel.sandbox.places import Places
from ecosystem.kernel.sandbox.settings import SandboxSettings
from ecosystem.kernel.sandbox.shared import SharedBytes
from ecosystem.kernel.sandbox.spawning import Asked, Spawning, Worker
from ecosystem.kernel.sandbox.worker import BEGUN, HEADER
from ecosystem.kernel.telemetry.metrics import METRICS
from ecosystem.kernel.turns import Company

_READ_BYTES = 1 << 18
_STARTS_MAX = 3
# What is asked for at once may be as much as all that was had before: parsers double what they hold.
_MEMORY_SHARE = 0.4


class Limits(TypedDict, total=False):
    """Of one job. `memory_bytes_sure` is what it will take in any case: the worker gets that at once, which is cheaper
    than page by page. `network`: its worker may open connections and files. For our own code that speaks with the
    world and holds no customer's bytes; what it may connect to, it checks itself.
    """

    timeout_seconds: float
    memory_bytes_max: int
    output_bytes_max: int
    memory_bytes_sure: int
    network: bool


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
        self._places = Places(self._settings.workers_max)
        self._waiting = 0
        self._rest: asyncio.TimerHandle | None = None
        self._filling: asyncio.TimerHandle | None = None

    async def run(
        self, target: str, payload: bytes | SharedBytes, arguments: Mapping[str, Any] | None = None,
        **limits: Unpack[Limits],
    ) -> Any:  # fmt: skip
        """What the function answers. Limits default to the settings; the context's deadline shortens the time.

        Raises:
            SandboxTimeout, SandboxMemory, SandboxOutput: a limit was reached; the worker is gone.
            SandboxCrash: the worker died (a signal, a parser's crash) before it answered, and not for want of memory.
            SandboxRaised: the function raised.
            SandboxUnavailable: no worker could be had, or too many jobs wait.
            DeadlineExceeded: the context's deadline passed before the job's turn came.
        """
        async with aclosing(self.stages(target, payload, arguments, **limits)) as stages:
            return await anext(stages)

    async def stages(
        self, target: str, payload: bytes | SharedBytes, arguments: Mapping[str, Any] | None = None,
        **limits: Unpack[Limits],
    ) -> AsyncGenerator[Any, None]:  # fmt: skip
        """`run` for a generator function: each value as soon as it is there, from one worker, which goes on meanwhile.

        The time is for all of them together. `payload` may be closed after the first. Close the generator
        (`contextlib.aclosing`) to end the worker before its end. Raises as `run` does.
        """
        context.refuse_in_unit_of_work("The sandbox")
        if self._waiting >= self._settings.waiting_max:
            raise SandboxUnavailable(f"{self._waiting} jobs wait for the sandbox already.")
        self._waiting += 1
        self._stay()
        company = context.current().company_id
        try:
            await self._take_place(company)
            try:
                # Only now: the time before its turn is none of the job's, and all of its caller's.
                seconds = context.remaining_seconds(limits.get("timeout_seconds") or self._settings.timeout_seconds)
                job = {
                    "target": target,
                    "arguments": dict(arguments or {}),
                    "memory_bytes_max": limits.get("memory_bytes_max") or self._settings.memory_bytes_max,
                    "output_bytes_max": limits.get("output_bytes_max") or self._settings.output_bytes_max,
                    "memory_bytes_sure": limits.get("memory_bytes_sure", 0),
                    "cpu_seconds": math.ceil(seconds) + 1,
                    "network": limits.get("network", False),
                }
                async with aclosing(self._answers(job, payload, seconds)) as answers:
                    async for answer in answers:
                        yield answer
            finally:
                self._places.give_back(company)
        finally:
            self._waiting -= 1
            if not self._waiting and not self._warm and self._settings.idle_seconds:
                self._rest = asyncio.get_running_loop().call_later(self._settings.idle_seconds, self._spawning.rest)

    async def _take_place(self, company: Company) -> None:
        """Wait for a place, which the caller gives back. Raises DeadlineExceeded."""
        try:
            async with asyncio.timeout(context.remaining_seconds(math.inf)):
                await self._places.take(company)
        except TimeoutError:
            raise DeadlineExceeded from None

    async def _answers(
        self, job: dict[str, Any], payload: bytes | SharedBytes, seconds: float
    ) -> AsyncGenerator[Any, None]:  # fmt: skip
        tries_left, ends_at = 2, 0.0
        deadline = context.current().deadline or math.inf
        while tries_left:
            tries_left -= 1
            worker = await self._begun(job, payload, seconds)
            # From here: a worker that must first import what the job needs takes nothing of the job's time.
            ends_at = ends_at or min(asyncio.get_running_loop().time() + seconds, deadline)
            try:
                while "value" in (answer := await _answer(worker, job, ends_at)):
                    tries_left = 0
                    yield answer["value"]
                return
            except TimeoutError:
                raise SandboxTimeout(f"Sandboxed work did not end within {seconds:.1f} seconds.") from None
            except SandboxCrash:
                why = await self._why(worker, job, payload)
                # A worker that somebody killed says nothing about its job; a job that kills its worker does so twice.
                if not tries_left or why is SandboxMemory:
                    raise why from None
                # If its spawner was killed, the reserve dies as well and may not show it yet.
                self._give_up_reserve()
            finally:
                worker.end()

    async def _begun(self, job: dict[str, Any], payload: bytes | SharedBytes, seconds: float) -> Worker:
        """A worker that has taken the job. Raises SandboxUnavailable, SandboxTimeout."""
        # The whole reserve dies with its spawner, and may not show it yet.
        for _ in range(self._settings.workers_warm + _STARTS_MAX):
            worker = await self._worker(frozenset({job["target"].partition(":")[0]}), network=job["network"])
            try:
                async with asyncio.timeout(seconds):
                    await _give(worker.channel, job, payload)
                return worker
            except TimeoutError:
                worker.end()
                raise SandboxTimeout(f"Sandboxed work did not begin within {seconds:.1f} seconds.") from None
            except (OSError, SandboxCrash):
                worker.end()
            except BaseException:
                worker.end()
                raise
        raise SandboxUnavailable("Workers died before they began.")

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
        self._give_up_reserve()
        self._spawning.close()

    def _give_up_reserve(self) -> None:
        while self._warm:
            _let_go(self._warm.popleft())

    async def lost(self) -> None:
        """Return when no spawner can be started from this process any more: only a new process can have one.

        A service that gave up its privileges may not be able to execute Python again.
        """
        await self._spawning.lost.wait()

    @property
    def restarts(self) -> int:
        """How often the spawner was lost since the start."""
        return self._spawning.restarts

    async def _worker(self, modules: frozenset[str], *, network: bool = False) -> Worker:
        """A living worker that knows `modules`, from the reserve where one stands there; that is locked in wholly."""
        if not seccomp.supported():
            raise SandboxUnavailable(
                "The sandbox needs Linux on x86-64.", suggestion="Run this service on a Linux machine with x86-64."
            )
        try:
            async with asyncio.timeout(context.remaining_seconds(self._settings.start_timeout_seconds)):
                while self._warm and not network:
                    asked = self._warm.popleft()
                    worker = await _arrival(asked)
                    if worker is not None and modules <= worker.modules and worker.alive:
                        break
                    _let_go(asked)
                else:
                    asked = self._spawning.ask(modules, network=network)
                    try:
                        worker = await asked
                    except asyncio.CancelledError:
                        _let_go(asked)
                        raise
        except TimeoutError:
            raise SandboxUnavailable("No worker stood ready in time.") from None
        # Only now: where one worker cannot be made, asking for more would go on for ever.
        if not network:
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

    async def _why(
        self, worker: Worker, job: Mapping[str, Any], payload: bytes | SharedBytes
    ) -> type[SandboxCrash] | type[SandboxMemory]:
        """A parser in C that gets no memory aborts; one that died with little of its memory in use has crashed."""
        payload_bytes = payload.size if isinstance(payload, SharedBytes) else len(payload)
        used_bytes = await self._spawning.memory_bytes_of(worker) - payload_bytes
        return SandboxMemory if used_bytes > job["memory_bytes_max"] * _MEMORY_SHARE else SandboxCrash


async def _answer(worker: Worker, job: dict[str, Any], ends_at: float) -> dict[str, Any]:
    """What the worker says next; without a `value` it has said all. Raises as `Sandbox.run` does, and TimeoutError."""
    try:
        async with asyncio.timeout_at(ends_at):
            answer = await _receive(worker.channel, job["output_bytes_max"])
    except TimeoutError:
        raise
    except OSError:
        raise SandboxCrash from None
    if "memory_bytes" in answer:
        METRICS.sandbox_job_memory_bytes.labels(job["target"]).observe(answer["memory_bytes"])
    match answer.get("error"):
        case None:
            return answer
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


async def _give(channel: socket.socket, job: dict[str, Any], payload: bytes | SharedBytes) -> None:
    """Hand a job over; returns when it was taken. Raises OSError, SandboxCrash."""
    if isinstance(payload, SharedBytes):
        await _send(channel, job, payload)
    else:
        with SharedBytes(payload) as shared:
            await _send(channel, job, shared)
    if await _read(channel, 1) != BEGUN:
        raise SandboxCrash


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
    if not isinstance(answer, dict) or not answer.keys() & {"value", "error", "ended"}:
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
