"""The supervisor: parent of everything on one machine. Small, asyncio, no gRPC, no database."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson

from ecosystem import __version__
from ecosystem.catalog import CATALOG, DEPLOYMENTS, Entry, find
from ecosystem.fleet.control import ControlServer
from ecosystem.fleet.edge_reach import unreached
from ecosystem.fleet.errors import FleetRefused, NotStarted
from ecosystem.fleet.first import Begun
from ecosystem.fleet.home import FORMAT, write_atomically
from ecosystem.fleet.journal import SUPERVISOR, Journal, What
from ecosystem.fleet.liveness import Watch
from ecosystem.fleet.logs import last_lines, note, turn_over
from ecosystem.fleet.plan import Plan
from ecosystem.fleet.process import CrashLoop, Process, Seen, Starter, Told
from ecosystem.fleet.processes import become_subreaper, started_ticks
from ecosystem.fleet.settings import REPLICAS_MAX
from ecosystem.fleet.starters import EngineStarter, ServiceStarter, ZygoteStarter, postgres_first, run_once
from ecosystem.kernel.errors import EcosystemError, NotFound
from ecosystem.kernel.words import counted

_CARE_SECONDS = 10.0
_EDGE_ANSWER_SECONDS = 10.0
_SAVE_AGAIN_SECONDS = 0.5

Tell = Callable[[str], None]


def _unknown(service: str | None) -> NotFound:
    known = ", ".join(entry.short_name for entry in DEPLOYMENTS)
    return NotFound(f"There is no service {service!r}.", suggestion=f"one of: {known}")


class Supervisor:
    """`tell` hears the progress of a start in plain words. `zygote`: one that was begun before us."""

    def __init__(self, plan: Plan, tell: Tell, zygote: Begun | None = None) -> None:
        self._plan, self._tell = plan, tell
        self._zygote = ZygoteStarter(plan.home, zygote)
        self._engines: dict[str, Process] = {}
        self._services: dict[str, dict[int, Process]] = {entry.name: {} for entry in DEPLOYMENTS}
        self._state, self._stop = "starting", asyncio.Event()
        self._saving: asyncio.Handle | None = None
        self._changing = asyncio.Lock()
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._journal = Journal(plan.home.journal, plan.settings.journal_bytes_max, self._started_at)

    async def run(self) -> int:
        """Start everything, serve commands until told to stop, stop everything. The exit code."""
        become_subreaper()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        control = ControlServer(self._plan.home.control, self)
        await control.open()
        watch = Watch(self._all, self._plan.settings.frozen_after_seconds)
        tending = [asyncio.create_task(self._care()), asyncio.create_task(watch.run())]
        note(self._plan.home.logs, "info", "supervisor started")
        self._journal_start()
        try:
            await self._start_or_stop()
        except EcosystemError as error:
            self._state = "failed"
            self._save_now(reason=error.message)
            raise
        finally:
            for task in tending:
                task.cancel()
            await self._stop_all()
            await control.close()
        return 0

    def request_stop(self) -> None:
        self._stop.set()

    def _journal_start(self) -> None:
        """Not planned where the supervisor before us was not asked to end: it would have said that it stopped."""
        before = (self._plan.home.read_state() or {}).get("state", "stopped")
        planned = before == "stopped"
        well_until = None if planned else self._plan.home.state_at()
        reason = "" if planned else "the supervisor before it ended without being asked to"
        self._journal.write(
            SUPERVISOR, SUPERVISOR, What.STARTED, service=SUPERVISOR, planned=planned, reason=reason, pid=os.getpid(),
            well_until=well_until.isoformat(timespec="milliseconds") if well_until else None,
        )  # fmt: skip

    async def _start_or_stop(self) -> None:
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            with suppress(asyncio.CancelledError):
                await starting
            return
        stopping.cancel()
        starting.result()
        await self._stop.wait()

    async def _start(self) -> None:
        """Engines and the import side by side; the migrations when both are there; then every service at once."""
        plan, timeout = self._plan, self._plan.settings.ready_timeout_seconds
        plan.certificates.renew(plan.names())
        self._begin("zygote", "zygote", self._zygote, __version__)
        if plan.postgres is not None:
            first = postgres_first(plan.postgres.begin_initdb, plan.postgres.finish_initdb, plan.postgres.is_free)
            self._begin("postgresql", "engine", EngineStarter(plan.home, plan.postgres, first), plan.postgres.version)
        if plan.cache is not None:
            self._begin("cache", "engine", EngineStarter(plan.home, plan.cache), plan.cache.version)
        self._begin("edge", "engine", EngineStarter(plan.home, plan.edge), plan.edge.version)
        self._tell("starting engines, importing services")
        needed = [self._engines[name] for name in ("zygote", "postgresql", "cache") if name in self._engines]
        await self._until_ready(needed, timeout)
        self._tell("migrating the database")
        await run_once(plan.home, self._zygote, plan.migrate_order())
        self._tell("starting services")
        for entry in DEPLOYMENTS:
            for slot in range(1, plan.replicas(entry) + 1):
                self._add(entry, slot)
        await self._until_ready(self._all(), timeout)
        await self._until_edge_answers()
        self._state = "ready"
        self._save_now()
        self._tell("ready")

    def _begin(self, name: str, kind: str, starter: Starter, version: str) -> None:
        log = str(self._plan.home.logs / f"{name}.log")
        seen = Seen(name=name, kind=kind, version=version, log=log)
        process = Process(seen, starter, self._save_soon, self._noting(name, seen))
        self._engines[name] = process
        process.begin()

    def _add(self, entry: Entry, slot: int) -> Process:
        name = f"{entry.short_name}-{slot}"
        starter = ServiceStarter(
            self._plan.home, self._zygote, name, lambda instance_id: self._plan.service_order(entry, instance_id)
        )
        seen = Seen(name=entry.name, kind="service", version=__version__, log=str(self._plan.home.logs / f"{name}.log"))
        settings = self._plan.settings
        loop = CrashLoop(settings.crash_loop_lives_max, settings.crash_loop_rest_seconds)
        process = Process(seen, starter, self._save_soon, self._noting(name, seen), loop)
        self._services[entry.name][slot] = process
        process.begin()
        return process

    def _noting(self, name: str, seen: Seen) -> Told:
        logs = self._plan.home.logs

        def told(what: What, reason: str, planned: bool) -> None:
            if what in (What.ENDED, What.FROZEN) and not planned:
                note(logs, "warning", f"{name}: {reason}")
            is_held = what is What.HELD_BACK or (what is What.STOPPED and not planned)
            self._journal.write(
                name, seen.kind, what, service=seen.name, planned=planned, reason=reason, pid=seen.pid,
                restarts=seen.restarts, attempt=seen.attempt, left=seen.restarts_left,
                well_until=None if planned else seen.well_until, lines=last_lines(logs, name) if is_held else (),
            )  # fmt: skip

        return told

    def _all(self) -> list[Process]:
        return [*self._engines.values(), *self._all_services()]

    def _all_services(self) -> list[Process]:
        return [process for slots in self._services.values() for process in slots.values()]

    async def _until_ready(self, processes: Iterable[Process], timeout_seconds: float) -> None:
        processes = list(processes)
        try:
            await asyncio.gather(*(process.until_ready(timeout_seconds) for process in processes))
        except TimeoutError:
            late = [f"{p.seen.name}: {p.seen.state} {p.seen.reason}".rstrip() for p in processes if not p.is_ready]
            raise NotStarted("; ".join(late)) from None

    async def _until_edge_answers(self) -> None:
        """Until the edge sends to every service: before, what is asked first of it is refused."""
        end = asyncio.get_running_loop().time() + _EDGE_ANSWER_SECONDS
        host, port = self._plan.settings.edge_host, self._plan.edge_port
        while True:
            instances = [
                (entry.name, one.seen.ports.get("http_port"))
                for entry in CATALOG
                for one in self._services[entry.name].values()
            ]
            missing = await unreached(self._plan.home.edge, host, port, instances)
            if missing is None:
                return
            if asyncio.get_running_loop().time() > end:
                raise NotStarted(missing, suggestion="eco logs edge; eco logs gateway")
            await asyncio.sleep(0.01)

    async def scale(self, service: str, replicas: int, tell: Tell) -> None:
        """Raises NotFound, FleetRefused; waits until new replicas are ready and old ones have drained."""
        entry = find(service)
        if entry is None:
            raise _unknown(service)
        least = 0 if entry.backup_of else 1
        if not least <= replicas <= REPLICAS_MAX:
            raise FleetRefused(
                f"{entry.name} has {least} to {REPLICAS_MAX} replicas.", suggestion="Choose another number."
            )
        async with self._changing:
            slots = self._services[entry.name]
            fresh = [self._add(entry, slot) for slot in range(1, replicas + 1) if slot not in slots]
            await self._until_ready(fresh, self._plan.settings.ready_timeout_seconds)
            for slot in sorted((slot for slot in slots if slot > replicas), reverse=True):
                tell(f"draining {entry.short_name}-{slot}")
                await slots[slot].stop(self._plan.settings.stop_timeout_seconds)
                del slots[slot]
            self._save_now()
            tell(f"{entry.name} has {counted(len(slots), 'replica')}")

    async def restart(self, service: str | None, tell: Tell) -> None:
        """Replace replicas one after the other: the new one is ready before the old one drains."""
        entries = [find(service)] if service else list(DEPLOYMENTS)
        if entries[0] is None:
            raise _unknown(service)
        async with self._changing:
            # The new zygote imports the code as it is now; what runs is not touched by its coming or failing.
            tell("importing services")
            self._engines["zygote"].renew()
            await self._until_ready([self._engines["zygote"]], self._plan.settings.ready_timeout_seconds)
            for entry in entries:
                if entry is not None:
                    await self._replace(entry, tell)
            self._save_now()

    async def _replace(self, entry: Entry, tell: Tell) -> None:
        slots = self._services[entry.name]
        for slot in sorted(slots):
            tell(f"replacing {entry.short_name}-{slot}")
            former = slots[slot]
            fresh = self._add(entry, slot)
            try:
                await self._until_ready([fresh], self._plan.settings.ready_timeout_seconds)
            except NotStarted:
                await fresh.stop(self._plan.settings.stop_timeout_seconds)
                slots[slot] = former
                raise
            await former.stop(self._plan.settings.stop_timeout_seconds)

    async def _care(self) -> None:
        """What a long life needs: certificates, log files, strays."""
        while True:
            await asyncio.sleep(_CARE_SECONDS)
            with suppress(OSError):
                self._plan.certificates.renew(self._plan.names())
                turn_over(self._plan.home.logs, self._plan.settings.log_bytes_max)
            if self._plan.home.read_state() is None:
                self._save_now()  # somebody damaged it, and commands look there for the edge
            with suppress(OSError):
                # The sign of life that a successor finds.
                os.utime(self._plan.home.state_file)
            self._journal.flush()
            if self._state == "ready" and not self._changing.locked():
                self._reap_strays()

    def _reap_strays(self) -> None:
        """Orphans of our children became ours when their parents died; nobody else waits for them."""
        ours = {process.seen.pid for process in self._all()}
        with suppress(ChildProcessError):
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                if found.si_pid in ours:
                    return
                os.waitpid(found.si_pid, 0)

    async def _stop_all(self) -> None:
        """Services first, so that what is in flight is answered through an edge that still stands; engines last."""
        self._state = "stopping"
        self._save_now()
        timeout = self._plan.settings.stop_timeout_seconds
        await asyncio.gather(*(process.stop(timeout, at_once=True) for process in self._all_services()))
        for name in ("edge", "cache", "zygote", "postgresql"):
            if name in self._engines:
                await self._engines[name].stop(timeout)
        self._journal.write(SUPERVISOR, SUPERVISOR, What.STOPPED, service=SUPERVISOR, pid=os.getpid())
        self._state = "stopped"
        self._save_now()

    def _save_soon(self) -> None:
        """Many changes of one moment become one write."""
        if self._saving is None:
            self._saving = asyncio.get_running_loop().call_later(0.02, self._save_now)

    def _save_now(self, reason: str = "") -> None:
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        try:
            write_atomically(self._plan.home.state_file, orjson.dumps(self.state() | {"reason": reason}), 0o644)
        except OSError:
            # A full disk, for example. What was not written is not forgotten: nothing else may change for hours.
            self._saving = asyncio.get_running_loop().call_later(_SAVE_AGAIN_SECONDS, self._save_now, reason)

    def state(self) -> dict[str, Any]:
        """What `eco status` shows and `state.json` keeps."""
        plan = self._plan
        return {
            "format": FORMAT, "version": __version__, "state": self._state, "pid": os.getpid(),
            "started_ticks": started_ticks(os.getpid()), "started_at": self._started_at,
            "home": str(plan.home.path), "control": str(plan.home.control),
            "edge_port": plan.edge_port, "edge_port_before": plan.edge_door.former,
            "processes": [{"process": process.seen.slot, **asdict(process.seen)} for process in self._all()],
            # Without an edge there is nothing that a client could be told.
            **({"edge_url": plan.edge_url, "edge_ca": str(plan.home.bundle)} if self._state == "ready" else {}),
        }  # fmt: skip
