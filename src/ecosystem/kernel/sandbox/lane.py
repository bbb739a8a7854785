"""Workers of one weight: their spawner, those that stand ready, and how many work at once.

What is heavy has a lane of its own, so that small work never waits behind it, and never forks from a large process.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ecosystem.kernel import context
from ecosystem.kernel.sandbox import seccomp
from ecosystem.kernel.sandbox.errors import SandboxUnavailable
from ecosystem.kernel.sandbox.spawning import Asked, Spawning, Worker


@dataclass(frozen=True)
class LaneLimits:
    """`idle_seconds`: after so long without work the spawner ends, with all it has loaded; None keeps it."""

    workers_max: int
    workers_warm: int
    waiting_max: int
    start_timeout_seconds: float
    niceness: int
    idle_seconds: float | None = None


class Lane:
    def __init__(self, limits: LaneLimits) -> None:
        self._limits = limits
        self.spawning = Spawning(limits.niceness)
        self._warm: deque[Asked] = deque()
        self._free = asyncio.Semaphore(limits.workers_max)
        self._present = 0
        self._rest: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the places to work at. Raises SandboxUnavailable where too many wait for one."""
        if self._present >= self._limits.waiting_max:
            raise SandboxUnavailable(f"{self._present} jobs wait for the sandbox already.")
        self._present += 1
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        try:
            async with self._free:
                yield
        finally:
            self._present -= 1
            if self._present == 0 and self._limits.idle_seconds is not None:
                loop = asyncio.get_running_loop()
                self._rest = loop.call_later(self._limits.idle_seconds, self.spawning.rest)

    async def warm(self, modules: frozenset[str]) -> None:
        """Have workers ready that know `modules`. Raises SandboxUnavailable if there can be none."""
        worker = await self.worker(modules)
        ready: Asked = asyncio.get_running_loop().create_future()
        ready.set_result(worker)
        self._warm.appendleft(ready)

    async def worker(self, modules: frozenset[str]) -> Worker:
        """A living worker that knows `modules`; the next ones are asked for while it works."""
        if not seccomp.supported():
            raise SandboxUnavailable(
                "The sandbox needs Linux on x86-64.", suggestion="Run this service on a Linux machine with x86-64."
            )
        try:
            async with asyncio.timeout(context.remaining_seconds(self._limits.start_timeout_seconds)):
                while self._warm:
                    asked = self._warm.popleft()
                    worker = await _arrival(asked)
                    if worker is not None and modules <= worker.modules and worker.alive:
                        break
                    _let_go(asked)
                else:
                    asked = self.spawning.ask(modules)
                    try:
                        worker = await asked
                    except asyncio.CancelledError:
                        _let_go(asked)
                        raise
        except TimeoutError:
            raise SandboxUnavailable("No worker stood ready in time.") from None
        # Only now: where one worker cannot be made, asking for more would go on for ever.
        while len(self._warm) < self._limits.workers_warm:
            self._warm.append(self.spawning.ask(modules))
        return worker

    def close(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        while self._warm:
            _let_go(self._warm.popleft())
        self.spawning.close()


async def _arrival(asked: Asked) -> Worker | None:
    """The worker, or None where it could not be made: what failed for an earlier job need not fail for this one."""
    try:
        return await asked
    except SandboxUnavailable:
        return None
    except asyncio.CancelledError:
        _let_go(asked)
        raise


def _let_go(asked: Asked) -> None:
    """Give up a worker that was asked for, whether it stands ready or is still to come."""
    if not asked.done():
        asked.cancel()
    elif not asked.cancelled() and asked.exception() is None:
        asked.result().end()
