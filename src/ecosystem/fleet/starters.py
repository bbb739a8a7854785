"""How each kind of process is started: an engine by its program, the zygote by Python, a service by the zygote."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

import orjson

from ecosystem.fleet.errors import EngineFailed, NotStarted
from ecosystem.fleet.first import Begun, begin_zygote
from ecosystem.fleet.home import Home
from ecosystem.fleet.logs import last_words, open_log
from ecosystem.fleet.process import Process
from ecosystem.fleet.watching import Reports, exited
from ecosystem.fleet.zygote import Order
from ecosystem.kernel.ids import SystemIds

_POLL_SECONDS = 0.01
_FREE_SECONDS = 5.0
_DEGRADED = ("degraded", "unready")


class Engine(Protocol):
    name: str
    stop_signal: signal.Signals

    def start(self, log: int) -> "subprocess.Popen[bytes]": ...

    def is_ready(self, pid: int) -> bool: ...


class EngineStarter:
    """`first` runs before every start, for example initdb."""

    def __init__(self, home: Home, engine: Engine, first: Callable[[int], Any] | None = None) -> None:
        self._home, self._engine, self._first = home, engine, first
        self.stop_signal = engine.stop_signal
        self._log_from_byte = 0

    async def start(self, process: Process) -> int:
        log = open_log(self._home.logs, self._engine.name)
        self._log_from_byte = os.fstat(log).st_size
        try:
            if self._first is not None:
                await self._first(log)
            started = self._engine.start(log)
        finally:
            os.close(log)
        started.returncode = 0  # we reap it ourselves, through its pidfd
        process.seen.instance_id = self._engine.name
        return started.pid

    async def ready(self, process: Process) -> None:
        pid = process.seen.pid
        while pid is not None and not self._engine.is_ready(pid):  # noqa: ASYNC110 a file says it, no event
            await asyncio.sleep(_POLL_SECONDS)
        process.show("ready")

    def last_words(self) -> str:
        return last_words(self._home.logs, self._engine.name, self._log_from_byte)


def postgres_first(
    begin: Callable[[int], "subprocess.Popen[bytes] | None"], finish: Callable[[int], None],
    is_free: Callable[[], bool],
) -> Any:  # fmt: skip
    """A `first` for PostgreSQL's starter: makes the cluster where there is none, else waits for the server before.

    A server that was killed leaves processes behind, which see that and end a moment later.
    """

    async def first(log: int) -> None:
        started = begin(log)
        if started is not None:
            started.returncode = 0
            finish(await exited(started.pid))
        end = asyncio.get_running_loop().time() + _FREE_SECONDS
        while not is_free() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 a file says it, no event
            await asyncio.sleep(_POLL_SECONDS)

    return first


class ZygoteStarter:
    """Keeps the zygote's control socket, and asks it for children. `first`: one that is on its way already."""

    stop_signal = signal.SIGKILL

    def __init__(self, home: Home, first: Begun | None) -> None:
        self._home, self._first = home, first
        self._control: socket.socket | None = None
        self._one_at_a_time = asyncio.Lock()
        self._is_ready = asyncio.Event()
        self._log_from_byte = 0

    async def start(self, process: Process) -> int:
        self._is_ready.clear()
        if self._control is not None:
            self._control.close()
        begun, self._first = self._first or self._begin(), None
        self._control, self._log_from_byte = begun.control, begun.log_from_byte
        return begun.pid

    def _begin(self) -> Begun:
        log = open_log(self._home.logs, "zygote")
        try:
            return begin_zygote(log)
        finally:
            os.close(log)

    async def ready(self, process: Process) -> None:
        await self._receive()
        self._is_ready.set()
        process.show("ready")

    async def fork(self, order: Order, ready: int, log: int) -> int:
        """The pid of a new child, once its import is done. Raises NotStarted when the zygote ends or refuses."""
        await self._is_ready.wait()
        async with self._one_at_a_time:
            control = self._control
            if control is None:
                raise NotStarted("The zygote is gone.")
            try:
                socket.send_fds(control, [order.encode()], [ready, log])
            except OSError as error:
                self._is_ready.clear()
                raise NotStarted("The zygote is gone.") from error
            answer = await self._receive()
        if "error" in answer:
            raise NotStarted(str(answer["error"]))
        return int(answer["pid"])

    async def _receive(self) -> dict[str, Any]:
        control = self._control
        message = b""
        with suppress(ConnectionResetError):  # it ended before it read what it was asked
            message = await asyncio.get_running_loop().sock_recv(control, 65536) if control else b""
        if not message:
            self._is_ready.clear()
            raise NotStarted("The zygote ended before it answered.")
        answer: dict[str, Any] = orjson.loads(message)
        return answer

    def last_words(self) -> str:
        return last_words(self._home.logs, "zygote", self._log_from_byte)


class ServiceStarter:
    """Forks one replica of a service. `order` makes the order for an instance id."""

    stop_signal = signal.SIGTERM

    def __init__(self, home: Home, zygote: ZygoteStarter, slot: str, order: Callable[[str], Order]) -> None:
        self._home, self._zygote, self._slot, self._order = home, zygote, slot, order
        self._reports: Reports | None = None
        self._log_from_byte = 0

    async def start(self, process: Process) -> int:
        process.seen.instance_id = str(SystemIds().uuid())
        reading, writing = os.pipe()
        log = open_log(self._home.logs, self._slot)
        self._log_from_byte = os.fstat(log).st_size
        try:
            pid = await self._zygote.fork(self._order(process.seen.instance_id), writing, log)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
            os.close(log)
        if self._reports is not None:
            self._reports.close()
        self._reports = Reports(reading, lambda said: _heard(process, said))
        return pid

    async def ready(self, process: Process) -> None:
        """The child reports it itself."""

    def last_words(self) -> str:
        return last_words(self._home.logs, self._slot, self._log_from_byte)


def _heard(process: Process, said: Mapping[str, Any]) -> None:
    ports = {name: int(said[name]) for name in ("http_port", "grpc_port", "plain_port") if said.get(name)}
    more: dict[str, Any] = {"ports": ports} if ports else {}
    if said.get("state") == "failed":
        return  # its exit follows, and says more
    if "host" in said:
        more["host"] = str(said["host"])
    if "weight" in said:
        more["weight"] = int(said["weight"])
    process.show(str(said.get("state", "starting")), str(said.get("reason") or ""), **more)


async def run_once(home: Home, zygote: ZygoteStarter, order: Order) -> None:
    """Fork a child that does one thing and ends, such as the migrations. Raises EngineFailed with its last words."""
    heard: list[Mapping[str, Any]] = []
    reading, writing = os.pipe()
    log = open_log(home.logs, order.name)
    from_byte = os.fstat(log).st_size
    try:
        pid = await zygote.fork(order, writing, log)
    finally:
        os.close(writing)
        os.close(log)
    reports = Reports(reading, heard.append)
    code = await exited(pid)
    reports.close()
    if code:
        told = next((one for one in heard if "error" in one), {})
        said = told.get("error") or last_words(home.logs, order.name, from_byte)
        step = told.get("next") or f"eco logs {order.name}"
        raise EngineFailed(f"{order.name} ended with code {code}: {said}", suggestion=step)
