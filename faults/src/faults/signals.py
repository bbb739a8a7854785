"""Kills and freezes: by pid, and only what stands below the campaign's own supervisor."""

import asyncio
import signal
from dataclasses import dataclass

from faults.fleet import Fleet, Running
from faults.processes import below, send, ticks, title
from faults.schedule import Fault

_WAIT_SECONDS = 15.0
_LOOK_SECONDS = 0.02
_ENGINES = {"zygote": "zygote", "database": "postgresql", "cache": "cache", "edge": "edge"}


class NotThere(Exception):
    """What was to be hit did not run within the time: another fault had it down."""


@dataclass(frozen=True)
class Hit:
    """A process by pid and start; `slot` is its name in `eco status`, empty for a sandbox's and the supervisor."""

    pid: int
    since: int
    slot: str = ""


async def hits(fleet: Fleet, fault: Fault) -> list[Hit]:
    """The processes that the fault is aimed at, once they run. Raises NotThere."""
    end = asyncio.get_running_loop().time() + _WAIT_SECONDS
    while True:
        if found := _look(fleet, fault):
            return found
        if asyncio.get_running_loop().time() > end:
            raise NotThere(f"{fault.kind} {fault.target}".strip())
        await asyncio.sleep(_LOOK_SECONDS)


def _look(fleet: Fleet, fault: Fault) -> list[Hit]:
    what = fault.kind.partition("-")[2]
    supervisor = fleet.supervisor()
    if supervisor is None:
        return []
    if what == "supervisor":
        return [Hit(*supervisor)]
    ours = set(below(supervisor[0]))
    running = [one for one in fleet.processes() if one.pid in ours]
    if what == "service":
        return [_hit(one) for one in running if one.slot == fault.target and one.state == "ready"]
    if what == "replicas":
        return [_hit(one) for one in running if one.slot.rpartition("-")[0] == fault.target]
    if what == "sandbox":
        return _sandbox(running, fault.detail)
    found = [_hit(one) for one in running if one.slot == _ENGINES[what]]
    if what == "database":
        found += [Hit(pid, since) for hit in found for pid in below(hit.pid) if (since := ticks(pid)) is not None]
    return found


def _hit(one: Running) -> Hit:
    return Hit(one.pid, one.since, one.slot)


def _sandbox(running: list[Running], detail: float) -> list[Hit]:
    """One of the processes that stand below services: guardians, spawners, workers."""
    found = sorted(
        (title(pid), pid) for one in running if one.kind == "service" for pid in below(one.pid)
    )  # fmt: skip
    if not found:
        return []
    _, pid = found[int(detail * len(found))]
    since = ticks(pid)
    return [Hit(pid, since)] if since is not None else []


async def kill(fleet: Fleet, fault: Fault) -> list[Hit]:
    found = await hits(fleet, fault)
    for hit in found:
        send(hit.pid, hit.since, signal.SIGKILL)
    return found


async def freeze(fleet: Fleet, fault: Fault) -> list[Hit]:
    """Every process of the target stands still for the fault's seconds."""
    found = await hits(fleet, fault)
    try:
        for hit in found:
            send(hit.pid, hit.since, signal.SIGSTOP)
        await asyncio.sleep(fault.seconds)
    finally:
        for hit in found:
            send(hit.pid, hit.since, signal.SIGCONT)
    return []


async def restart_database(fleet: Fleet, fault: Fault) -> list[Hit]:
    found = (await hits(fleet, Fault(0, "kill-database")))[:1]
    send(found[0].pid, found[0].since, signal.SIGINT)
    return found
