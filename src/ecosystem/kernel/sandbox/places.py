"""Places at work that companies take turns at: who waits is served by how little its company has at work."""

import asyncio
from collections import Counter

from ecosystem.kernel.turns import Company, Turns


class Places:
    """`take` one, `give_back` it."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._held: Counter[Company] = Counter()
        self._turns: Turns[asyncio.Future[None]] = Turns()

    async def take(self, company: Company) -> None:
        """Returns when a place is taken; the caller gives it back."""
        if self._free and not self._turns.size:
            self._hold(company)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.add(company, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._turns.remove(company, turn)
            else:
                self.give_back(company)
            raise

    def give_back(self, company: Company) -> None:
        self._held[company] -= 1
        if not self._held[company]:
            del self._held[company]
        self._free += 1
        while self._turns.size and self._free:
            following, turn = self._turns.take_next(self._held)
            if not turn.done():
                self._hold(following)
                turn.set_result(None)

    def _hold(self, company: Company) -> None:
        self._free -= 1
        self._held[company] += 1
