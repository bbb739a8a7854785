"""Wake-ups between processes: one connection that listens, notifies and holds session locks for the whole process.

`Database` owns one (`database.wakeups`) and closes it. A wake-up is a hint and may be lost: whoever waits for one
also polls. It is sent after the commit, never inside a transaction: NOTIFY in a writing transaction makes all
commits of the cluster queue up behind one lock (measured: 0.37 of the throughput at 8 clients).

A channel has keys, so that only those are woken whom it concerns: one for each type of event, one for each document.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import psycopg

from ecosystem.kernel.db.wire import Statement, Wire
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.telemetry.log import log

Connect = Callable[[], Awaitable[Wire]]

_NOTIFY = "select pg_notify(n.channel, n.key) from unnest(%s::text[], %s::text[]) as n (channel, key)"
_COALESCE_SECONDS = 0.005
# Shorter than the second after which a worker without its lock is thought dead.
_RECONNECT_SECONDS_MAX = 0.5


class Wakeups:
    """Opens its connection at the first use, and again whenever it breaks; then everybody who listens is woken."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._listeners: dict[str, dict[str, set[asyncio.Event]]] = {}
        self._outgoing: set[tuple[str, str]] = set()
        self._locks: dict[tuple[str, str], None] = {}
        self._held: set[tuple[str, str]] = set()
        self._todo = asyncio.Event()
        self._listening: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def subscribe(self, channel: str, event: asyncio.Event | None = None, *, key: str = "") -> asyncio.Event:
        """An event that is set at every wake-up on `channel`; the subscriber clears it.

        With `key`: only at those that are for this key, or for all of the channel.
        """
        event = event or asyncio.Event()
        self._listeners.setdefault(channel, {}).setdefault(key, set()).add(event)
        if channel not in self._listening:
            self._start()
        return event

    def unsubscribe(self, channel: str, event: asyncio.Event, *, key: str = "") -> None:
        by_key = self._listeners.get(channel, {})
        by_key.get(key, set()).discard(event)
        if not by_key.get(key):
            by_key.pop(key, None)

    def send(self, channel: str, key: str = "") -> None:
        """Wake who listens for `key`, without one everybody on the channel: here now, elsewhere within about 5 ms."""
        self._wake(channel, key)
        self._outgoing.add((channel, key))
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

    def _wake(self, channel: str, key: str = "") -> None:
        by_key = self._listeners.get(channel, {})
        concerned = (by_key.get("", ()), by_key.get(key, ())) if key else by_key.values()
        for events in concerned:
            for event in events:
                event.set()

    async def _serve(self) -> None:
        pause = 0.05
        while not (self._closing and not self._outgoing):
            try:
                connection = await self._connect()
            except (EcosystemError, psycopg.Error, OSError) as error:
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

    async def _pump(self, connection: Wire) -> None:
        """Own the connection: send what is to be sent, otherwise wait until its socket can be read."""
        own_pid = connection.info.backend_pid
        connection.add_notify_handler(
            lambda heard: None if heard.pid == own_pid else self._wake(heard.channel, heard.payload)
        )
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
                    # Not asleep: what others send is heard meanwhile.
                    loop.call_later(early, self._todo.set)
                    continue
                pairs, self._outgoing = sorted(self._outgoing), set()
                last = loop.time()
                values = [channel for channel, _ in pairs], [key for _, key in pairs]
                await connection.together([Statement(_NOTIFY, values)])
                # What others sent meanwhile has come with the answer.
                self._read(connection, own_pid)
            if self._closing:
                return

    def _read(self, connection: Wire, own_pid: int) -> None:
        connection.pgconn.consume_input()
        while (heard := connection.pgconn.notifies()) is not None:
            if heard.be_pid != own_pid:
                self._wake(heard.relname.decode(), heard.extra.decode())

    async def _catch_up(self, connection: Wire) -> None:
        for channel in set(self._listeners) - self._listening:
            await connection.execute(psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(channel)))
            self._listening.add(channel)
        for space, name in set(self._locks) - self._held:
            await connection.execute("select pg_advisory_lock(hashtext(%s), hashtext(%s))", (space, name))
            self._held.add((space, name))
        for space, name in self._held - set(self._locks):
            await connection.execute("select pg_advisory_unlock(hashtext(%s), hashtext(%s))", (space, name))
            self._held.discard((space, name))
