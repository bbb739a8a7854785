"""Wake-ups between processes: one connection that listens, notifies and holds session locks for the whole process.

`Database` owns one (`database.wakeups`) and closes it. A wake-up is a hint and may be lost: whoever waits for one
also polls. It is sent after the commit, never inside a transaction: NOTIFY in a writing transaction makes all
commits of the cluster queue up behind one lock (measured: 0.37 of the throughput at 8 clients).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg

from ecosystem.kernel.telemetry.log import log

Connect = Callable[[], Awaitable[psycopg.AsyncConnection[Any]]]

_COALESCE_SECONDS = 0.005
# Shorter than the second after which a worker without its lock is thought dead.
_RECONNECT_SECONDS_MAX = 0.5


class Wakeups:
    """Opens its connection at the first use, and again whenever it breaks; then everybody who listens is woken."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self._outgoing: set[str] = set()
        self._locks: dict[tuple[str, str], None] = {}
        self._held: set[tuple[str, str]] = set()
        self._todo = asyncio.Event()
        self._listening: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def subscribe(self, channel: str, event: asyncio.Event | None = None) -> asyncio.Event:
        """An event that is set at every wake-up on `channel`; the subscriber clears it."""
        event = event or asyncio.Event()
        self._listeners.setdefault(channel, set()).add(event)
        self._start()
        return event

    def unsubscribe(self, channel: str, event: asyncio.Event) -> None:
        self._listeners.get(channel, set()).discard(event)

    def send(self, channel: str) -> None:
        """Wake every listener: those of this process now, those of others within about 5 ms."""
        self._wake(channel)
        self._outgoing.add(channel)
        self._start()

    def hold(self, space: str, name: str) -> None:
        """Hold the advisory lock (hashtext(space), hashtext(name)) while this process lives, as a sign of life."""
        self._locks[(space, name)] = None
        self._start()

    def release(self, space: str, name: str) -> None:
        self._locks.pop((space, name), None)
        self._start()

    async def close(self) -> None:
        """Send what is waiting to be sent, then let go of the connection."""
        self._closing = True
        if self._task is None:
            return
        self._todo.set()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._task, 1.0)
        self._task = None

    def _start(self) -> None:
        self._todo.set()
        if self._task is None and not self._closing:
            self._task = asyncio.get_running_loop().create_task(self._serve(), name="wakeups")

    def _wake(self, channel: str) -> None:
        for event in self._listeners.get(channel, ()):
            event.set()

    async def _serve(self) -> None:
        pause = 0.05
        while not (self._closing and not self._outgoing):
            try:
                connection = await self._connect()
            except (psycopg.Error, OSError) as error:
                if self._closing:
                    return
                log.warning("wake-ups have no connection", exc_info=error, retry_seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _RECONNECT_SECONDS_MAX)
                continue
            try:
                await self._pump(connection)
                return
            except (psycopg.Error, OSError) as error:
                log.warning("wake-ups lost their connection", exc_info=error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _RECONNECT_SECONDS_MAX)
            finally:
                with contextlib.suppress(psycopg.Error, OSError):
                    await connection.close()

    async def _pump(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Own the connection: send what is to be sent, otherwise wait until its socket can be read."""
        own_pid = connection.info.backend_pid
        connection.add_notify_handler(lambda heard: None if heard.pid == own_pid else self._wake(heard.channel))
        self._listening, self._held = set(), set()
        loop, last = asyncio.get_running_loop(), 0.0
        await self._catch_up(connection)
        for channel in self._listeners:
            # Nobody heard while there was no connection: let everyone look.
            self._wake(channel)
        while True:
            loop.add_reader(connection.fileno(), self._todo.set)
            try:
                await self._todo.wait()
            finally:
                loop.remove_reader(connection.fileno())
            self._todo.clear()
            self._read(connection, own_pid)
            await self._catch_up(connection)
            if self._outgoing:
                early = last + _COALESCE_SECONDS - loop.time()
                if early > 0 and not self._closing:
                    await asyncio.sleep(early)
                channels, self._outgoing = sorted(self._outgoing), set()
                last = loop.time()
                await connection.execute("select pg_notify(c, '') from unnest(%s::text[]) c", (channels,))
            if self._closing:
                return

    def _read(self, connection: psycopg.AsyncConnection[Any], own_pid: int) -> None:
        connection.pgconn.consume_input()
        while (heard := connection.pgconn.notifies()) is not None:
            if heard.be_pid != own_pid:
                self._wake(heard.relname.decode())

    async def _catch_up(self, connection: psycopg.AsyncConnection[Any]) -> None:
        for channel in set(self._listeners) - self._listening:
            await connection.execute(psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(channel)))
            self._listening.add(channel)
        for space, name in set(self._locks) - self._held:
            await connection.execute("select pg_advisory_lock(hashtext(%s), hashtext(%s))", (space, name))
            self._held.add((space, name))
        for space, name in self._held - set(self._locks):
            await connection.execute("select pg_advisory_unlock(hashtext(%s), hashtext(%s))", (space, name))
            self._held.discard((space, name))
