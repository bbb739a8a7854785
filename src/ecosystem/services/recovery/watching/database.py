"""Detectors that ask the database, each through a function of the kernel that answers recovery-agent alone."""

import re
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from ecosystem.contracts.recovery import QUEUE_OF, FaultKind
from ecosystem.kernel.agent.waiting import Line
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.registry.registry import STALE_SECONDS
from ecosystem.kernel.words import counted
from ecosystem.services.recovery.model import Sighting
from ecosystem.services.recovery.queueing.repository import Queues
from ecosystem.services.recovery.watching.well import Well

DATABASE, RUNS = "postgresql", "orchestrator-agent"
_QUEUE = "orchestrator"
_HOLDERS = text("select pid, began_at, role, application, seconds, state from kernel.horizon_holders(:seconds)")
_STUCK = text("select run_id, task_id, company_id, state, seconds from kernel.stuck_tasks(:queue, :seconds)")
_UNREACHABLE = text(
    "select service, (array_agg(case when fresh then state else 'silent' end order by started_at desc))[1] as state,"
    " case when not bool_or(fresh) then max(beat_at) end as last_beat_at"
    " from (select *, beat_at > clock_timestamp() - make_interval(secs => :seconds) as fresh from kernel.instances) i"
    " group by service having not bool_or(fresh and state = 'ready')"
)
_CONNECTIONS = text("select used, allowed, started_at from kernel.connections_used()")


class Horizon:
    """A write transaction that stays open holds every consumer of the platform back; its session is named."""

    faults = frozenset({FaultKind.HORIZON_HELD})

    def __init__(self, database: Database, clock: Clock, seconds_max: float) -> None:
        self._database, self._clock, self._seconds_max = database, clock, seconds_max

    async def look(self) -> list[Sighting]:
        async def work() -> list[Any]:
            return list(await self._database.session.execute(_HOLDERS, {"seconds": self._seconds_max}))

        holders = await self._database.read(work)
        if not holders:
            return []
        oldest = holders[0]
        application = named(oldest.application)
        cause = f"session {oldest.pid} ({application}, {oldest.role}) has been writing for {oldest.seconds:.0f} s"
        detail = {
            "sessions": [{"pid": one.pid, "application": named(one.application), "role": one.role, "state": one.state,
                          "seconds": round(one.seconds, 1)} for one in holders],
        }  # fmt: skip
        target = {"sessions": [{"pid": one.pid, "began_at": one.began_at.isoformat()} for one in holders]}
        now = self._clock.now()
        return [Sighting(
            FaultKind.HORIZON_HELD, DATABASE, cause, now, detail=detail, target=target,
            since=now - timedelta(seconds=oldest.seconds),
        )]  # fmt: skip


class Runs:
    """Runs without a step for too long, though a worker has them, or without a worker though they are due."""

    faults = frozenset({FaultKind.STUCK_RUN})

    def __init__(self, database: Database, clock: Clock, seconds_max: float) -> None:
        self._database, self._clock, self._seconds_max = database, clock, seconds_max

    async def look(self) -> list[Sighting]:
        async def work() -> list[Any]:
            values = {"queue": _QUEUE, "seconds": self._seconds_max}
            return list(await self._database.session.execute(_STUCK, values))

        stuck = await self._database.read(work)
        if not stuck:
            return []
        held = [one for one in stuck if one.state == "running"]
        cause = f"{counted(len(stuck), 'run')} without a step for {stuck[0].seconds:.0f} s; with a worker: {len(held)}"
        companies = tuple(sorted({one.company_id for one in stuck if one.company_id is not None}))
        detail = {"runs": [{"task_id": str(one.task_id), "state": one.state, "seconds": round(one.seconds)}
                           for one in stuck]}  # fmt: skip
        target = {"runs": [str(one.run_id) for one in held]}
        now = self._clock.now()
        return [Sighting(
            FaultKind.STUCK_RUN, RUNS, cause, now, companies=companies, detail=detail, target=target,
            since=now - timedelta(seconds=stuck[0].seconds),
        )]  # fmt: skip


