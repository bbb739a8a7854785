"""The service's side of the spawner: ask for workers, notice its death, start another."""

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from ecosystem.kernel.sandbox import prefork
from ecosystem.kernel.sandbox.errors import SandboxUnavailable
from ecosystem.kernel.sandbox.spawner import PACKET_BYTES_MAX

_END_SECONDS = 1.0


@dataclass
class Worker:
    """A locked process that waits for its one job. `pidfd` names it without the danger of a reused pid."""

    pid: int
    channel: socket.socket
    pidfd: int
    modules: frozenset[str]

    @property
    def alive(self) -> bool:
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return not poll.poll(0)

    def end(self) -> None:
        """Kill it, whatever it does, and let go of it. Safe to repeat."""
        if self.pidfd < 0:
            return
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.close(self.pidfd)
            self.pidfd = -1
            self.channel.close()


Asked = asyncio.Future[Worker]


class Spawning:
    """One spawner at a time; a lost one is replaced when the next worker is asked for."""

    def __init__(self, niceness: int) -> None:
        self._niceness = niceness
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._known: frozenset[str] = frozenset()
        self._asked: dict[int, tuple[Asked, frozenset[str], bool]] = {}
        self._ends: dict[int, asyncio.Future[int]] = {}
        self._last_id = 0
        self._delivered = False
        self.restarts = 0
        self.lost = asyncio.Event()

    def ask(self, modules: frozenset[str], *, network: bool = False) -> Asked:
        """A future worker that knows `modules` and all modules that workers had before.

        With `network` it may open connections and files, as whoever speaks with the world must.

        The future raises SandboxUnavailable where the modules cannot be imported or no spawner can be started.
        """
        future: Asked = asyncio.get_running_loop().create_future()
        self._last_id += 1
        number = self._last_id
        self._asked[number] = future, self._known | modules, network
        future.add_done_callback(lambda done: self._settled(number, done))
        self._send(number)
        return future

    async def memory_bytes_of(self, dead: Worker) -> int:
        """What a worker had used at most, which is killed by this; 0 where its spawner is gone too."""
        pid = dead.pid
        dead.end()
        if self._control is None:
            return 0
        self._last_id += 1
        number = self._last_id
        self._ends[number] = asyncio.get_running_loop().create_future()
        try:
            self._control.send(orjson.dumps({"id": number, "ended": pid}))
            async with asyncio.timeout(_END_SECONDS):
                return await self._ends[number]
        except (OSError, TimeoutError):
            return 0
        finally:
            del self._ends[number]

    @property
    def known(self) -> frozenset[str]:
        return self._known

    def rest(self) -> None:
        """Let the spawner end with all it has loaded; the guardian starts another when a worker is asked for.

        Only while no worker is there: workers end with their spawner.
        """
        if self._control is not None and not self._asked:
            with suppress(OSError):
                self._control.send(orjson.dumps({"rest": True}))

    def close(self) -> None:
        """Let spawner and guardian end, and give up every worker asked for."""
        self._lose()
        for future, *_ in list(self._asked.values()):
            future.cancel()
        if self._process is not None:
            self._process.wait(timeout=5)
            self._process = None

    def _settled(self, number: int, future: Asked) -> None:
        self._asked.pop(number, None)
        if not future.cancelled():
            future.exception()  # looked at here, so that a worker nobody waits for is no complaint

    def _send(self, number: int) -> None:
        _, modules, network = self._asked[number]
        packet = {"id": number, "modules": sorted(modules), "niceness": self._niceness, "network": network}
        try:
            self._connected().send(orjson.dumps(packet))
        except OSError:
            self.restarts += 1
            self._lose()
            try:
                self._connected().send(orjson.dumps(packet))
            except OSError as error:
                self.lost.set()
                self._refuse(number, f"The sandbox cannot be started: {os.strerror(error.errno or 0)}.")

    def _connected(self) -> socket.socket:
        if self._control is None:
            descriptor = prefork.take()
            if descriptor is not None:
                self._control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=descriptor)
            else:
                self._control = self._execute()
            self._delivered = False
            self._control.setblocking(False)
            asyncio.get_running_loop().add_reader(self._control.fileno(), self._hear)
        return self._control

    def _execute(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            environment = {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
            self._process = subprocess.Popen(  # noqa: S603 our own module
                [sys.executable, "-P", "-m", "ecosystem.kernel.sandbox.spawner", str(number)],
                pass_fds=[number], env=environment, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        return ours

    def _hear(self) -> None:
        while self._control is not None:
            try:
                packet, descriptors, _, _ = socket.recv_fds(self._control, PACKET_BYTES_MAX, 2)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                packet, descriptors = b"", []
            if not packet:
                self.restarts += 1
                self._lose()
                if self._delivered:
                    self._ask_again()
                else:
                    # It died before its first worker: another one would do the same, and so for ever.
                    self._refuse_all("The sandbox's processes end at once.")
                return
            self._take(orjson.loads(packet), list(descriptors))

    def _take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if message.get("restarted"):
            self.restarts += 1
            self._ask_again()
            return
        number = message["id"]
        if number in self._ends:
            if not self._ends[number].done():
                self._ends[number].set_result(message["memory_bytes"])
        elif descriptors:
            future, modules, _ = self._asked.get(number, (None, frozenset(), False))
            channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=descriptors[0])
            channel.setblocking(False)
            worker = Worker(message["pid"], channel, descriptors[1], modules)
            if future is None or future.done():
                worker.end()
            else:
                self._known |= modules
                self._delivered = True
                future.set_result(worker)
        elif number not in self._asked:
            return
        elif "again" in message:
            self._send(number)
        else:
            self._refuse(number, f"The sandbox could not make a worker: {message['error']}.")

    def _refuse(self, number: int, message: str) -> None:
        future, *_ = self._asked[number]
        if not future.done():
            future.set_exception(SandboxUnavailable(message))

    def _refuse_all(self, message: str) -> None:
        self.lost.set()
        for number in list(self._asked):
            self._refuse(number, message)

    def _ask_again(self) -> None:
        """Repeat what was asked of a spawner that died. Nothing is started for nobody."""
        for number, (future, *_) in list(self._asked.items()):
            if not future.done():
                self._send(number)

    def _lose(self) -> None:
        if self._control is None:
            return
        asyncio.get_running_loop().remove_reader(self._control.fileno())
        self._control.close()
        self._control = None
        if self._process is not None:
            self._process.poll()
