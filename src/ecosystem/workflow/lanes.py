"""Branches beside each other in one durable task, of which only one at a time may go to sleep.

A durable sleep ends the task's process here and now, so it may begin only when no branch has anything else to do:
then all that wait sleep together, for the longest of their times.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
Sleep = Callable[[str, float], Awaitable[None]]


@dataclass(eq=False)
class _Waiting:
    key: str
    seconds: float
    woken: asyncio.Future[None]


class Lanes:
    def __init__(self, sleep: Sleep) -> None:
        self._sleep = sleep
        self._running = 1
        self._waiting: list[_Waiting] = []
        self._broken: BaseException | None = None

    @property
    def alone(self) -> bool:
        """Whether nothing else of this run is under way."""
        return self._running == 1 and not self._waiting

    async def wait(self, key: str, seconds: float) -> None:
        """Sleep at least `seconds`, once the other lanes have nothing else to do."""
        if self.alone:
            await self._sleep(key, seconds)
            return
        lane = _Waiting(key, seconds, asyncio.get_running_loop().create_future())
        self._waiting.append(lane)
        self._running -= 1
        await self._rest()
        await lane.woken

    async def together(self, branches: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """The results of all, in their order, when the last has ended; raises what the first to break raised."""
        self._running += len(branches) - 1

        async def lane(branch: Callable[[], Awaitable[T]]) -> T:
            try:
                return await branch()
            except BaseException as error:
                self._broken = self._broken or error
                raise
            finally:
                self._running -= 1
                await self._rest()

        ended = await asyncio.gather(*map(lane, branches), return_exceptions=True)
        self._running += 1
        if self._broken is not None:
            raise self._broken
        return [result for result in ended if not isinstance(result, BaseException)]

    async def _rest(self) -> None:
        """Let everybody sleep, if everybody waits for that."""
        if self._running > 0 or not self._waiting:
            return
        sleeping, self._waiting = self._waiting, []
        error = self._broken
        if error is None:
            # Another process comes to the same set of waiting lanes, whatever their order: so to the same name.
            name = min(lane.key for lane in sleeping)
            if len(sleeping) > 1:
                name = f"{name}+{len(sleeping) - 1}"
            try:
                await self._sleep(name, max(lane.seconds for lane in sleeping))
            except BaseException as raised:
                error = raised
        self._running += len(sleeping)
        for lane in sleeping:
            if error is None:
                lane.woken.set_result(None)
            elif not lane.woken.done():
                lane.woken.set_exception(error)
