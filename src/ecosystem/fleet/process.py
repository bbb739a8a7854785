"""One process that should be running: started, watched, replaced when it ends, held back when it ends too often."""

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from ecosystem.fleet.errors import NotStarted
from ecosystem.fleet.journal import What
from ecosystem.fleet.processes import STOPPED, descendants, run_state, started_ticks
from ecosystem.fleet.watching import exited
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.words import times

_WINDOW_SECONDS = 60.0
_FREE_RESTARTS = 2
_DELAYS_SECONDS = (0.5, 1, 2, 4, 8, 16, 30)
_ENDS_HOPELESS = 5
_EXIT_REFUSED = 78  # EX_CONFIG: its settings are refused, another try will not help
_SHORT_LIFE_SECONDS = 15.0

Told = Callable[[What, str, bool], None]
"""Hears what happens to a process, the reason, and whether somebody asked for it."""


@dataclass(frozen=True)
class CrashLoop:
    """After `lives_max` short lives in a row a process is stopped; it gets one try every `rest_seconds` then."""

    lives_max: int
    rest_seconds: float


@dataclass
class Seen:
    """What a process shows of itself. `state`: starting, ready, degraded, draining, stopped, backing off.

    `pid` and `ticks` (its start since boot) together name one process for ever. `last_end` is why the process before
    it ended, and stays the reason that is shown for as long as this one has none of its own. `well_until` is the last
    sign of life of one that was ended because it was silent. `attempt` counts the restarts since it last lived for a
    minute; `restarts_left` are those before it is stopped if all lives stay short, None where it is tried for ever.
    """

    name: str
    kind: str
    instance_id: str = ""
    state: str = "starting"
    reason: str = ""
    pid: int | None = None
    ticks: int | None = None
    version: str = ""
    started_at: str | None = None
    restarts: int = 0
    last_end: str = ""
    last_end_at: str | None = None
    well_until: str | None = None
    attempt: int = 0
    restarts_left: int | None = None
    weight: int = 1
    log: str = ""
    host: str = "127.0.0.1"
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def slot(self) -> str:
        """Its name among all: `creditx-1` is one replica of the service `creditx-service`, and names its log."""
        return Path(self.log).stem or self.name


class Starter(Protocol):
    """How a kind of process is started and known to be ready."""

    stop_signal: signal.Signals

    async def start(self, process: "Process") -> int:
        """Start it and return its pid."""

    async def ready(self, process: "Process") -> None:
        """Return once it is ready; cancelled when it ends before."""

    def last_words(self) -> str:
        """The last log line of its life, as the reason of its end."""


