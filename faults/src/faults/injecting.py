"""Carries out a schedule: each fault at its time, whatever the others do, and the time until all was well again."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
import redis.exceptions

from ecosystem_client import EcosystemFailure
from faults.actions import Ground, action
from faults.fleet import Fleet
from faults.impossible import Impossible
from faults.requests import Requests
from faults.schedule import Fault
from faults.signals import Hit, NotThere

_LOOK_SECONDS = 0.05
REPAIR_SECONDS_MAX = 60.0
_CUT_SHORT = (psycopg.Error, redis.exceptions.RedisError, EcosystemFailure, OSError)


@dataclass(frozen=True)
class Repair:
    """Readings of `time.monotonic()`. `over_at`: the fault's own doing ended; `repaired_at` None: never.

    `back_at`: the killed processes were replaced by ready ones; None for what kills none.
    """

    fault: Fault
    began_at: float
    over_at: float
    back_at: float | None
    repaired_at: float | None


@dataclass
class Injected:
    by_kind: Counter[str] = field(default_factory=Counter)
    impossible: dict[str, str] = field(default_factory=dict)
    missed: Counter[str] = field(default_factory=Counter)
    repairs: list[Repair] = field(default_factory=list)


class Injector:
    """`tell` hears each fault as it begins."""

    def __init__(self, ground: Ground, requests: Requests, tell: Callable[[str], None]) -> None:
        self._ground, self._requests, self._tell = ground, requests, tell
        self.injected = Injected()
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, faults: Sequence[Fault]) -> None:
        """Returns when the last fault has begun."""
        began_at = time.monotonic()
        for fault in faults:
            await asyncio.sleep(max(0.0, began_at + fault.at_seconds - time.monotonic()))
            self._tasks.append(asyncio.create_task(self._one(fault)))

    async def settle(self) -> None:
        """Wait until every fault is over and repaired, or known not to be."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """End every fault now: what stands still goes on, what was put aside comes back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _one(self, fault: Fault) -> None:
        began_at = time.monotonic()
        hits: list[Hit] = []
        self._tell(str(fault))
        try:
            hits = await action(fault.kind)(self._ground, fault)
        except Impossible as impossible:
            self.injected.impossible[fault.kind] = str(impossible)
            return
        except NotThere:
            self.injected.missed[fault.kind] += 1
            return
        except _CUT_SHORT as error:
            # It was begun, and another fault took the ground away under it.
            self._tell(f"         {fault.kind} was cut short: {type(error).__name__}")
        self.injected.by_kind[fault.kind] += 1
        over_at = time.monotonic()
        back_at, repaired_at = await self._repaired(hits, over_at)
        self.injected.repairs.append(Repair(fault, began_at, over_at, back_at, repaired_at))

    async def _repaired(self, hits: list[Hit], over_at: float) -> tuple[float | None, float | None]:
        """When the killed are back, and when everything is ready and a client is answered."""
        back_at: float | None = None
        named = [hit for hit in hits if hit.slot]
        while time.monotonic() < over_at + REPAIR_SECONDS_MAX:
            fleet = self._ground.fleet
            if back_at is None and named and await are_back(fleet, named):
                back_at = time.monotonic()
            if (back_at is not None or not named) and fleet.ready():
                ready_at = time.monotonic()
                answered_at = self._requests.first_success_after(over_at)
                if answered_at is not None:
                    return back_at, max(ready_at, answered_at)
            await asyncio.sleep(_LOOK_SECONDS)
        return back_at, None


async def are_back(fleet: Fleet, hits: Sequence[Hit]) -> bool:
    """Other processes stand in the places of those that were hit, are ready, and say so themselves where they can."""
    running = {one.slot: one for one in fleet.processes()}
    for hit in hits:
        now = running.get(hit.slot)
        if now is None or now.state != "ready" or (now.pid, now.since) == (hit.pid, hit.since):
            return False
        if now.plain_port is not None and not await _says_ready(now.plain_port):
            return False
    return True


async def _says_ready(port: int) -> bool:
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    return False
