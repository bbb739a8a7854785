"""Branches beside each other in one durable task, of which only one at a time may suspend it.

A durable sleep, or a wait for an answer, ends the task's process here and now, so it may begin only when no branch has
anything else to do: then all that sleep do so together, for the longest of their times. Answers are waited for when
nobody sleeps, one after the other: one that comes before its turn is kept for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

T = TypeVar("T")
Sleep = Callable[[str, float], Awaitable[None]]


@dataclass(eq=False)
class _Waiting:
    """`listen` gives what the lane waits for; None where it sleeps."""

    key: str
    seconds: float
    listen: Callable[[], Awaitable[Any]] | None
    woken: asyncio.Future[Any]


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
        await self._rested(key, seconds, None)

    async def hear(self, key: str, listen: Callable[[], Awaitable[T]]) -> T:
        """What `listen` gives, asked once the other lanes have nothing else to do."""
        if self.alone:
            return await listen()
        heard: T = await self._rested(key, 0.0, listen)
        return heard

    async def _rested(self, key: str, seconds: float, listen: Callable[[], Awaitable[Any]] | None) -> Any:
        lane = _Waiting(key, seconds, listen, asyncio.get_running_loop().create_future())
        self._waiting.append(lane)
        self._running -= 1
        await self._rest()
        return await lane.woken

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
        # Nothing was raised, so all are results: also an error that a branch gives to whoever joins them.
        return cast("list[T]", ended)

    async def _rest(self) -> None:
        """Let everybody sleep, or one hear its answer, if everybody waits for that."""
        if self._running > 0 or not self._waiting:
            return
        error, heard = self._broken, None
        first = min(self._waiting, key=lambda lane: (lane.listen is not None, lane.key))
        woken = [first] if first.listen else [lane for lane in self._waiting if lane.listen is None]
        if error is None:
            try:
                heard = await (first.listen() if first.listen else self._sleep_together(first.key, woken))
            except BaseException as raised:
                error = raised
        woken = woken if error is None else self._waiting
        self._waiting = [lane for lane in self._waiting if lane not in woken]
        self._running += len(woken)
        for lane in woken:
            if error is None:
                lane.woken.set_result(heard)
            elif not lane.woken.done():
                lane.woken.set_exception(error)

    async def _sleep_together(self, first: str, sleeping: Sequence[_Waiting]) -> None:
        # Another process comes to the same set of sleeping lanes, whatever their order: so to the same name.
        name = f"{first}+{len(sleeping) - 1}" if len(sleeping) > 1 else first
        await self._sleep(name, max(lane.seconds for lane in sleeping))