class Waiting:
    """Calls that wait too long for an agent that is away, and a company of which no more may wait."""

    faults = frozenset({FaultKind.CALLS_WAITING})

    def __init__(self, database: Database, clock: Clock, seconds_max: float, calls_max: int) -> None:
        self._database, self._queues, self._clock = database, Queues(database), clock
        self._seconds_max, self._calls_max = seconds_max, calls_max

    async def look(self) -> list[Sighting]:
        now = self._clock.now()
        return [
            Sighting(
                FaultKind.CALLS_WAITING, f"{QUEUE_OF}{line.agent_id}", self._cause(line), now,
                companies=tuple(line.companies), detail={"calls": line.calls, "failures": line.failures},
                since=now - timedelta(seconds=line.seconds),
            )
            for line in await self._database.read(self._queues.lines)
            if line.seconds > self._seconds_max or line.longest >= self._calls_max
        ]  # fmt: skip

    def _cause(self, line: Line) -> str:
        full = ", and no more of a company may wait" if line.longest >= self._calls_max else ""
        wait = counted(line.calls, "call waits", "calls wait")
        return f"{wait} for {line.agent_id}, the oldest for {line.seconds:.0f} s{full}"


class Server:
    """Connections that run out, and a server that started anew while we were connected."""

    faults = frozenset({FaultKind.POOL_EXHAUSTED, FaultKind.DATABASE_RESTARTED})

    def __init__(self, database: Database, clock: Clock, share_max: float) -> None:
        self._database, self._clock, self._share_max = database, clock, share_max
        self._started_at: datetime | None = None
        self._answered, self._had_room = Well(clock), Well(clock)

    async def look(self) -> list[Sighting]:
        async def work() -> Any:
            return (await self._database.session.execute(_CONNECTIONS)).one()

        found = await self._database.read(work)
        seen, now = [], self._clock.now()
        if found.used > found.allowed * self._share_max:
            cause, detail = f"connections in use: {found.used} of {found.allowed}", {"used": found.used}
            since = self._had_room.at
            seen.append(Sighting(FaultKind.POOL_EXHAUSTED, DATABASE, cause, now, detail=detail, since=since))
        else:
            self._had_room.note()
        if self._started_at not in (None, found.started_at):
            cause = f"the server started anew at {found.started_at:%Y-%m-%dT%H:%M:%SZ}"
            # Nobody tells when the former one ended: between its last answer and this start.
            since = self._answered.at or found.started_at
            seen.append(Sighting(FaultKind.DATABASE_RESTARTED, DATABASE, cause, now, since=since))
        self._started_at = found.started_at
        self._answered.note()
        return seen


class Services:
    """A service of which nobody is ready, though nobody ended it as planned: who leaves in peace withdraws.

    Two looks in a row: the new one of a service that is being replaced announces itself a moment later.
    """

    faults = frozenset({FaultKind.AGENT_UNREACHABLE})

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._suspects: frozenset[str] = frozenset()

    async def look(self) -> list[Sighting]:
        async def work() -> dict[str, tuple[str, datetime | None]]:
            found = await self._database.session.execute(_UNREACHABLE, {"seconds": STALE_SECONDS})
            return {str(service): (str(state), last_beat_at) for service, state, last_beat_at in found}

        unreachable = await self._database.read(work)
        suspects, self._suspects = self._suspects, frozenset(unreachable)
        return [
            Sighting(FaultKind.AGENT_UNREACHABLE, service, f"no instance is ready; the newest is {state}",
                     self._clock.now(), since=last_beat_at)
            for service, (state, last_beat_at) in unreachable.items() if service in suspects
        ]  # fmt: skip


def named(application: str) -> str:
    """The name that a session gave itself, which may be any text, as a word that may be told."""
    return re.sub(r"[^A-Za-z0-9 _.:/-]", "?", application)[:40] or "unnamed"
