"""Instances announce themselves in the database and know each other from a snapshot that survives its absence.

An instance counts while its last beat is younger than 15 s and its own connection holds its advisory lock: the server
lets go of the lock when the process dies, so that a dead one is gone at the next look, a second later.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID
from weakref import WeakSet

import psycopg
from sqlalchemy import text

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.errors import DatabaseUnavailable
from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.registry.instance import Instance, State
from ecosystem.kernel.telemetry.log import log

POLL_SECONDS = 1.0
STALE_SECONDS = 15.0
_CLASS = 0x0EC0
_RECONNECT_SECONDS_MAX = 2.0

_LOCK = f"select pg_try_advisory_lock({_CLASS}, hashtext(%s::text))"
_LOOK = f"""
select i.instance_id, i.service, i.host, i.http_port, i.grpc_port, i.plain_port, i.pid, i.version, i.state, i.weight,
       i.started_at, i.beat_at, i.reason,
       i.beat_at > clock_timestamp() - interval '{STALE_SECONDS:.0f} seconds' and exists (
           select from pg_locks l where l.locktype = 'advisory' and l.classid = {_CLASS} and l.granted
           and l.objid = (hashtext(i.instance_id::text)::bigint & 4294967295)::oid
           and l.database = (select oid from pg_database where datname = current_database())) as alive
