"""What a platform holds: memory, open files, connections to its database. Before and after, these must be alike."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from faults.fleet import Fleet
from faults.processes import below, descriptors, memory_bytes

_CONNECTIONS = "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
_MEMORY_FACTOR, _MEMORY_SPARE = 1.4, 128 * 1024**2
_DESCRIPTORS_FACTOR, _DESCRIPTORS_SPARE = 1.25, 64
_CONNECTIONS_FACTOR, _CONNECTIONS_SPARE = 1.25, 8
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Levels:
    """Of all processes below the supervisor, PostgreSQL's too; `connections` are those of the services.

    Files of tables are not counted: each server process keeps up to `max_files_per_process` of them open, and has
    opened more of them the longer it works.
    """

    memory_bytes: int
    descriptors: int
    connections: int
    processes: int

    def exceeds(self, before: "Levels") -> list[str]:
        """What is above its level of before, beyond what restarted and warmed-up processes differ by."""
        limits = (
            ("memory", self.memory_bytes, before.memory_bytes * _MEMORY_FACTOR + _MEMORY_SPARE),
            ("descriptors", self.descriptors, before.descriptors * _DESCRIPTORS_FACTOR + _DESCRIPTORS_SPARE),
            ("connections", self.connections, before.connections * _CONNECTIONS_FACTOR + _CONNECTIONS_SPARE),
        )
        return [f"{name}: {now:.0f}, at most {limit:.0f}" for name, now, limit in limits if now > limit]


async def measure(fleet: Fleet) -> Levels:
    supervisor = fleet.supervisor()
    pids = [] if supervisor is None else [supervisor[0], *below(supervisor[0])]
    connections = 0
    with suppress(psycopg.Error):
        connections = int((await fleet.sql(_CONNECTIONS))[0][0])
    tables = fleet.home / "postgres"
    files = sum(descriptors(pid, tables) for pid in pids)
    return Levels(sum(map(memory_bytes, pids)), files, connections, len(pids))


async def come_down(fleet: Fleet, before: Levels, within_seconds: float) -> Levels:
    """The levels once they are back, or as they are after `within_seconds`."""
    end = asyncio.get_running_loop().time() + within_seconds
    while (now := await measure(fleet)).exceeds(before) and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_SECONDS)
    return now