class Process:
    """`changed` is called after every change of `seen`, `told` after what the journal keeps.

    Without `crash_loop` it is tried for ever: an engine must come back by itself when a full disk has room again.
    """

    def __init__(
        self, seen: Seen, starter: Starter, changed: Callable[[], None], told: Told = lambda *_: None,
        crash_loop: CrashLoop | None = None,
    ) -> None:  # fmt: skip
        self.seen, self._starter, self._changed, self._told = seen, starter, changed, told
        self._crash_loop, self._short_lives, self._life_seconds = crash_loop, 0, 0.0
        self._killed_because = ""
        self._well_until: str | None = None
        # Whether the present life replaces one that ended without being asked to.
        self._replacing = False
        self._ends: deque[float] = deque(maxlen=32)
        self._stopping = self._renewing = False
        self._ready, self._hopeless = asyncio.Event(), asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._keeping = asyncio.create_task(self._keep(), name=f"keep {self.seen.name}")

    def show(self, state: str, reason: str = "", **more: Any) -> None:
        """Record what the process says of itself."""
        if state == "ready" != self.seen.state:
            self._told(What.READY, "", not self._replacing)
            self._replacing = False
        self.seen.state, self.seen.reason = state, reason or (self.seen.last_end if state == "ready" else "")
        for name, value in more.items():
            setattr(self.seen, name, value)
        if state == "ready":
            self._ready.set()
            self._hopeless.clear()
        elif state != "draining":
            self._ready.clear()
        self._changed()

    @property
    def is_ready(self) -> bool:
        return self.seen.state == "ready"

    @property
    def is_stopping(self) -> bool:
        return self._stopping

    async def until_ready(self, timeout_seconds: float) -> None:
        """Raises TimeoutError when the time is over, and NotStarted as soon as more time will not help."""
        waits = [asyncio.create_task(event.wait()) for event in (self._ready, self._hopeless)]
        try:
            async with asyncio.timeout(timeout_seconds):
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not self._ready.is_set():
            raise NotStarted(f"{self.seen.name}: {self.seen.reason}")

    async def stop(self, timeout_seconds: float, *, at_once: bool = False) -> None:
        """Ask it to end (twice: without waiting for the edge), and kill it when it does not."""
        self._stopping = True
        if self._keeping is None or self._keeping.done():
            return
        self._signal(self._starter.stop_signal)
        if at_once:
            self._signal(self._starter.stop_signal)
        if self.seen.pid is None:
            self._keeping.cancel()
        _, late = await asyncio.wait([self._keeping], timeout=timeout_seconds)
        if late:
            self._signal(signal.SIGKILL)
            await asyncio.wait([self._keeping], timeout=5)
        self.show("stopped")
        self._told(What.STOPPED, "", True)

    def renew(self) -> None:
        """Kill it, so that another takes its place; that is no restart which anything is to be blamed for."""
        self._renewing = True
        self.show("starting", "renewed")
        self._signal(signal.SIGKILL)

    def kill(self, because: str, well_until: datetime | None = None) -> None:
        """End it and whatever of it stands still too: what is stopped sees no end of its parent. Another follows."""
        if self.seen.pid is None:
            return
        self._killed_because = because
        self._well_until = well_until.isoformat(timespec="milliseconds") if well_until else None
        still = [pid for pid in descendants(self.seen.pid) if run_state(pid) == STOPPED]
        self._signal(signal.SIGKILL)
        for pid in still:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.seen.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.seen.pid, number)

    async def _keep(self) -> None:
        while not self._stopping:
            reason = await self._live_once()
            if self._stopping:
                return
            if self._renewing:
                self._renewing = False
                self._ends.clear()
                self._told(What.ENDED, "renewed", True)
                continue
            self.seen.restarts += 1
            self.seen.last_end, self.seen.last_end_at, self.seen.well_until = reason, _now(), self._well_until
            self._count_attempt()
            self._replacing = True
            self._told(What.FROZEN if self._killed_because else What.ENDED, reason, False)
            await self._hold_back(reason)

    async def _hold_back(self, reason: str) -> None:
        """Wait before the next life, for as long as the ends before it deserve."""
        loop = self._crash_loop
        if loop is not None and self._short_lives >= loop.lives_max:
            self._short_lives = loop.lives_max - 1
            ends = f"{loop.lives_max} lives in a row ended within {_SHORT_LIFE_SECONDS:g} s"
            self.show("backing off", f"{reason}; stopped: {ends}, next try in {loop.rest_seconds:g} s")
            self._hopeless.set()
            self._told(What.STOPPED, self.seen.reason, False)
            await asyncio.sleep(loop.rest_seconds)
        elif delay := self._delay():
            often = f"{times(len(self._ends))} within a minute"
            self.show("backing off", f"{reason}; ended {often}, next try in {delay:g} s")
            if len(self._ends) >= _ENDS_HOPELESS:
                self._hopeless.set()
            self._told(What.HELD_BACK, self.seen.reason, False)
            await asyncio.sleep(delay)
        else:
            self.show("starting", f"restarted: {reason}")

    def _count_attempt(self) -> None:
        self.seen.attempt = 1 if self._life_seconds >= _WINDOW_SECONDS else self.seen.attempt + 1
        if self._crash_loop is not None:
            self.seen.restarts_left = max(0, self._crash_loop.lives_max - 1 - self._short_lives)

    async def _live_once(self) -> str:
        """One life, from start to end; the reason of the end."""
        self._killed_because, self._well_until, self._life_seconds = "", None, 0.0
        try:
            pid = await self._starter.start(self)
        except (EcosystemError, OSError) as error:
            self._ends.append(time.monotonic())
            return f"could not be started: {error}{self._words()}"
        self.seen.pid, self.seen.started_at = pid, _now()
        self.seen.ticks = started_ticks(pid)
        self._changed()
        self._told(What.STARTED, "", not self._replacing)
        began = time.monotonic()
        if self._stopping:  # asked to stop while it was being started
            self._signal(self._starter.stop_signal)
        readying = asyncio.create_task(self._become_ready())
        try:
            code = await exited(pid)
        finally:
            readying.cancel()
            with suppress(asyncio.CancelledError):
                await readying
            self.seen.pid = None
        self._ends.append(time.monotonic())
        self._life_seconds = time.monotonic() - began
        self._short_lives = self._short_lives + 1 if self._life_seconds < _SHORT_LIFE_SECONDS else 0
        reason = self._killed_because or f"{_how(code)}{self._words()}"
        if code == _EXIT_REFUSED:
            self.seen.reason = reason
            self._hopeless.set()
        return reason

    async def _become_ready(self) -> None:
        try:
            await self._starter.ready(self)
        except EcosystemError as error:
            # The rest of this life is still waited for: its end, which mostly follows, says more.
            self.show("degraded", error.message)

    def _words(self) -> str:
        words = self._starter.last_words()
        return f" ({words})" if words else ""

    def _delay(self) -> float:
        """Nothing for the first ends of a minute, then more and more."""
        now = time.monotonic()
        while self._ends and now - self._ends[0] > _WINDOW_SECONDS:
            self._ends.popleft()
        beyond = len(self._ends) - _FREE_RESTARTS
        return _DELAYS_SECONDS[min(beyond, len(_DELAYS_SECONDS)) - 1] if beyond > 0 else 0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _how(code: int) -> str:
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"


async def all_stopped(stops: list[Awaitable[None]]) -> None:
    await asyncio.gather(*stops)
