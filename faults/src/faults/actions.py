"""What each kind of fault does. Each returns when the fault is over, with the processes that it ended."""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

import psycopg
import redis.asyncio as redis

from ecosystem_client import AsyncEcosystem
from faults import signals
from faults.certificates import expired
from faults.database_wire import DatabaseWire
from faults.fleet import Fleet
from faults.impossible import Impossible
from faults.receivers import CHANNELS, Receivers
from faults.schedule import Fault
from faults.signals import Hit
from faults.wire import Way, Wire

_LISTENERS = """
select pg_terminate_backend(pid) from pg_stat_activity
 where usename like 'eco\\_%' and (query ilike 'listen %' or query like '%pg\\_notify(%')
"""
_LOCKABLE = ("creditx.documents", "creditx.data_keys", "absurd.c_orchestrator", "orchestrator.runs")
_CERTIFICATE_HEALS_SECONDS = 12.0


@dataclass
class Ground:
    """What faults are put on. `clients`: the wire between some clients and the edge."""

    fleet: Fleet
    database: DatabaseWire
    clients: Wire
    receivers: Receivers
    administrator: AsyncEcosystem
    own_disk: str | None
    """Why the home has no file system of its own; None where it has one."""


Action = Callable[[Ground, Fault], Awaitable[list[Hit]]]


async def _kill(ground: Ground, fault: Fault) -> list[Hit]:
    return await signals.kill(ground.fleet, fault)


async def _freeze(ground: Ground, fault: Fault) -> list[Hit]:
    return await signals.freeze(ground.fleet, fault)


async def _restart_database(ground: Ground, fault: Fault) -> list[Hit]:
    return await signals.restart_database(ground.fleet, fault)


async def _database_network(ground: Ground, fault: Fault) -> list[Hit]:
    await _database_runs(ground)
    async with ground.database.between() as wire:
        # Who comes back first is through: the wire fails for those that are connected.
        await asyncio.sleep(0.3)
        await wire.fail(_way(fault), fault.seconds, delay_seconds=0.02 + 0.2 * fault.detail)
    return []


async def _clients_network(ground: Ground, fault: Fault) -> list[Hit]:
    await ground.clients.fail(_way(fault), fault.seconds, delay_seconds=0.1 + 0.9 * fault.detail)
    return []


async def _receivers(ground: Ground, fault: Fault) -> list[Hit]:
    """One of them, or both."""
    which = fault.target or ("", *CHANNELS)[int(fault.detail * 3)]
    await ground.receivers.fail(fault.kind.rpartition("-")[0], which, fault.seconds)
    return []


def _way(fault: Fault) -> Way:
    return Way(fault.kind.rpartition("-")[0])


async def _lose_notify(ground: Ground, fault: Fault) -> list[Hit]:
    await _database_runs(ground)
    # The wire stays: a new connection would make everybody look, and make up for what was not heard.
    async with ground.database.between(stays=True) as wire:
        await wire.fail(Way.MUTE, fault.seconds)
    return []


async def _end_listeners(ground: Ground, fault: Fault) -> list[Hit]:
    await _database_runs(ground)
    await ground.fleet.sql(_LISTENERS)
    return []


async def _hold_transaction(ground: Ground, fault: Fault) -> list[Hit]:
    """A transaction with a number holds every reader of the log back."""
    await _database_runs(ground)
    await _hold(ground, "select pg_current_xact_id()", fault.seconds)
    return []


async def _lock_table(ground: Ground, fault: Fault) -> list[Hit]:
    """Writers wait where the stranger stands; readers pass."""
    await _database_runs(ground)
    table = fault.target or _LOCKABLE[int(fault.detail * len(_LOCKABLE))]
    await _hold(ground, f"lock table {table} in exclusive mode", fault.seconds)
    return []


async def _hold(ground: Ground, statement: str, seconds: float) -> None:
    connection = await psycopg.AsyncConnection.connect(ground.fleet.dsn())
    try:
        await connection.execute("set lock_timeout = '5s'")
        await connection.execute(statement)
        await asyncio.sleep(seconds)
        await connection.rollback()
    finally:
        await connection.close()


