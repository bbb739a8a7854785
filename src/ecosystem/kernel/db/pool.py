"""A pool that keeps as many connections as were lately needed: each costs the server 5 MB, each new one 10 ms."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, PoolProxiedConnection

REST_AFTER_SECONDS = 30.0


class RestingPool(AsyncAdaptedQueuePool):
    """Gives up what nobody needed at the same time during the last one to two periods of `REST_AFTER_SECONDS`.

    One connection may rest at hand: taken out, so that taking it and laying it back is an assignment.
    """

    monotonic: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._period_ends = 0.0
        self._peak = self._peak_before = 1
        self._at_hand: PoolProxiedConnection | None = None
        self._wanting = 0
        self._decided = False

    def take(self) -> PoolProxiedConnection | None:
        """What can be had without waiting: what is at hand, or else rests. None: ask the engine, in a greenlet."""
        held, self._at_hand = self._at_hand, None
        if held is None and self.checkedin():
            # Its connection may have been given up since: then as if none rested.
            with suppress(MissingGreenlet):
                return self.connect()
        return held

    def lay_back(self, held: PoolProxiedConnection) -> bool:
        """Give back what can be given back without waiting; False where its connection is one too many."""
        if self._at_hand is None and not self._wanting and held.is_valid:
            self._at_hand = held
            return True
        return self._rested(held)

    def clear_hand(self) -> PoolProxiedConnection | None:
        """What was at hand, for who closes all: it is theirs to close."""
        held, self._at_hand = self._at_hand, None
        return held

    def share_hand(self) -> None:
        """Let what is at hand rest like any other, for who takes one by other ways; not where enough others rest."""
        held = self.clear_hand()
        if held is not None and not self._rested(held):
            self._at_hand = held

    def _do_get(self) -> ConnectionPoolEntry:
        self._wanting += 1
        try:
            entry: ConnectionPoolEntry = super()._do_get()
        finally:
            self._wanting -= 1
        # What is at hand is taken out of the pool, but nobody needs it.
        self._peak = max(self._peak, self.checkedout() - (self._at_hand is not None))
        return entry

    def _rested(self, held: PoolProxiedConnection) -> bool:
        if keeps := self._keeps_one_more():
            # Decided once: a period that begins in between would have it closed, which must be waited for.
            self._decided = True
            held.close()
        return keeps

    def _keeps_one_more(self) -> bool:
        now = self.monotonic()
        if now >= self._period_ends:
            self._peak_before, self._peak, self._period_ends = self._peak, 1, now + REST_AFTER_SECONDS
        return self.checkedin() + (self._at_hand is not None) < max(self._peak, self._peak_before)

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        decided, self._decided = self._decided, False
        if record.dbapi_connection is None:
            # A place whose connection is gone does not rest: what rests can be taken without waiting.
            self._dec_overflow()
        elif decided or self._keeps_one_more():
            super()._do_return_conn(record)
        else:
            try:
                record.close()
            finally:
                self._dec_overflow()
