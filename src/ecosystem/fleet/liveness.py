"""Who stands still: a process that is there and answers nothing is found by looks in a row, and killed.

Its end is then repaired like any other. Looks are counted, not seconds: a supervisor that stood still itself, or a
machine that slept, has missed looks of its own and holds nobody guilty for them.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from ecosystem.fleet.process import Process
from ecosystem.fleet.processes import STOPPED, TRACED, run_state

_LOOK_EVERY_SECONDS = 2.0
_ASKED_IN = ("ready", "degraded", "unready")
_QUESTION = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass
class _Silence:
    """Looks in a row that one life of a process left without an answer, and the question that is open.

    `well_until`: the last moment of which is known that it answered, or ran where nothing else can be asked.
    """

    pid: int
    well_until: datetime
    asked_at: datetime
    missed: int = 0
    has_answered: bool = False
    asking: asyncio.Task[bool] | None = None


class Watch:
    """Looks at all of `processes()`, without a thread; kills what is silent for `frozen_after_seconds`.

    The kernel tells of everybody whether it is stopped by a signal. A service is also asked for `/health/live`, which
    its loop must answer; one that never did is not killed for it: it may be out of our reach. What a debugger holds
    is left alone.
    """

    def __init__(
        self, processes: Callable[[], list[Process]], frozen_after_seconds: float,
        look_every_seconds: float = _LOOK_EVERY_SECONDS,
    ) -> None:  # fmt: skip
        self._processes, self._frozen_after_seconds = processes, frozen_after_seconds
        self._look_every_seconds = look_every_seconds
        # The first look that finds it silent says nothing of the time before.
        self._missed_max = math.ceil(frozen_after_seconds / look_every_seconds) + 1
        self._silences: dict[Process, _Silence] = {}

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._look_every_seconds)
            self.look()

    @property
    def waits_for_nobody(self) -> bool:
        """Whether every question that was asked has come to its end."""
        return all(silence.asking is None or silence.asking.done() for silence in self._silences.values())

    def look(self) -> None:
        """One look at everybody. An answer counts however late it came."""
        former, self._silences = self._silences, {}
        now = datetime.now(UTC)
        for process in self._processes():
            pid = process.seen.pid
            if pid is None or process.is_stopping:
                continue
            silence = former.get(process)
            if silence is None or silence.pid != pid:
                silence = _Silence(pid, now, now)
            self._silences[process] = silence
            silence.missed = 0 if self._is_alive(process, silence, now) else silence.missed + 1
            if silence.missed >= self._missed_max:
                process.kill(f"did not answer for {self._frozen_after_seconds:g} s", silence.well_until)

    def _is_alive(self, process: Process, silence: _Silence, now: datetime) -> bool:
        state, port, asked = run_state(silence.pid), process.seen.ports.get("plain_port"), silence.asking
        if state == STOPPED:
            return False
        if state == TRACED or port is None or process.seen.state not in _ASKED_IN:
            silence.well_until = now
            return True
        answered = asked is not None and asked.done() and asked.result()
        if answered:
            # It answered after it was asked; since then it may stand still.
            silence.well_until = silence.asked_at
        if asked is None or asked.done():
            silence.asking, silence.asked_at = asyncio.create_task(self._ask(process.seen.host, port)), now
        silence.has_answered |= answered
        return answered or not silence.has_answered

    async def _ask(self, host: str, port: int) -> bool:
        """Whether it answered. False only for what is the other side's: our own want of descriptors says nothing."""
        writer = None
        try:
            # Half of the time: should this question be lost, there is time for another.
            async with asyncio.timeout(self._frozen_after_seconds / 2):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(_QUESTION)
                return bool(await reader.readline())
        except (TimeoutError, ConnectionError):
            return False
        except OSError:
            return True
        finally:
            if writer is not None:
                writer.close()