async def _flush_cache(ground: Ground, fault: Fault) -> list[Hit]:
    await signals.hits(ground.fleet, Fault(0, "kill-cache"))
    socket, password = ground.fleet.run / "cache" / "cache.sock", ground.fleet.secret("fleet/cache.password")
    client = redis.from_url(f"unix://{quote(str(socket))}?password={password}", socket_timeout=5)
    try:
        await client.flushall()
    finally:
        await client.aclose()
    return []


async def _fill_disk(ground: Ground, fault: Fault) -> list[Hit]:
    if ground.own_disk is not None:
        raise Impossible(ground.own_disk)
    balloon = ground.fleet.home / "balloon"
    try:
        await asyncio.to_thread(_inflate, balloon)
        await asyncio.sleep(fault.seconds)
    finally:
        balloon.unlink(missing_ok=True)
    return []


def _inflate(balloon: "os.PathLike[str]") -> None:
    """Take every byte that is left on the home's own file system."""
    descriptor = os.open(balloon, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        size, step = 0, shutil.disk_usage(os.path.dirname(balloon)).free
        while step >= 4096:
            try:
                os.posix_fallocate(descriptor, size, step)
                size += step
            except OSError:
                step //= 2
    finally:
        os.close(descriptor)


async def _expire_certificate(ground: Ground, fault: Fault) -> list[Hit]:
    """The fleet renews what has ended at its next look, within ten seconds."""
    file = next(ground.fleet.home.joinpath("pki").glob(f"{fault.target}*.pem"))
    former = file.read_bytes()
    content = expired(former, ground.fleet.home.joinpath("fleet/authority/authority.pem").read_bytes())
    owner, fresh = file.stat(), file.with_name(f".{file.name}.chaos")
    fresh.write_bytes(content)
    fresh.chmod(owner.st_mode & 0o777)
    os.chown(fresh, owner.st_uid, owner.st_gid)
    fresh.replace(file)
    end = asyncio.get_running_loop().time() + _CERTIFICATE_HEALS_SECONDS
    while file.read_bytes() == content:
        if asyncio.get_running_loop().time() > end and ground.fleet.supervisor() is not None:
            break
        await asyncio.sleep(0.05)
    return []


async def _skew_clock(ground: Ground, fault: Fault) -> list[Hit]:
    """A time namespace shifts the monotonic clocks alone, and libfaketime 0.9.10 makes `time.sleep` fail (EINVAL).

    A library of our own would shift what a process reads and not what the kernel waits until: faults of its own making.
    """
    raise Impossible("nothing shifts the clock of one Python process and leaves its waits whole")


async def _replay_log(ground: Ground, fault: Fault) -> list[Hit]:
    await _database_runs(ground)
    names = [row[0] for row in await ground.fleet.sql("select name from kernel.consumers order by name")]
    if names:
        consumer = fault.target or names[int(fault.detail * len(names))]
        await ground.administrator.events.replay(consumer, from_position="0.0.0")
    return []


async def _database_runs(ground: Ground) -> None:
    await signals.hits(ground.fleet, Fault(0, "kill-database"))
    end = asyncio.get_running_loop().time() + 10
    while asyncio.get_running_loop().time() < end:
        with suppress(psycopg.Error):
            await ground.fleet.sql("select 1")
            return
        await asyncio.sleep(0.05)
    raise signals.NotThere("the database")


_SPECIAL: dict[str, Action] = {
    "restart-database": _restart_database,
    "fill-disk": _fill_disk,
    "flush-cache": _flush_cache,
    "end-listeners": _end_listeners,
    "lose-notify": _lose_notify,
    "expire-certificate": _expire_certificate,
    "hold-transaction": _hold_transaction,
    "lock-table": _lock_table,
    "skew-clock": _skew_clock,
    "replay-log": _replay_log,
}


def action(kind: str) -> Action:
    """Of the kind of that name."""
    if kind in _SPECIAL:
        return _SPECIAL[kind]
    verb, what = kind.partition("-")[0], kind.rpartition("-")[2]
    if verb == "kill":
        return _kill
    if verb == "freeze":
        return _freeze
    return {"database": _database_network, "clients": _clients_network, "receivers": _receivers}[what]