from kernel.instances i order by i.service, i.started_at, i.instance_id
"""  # noqa: S608 constants of this module
_ANNOUNCE = text(
    "select kernel.announce(:instance_id, :service, :host, :http_port, :grpc_port, :plain_port, :pid, :version,"
    " :state, :weight, :started_at)"
)
_BEAT = text("select kernel.beat(:instance_id, :state, :reason)")
_WITHDRAW = text("select kernel.withdraw(:instance_id)")


class Registry:
    def __init__(
        self,
        database: Database,
        *,
        poll_seconds: float = POLL_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db, self._poll_seconds, self._monotonic = database, poll_seconds, monotonic
        self._own: Instance | None = None
        self._snapshot: dict[str, tuple[Instance, ...]] = {}
        self._known: dict[UUID, Instance] = {}
        self._wake = asyncio.Event()
        self._tried, self._held = asyncio.Event(), False
        self._waiting: list[asyncio.Event] = []
        self._watchers: WeakSet[asyncio.Event] = WeakSet()
        self._follower: asyncio.Task[None] | None = None
        self._absent = False
        self._patient_until = 0.0

    async def open(self) -> None:
        """Take the first snapshot, then follow. Raises DatabaseUnavailable."""
        if self._follower is None:
            connection = await self._connect()
            self._follower = asyncio.create_task(self._follow(connection), name="registry")

    async def close(self) -> None:
        """Stop following; the snapshot stays as it is. An announced instance counts as dead from now on."""
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await follower

    async def announce(self, instance: Instance) -> None:
        """Be known as `instance`; again with the same id: with new ports and state.

        Raises:
            DatabaseUnavailable: nobody was told.
            sqlalchemy.exc.ProgrammingError: the login role is not that of the service.
        """
        await self.open()
        if self._own is None or self._own.instance_id != instance.instance_id:
            self._tried.clear()
            self._held = False
        self._own = instance
        self._wake.set()
        # First held, then told: whoever hears of us and looks must find the lock.
        try:
            async with asyncio.timeout(5):
                await self._tried.wait()
        except TimeoutError:
            raise DatabaseUnavailable from None
        await self._say(instance)

    async def beat(self, state: str, reason: str = "") -> None:
        """Every 5 s: still here, and how. Raises DatabaseUnavailable."""
        if self._own is None:
            return
        self._own = replace(self._own, state=State(state), reason=reason)
        values = {"instance_id": self._own.instance_id, "state": self._own.state, "reason": reason}

        async def work() -> bool:
            return bool((await self._db.session.execute(_BEAT, values)).scalar_one())

        if not await self._db.run(work):
            # Forgotten: the database was away for an hour, or restored.
            await self._say(self._own)

    async def set_state(self, state: str, reason: str = "") -> None:
        """Tell everyone at once, such as `draining` before a planned stop."""
        await self.beat(state, reason)

    async def withdraw(self) -> None:
        """Be gone. Raises DatabaseUnavailable; then the end of the process tells."""
        own, self._own = self._own, None
        if own is None:
            return

        async def work() -> None:
            await self._db.session.execute(_WITHDRAW, {"instance_id": own.instance_id})

        await self._db.run(work)

    def instances(self, service: str | None = None) -> tuple[Instance, ...]:
        """Those alive at the last look, of one service or of all, in every state, oldest first."""
        if service is not None:
            return self._snapshot.get(service, ())
        return tuple(instance for group in self._snapshot.values() for instance in group)

    def ready(self, service: str) -> tuple[Instance, ...]:
        """Those of a service that take work."""
        return tuple(instance for instance in self.instances(service) if instance.state == State.READY)

    def watch(self) -> AsyncGenerator[None, None]:
        """Yields whenever the snapshot differs from what it was at this call; changes in between are one."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        return self._changes(changed)

    @staticmethod
    async def _changes(changed: asyncio.Event) -> AsyncGenerator[None, None]:
        while True:
            await changed.wait()
            changed.clear()
            yield

    async def refresh(self) -> None:
        """Return after a look that began after this call, or after a second where the database is absent."""
        looked = asyncio.Event()
        self._waiting.append(looked)
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await looked.wait()

    async def _say(self, instance: Instance) -> None:
        values = {name: getattr(instance, name) for name in (
            "instance_id", "service", "host", "http_port", "grpc_port", "plain_port", "pid", "version", "state",
            "weight", "started_at",
        )}  # fmt: skip

        async def work() -> None:
            await self._db.session.execute(_ANNOUNCE, values)

        await self._db.run(work)

    async def _follow(self, connection: psycopg.AsyncConnection[Any] | None) -> None:
        pause = 0.1
        while True:
            try:
                if connection is None:
                    connection = await self._connect()
                pause = 0.1
                while True:
                    await self._wait(connection)
                    await self._hold(connection)
                    await self._look(connection)
            except (psycopg.Error, Unavailable, OSError) as error:
                if not self._absent:
                    log.warning(
                        "the registry's database is absent; the last snapshot serves", reason=type(error).__name__
                    )
                self._absent = True
                self._held = False
            finally:
                if connection is not None:
                    await _close(connection)
                connection = None
            await asyncio.sleep(pause)
            pause = min(pause * 2, _RECONNECT_SECONDS_MAX)

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        connection = await self._db.connection()
        try:
            # What they say does not matter: each wakes us, and we look. Also what comes in with the answer of a look,
            # which may have been taken before.
            connection.add_notify_handler(lambda _: self._wake.set())
            await connection.execute("listen eco_registry")
            await self._hold(connection)
            await self._look(connection)
        except BaseException:
            await _close(connection)
            raise
        return connection

    async def _wait(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Until the server says something, or someone here does, or the poll is due."""
        loop, descriptor = asyncio.get_running_loop(), connection.fileno()
        loop.add_reader(descriptor, self._wake.set)
        try:
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._wake.wait()
        finally:
            loop.remove_reader(descriptor)
        self._wake.clear()

    async def _hold(self, connection: psycopg.AsyncConnection[Any]) -> None:
        if self._own is None or self._held:
            return
        # Not given while the server has not noticed the end of our connection before this one: then at the next look.
        row = await (await connection.execute(_LOCK, (str(self._own.instance_id),))).fetchone()
        self._held = bool(row and row[0])
        self._tried.set()

    async def _look(self, connection: psycopg.AsyncConnection[Any]) -> None:
        waiting, self._waiting = self._waiting, []
        rows = await (await connection.execute(_LOOK)).fetchall()
        now = self._monotonic()
        if self._absent:
            # The others could not beat either: give them the time to do so before they count as dead.
            self._absent, self._patient_until = False, now + STALE_SECONDS
        patient = now < self._patient_until
        found = [Instance(*row[:-1]) for row in rows if row[-1] or (patient and row[0] in self._known)]
        known = {instance.instance_id: instance for instance in found}
        changed = _without_beats(known) != _without_beats(self._known)
        snapshot: dict[str, list[Instance]] = {}
        for instance in found:
            snapshot.setdefault(instance.service, []).append(instance)
        self._known, self._snapshot = known, {service: tuple(group) for service, group in snapshot.items()}
        for event in (*waiting, *(self._watchers if changed else ())):
            event.set()


def _without_beats(known: dict[UUID, Instance]) -> dict[UUID, Instance]:
    return {key: replace(instance, beat_at=instance.started_at) for key, instance in known.items()}


async def _close(connection: psycopg.AsyncConnection[Any]) -> None:
    with contextlib.suppress(psycopg.Error, OSError):
        await connection.close()
