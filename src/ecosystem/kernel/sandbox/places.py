"""Places at work that companies take turns at: who waits is served by how little its company has at work."""

import asyncio
from collections import Counter, deque
from uuid import UUID


class Places:
    """`take` one, `give_back` it. Within a company it is first come, first served."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._held: Counter[UUID | None] = Counter()
        self._waiting: dict[UUID | None, deque[asyncio.Future[None]]] = {}

    async def take(self, company: UUID | None) -> None:
        """Returns when a place is taken; the caller gives it back."""
        if self._free and not self._waiting:
            self._free -= 1
            self._held[company] += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(company, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._withdraw(company, turn)
            else:
                self.give_back(company)
            raise

    def give_back(self, company: UUID | None) -> None:
        self._held[company] -= 1
        if not self._held[company]:
            del self._held[company]
        self._free += 1
        while self._waiting and self._free:
            following = min(self._waiting, key=lambda one: self._held[one])
            # Behind the others of its like: among equals the company goes first whose last turn is longest ago.
            waiting = self._waiting.pop(following)
            turn = waiting.popleft()
            if waiting:
                self._waiting[following] = waiting
            if not turn.done():
                self._free -= 1
                self._held[following] += 1
                turn.set_result(None)

    def _withdraw(self, company: UUID | None, turn: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(company)
        if waiting is not None and turn in waiting:
            waiting.remove(turn)
            if not waiting:
                del self._waiting[company]
