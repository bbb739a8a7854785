"""A pool that keeps as many connections as were lately needed: each costs the server 5 MB, each new one 10 ms."""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

REST_AFTER_SECONDS = 30.0


class RestingPool(AsyncAdaptedQueuePool):
    """Gives up what nobody needed at the same time during the last one to two periods of `REST_AFTER_SECONDS`."""

    monotonic: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._period_ends = 0.0
        self._peak = self._peak_before = 1

    def _do_get(self) -> ConnectionPoolEntry:
        entry: ConnectionPoolEntry = super()._do_get()
        self._peak = max(self._peak, self.checkedout())
        return entry

    def keeps_one_more(self) -> bool:
        """Whether a connection that is given back now stays."""
        return self.checkedin() < max(self._peak, self._peak_before)

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        now = self.monotonic()
        if now >= self._period_ends:
            self._peak_before, self._peak, self._period_ends = self._peak, 1, now + REST_AFTER_SECONDS
        if record.dbapi_connection is None:
            # A place whose connection is gone does not rest: what rests can be taken without waiting.
            self._dec_overflow()
            return
        if self.keeps_one_more():
            super()._do_return_conn(record)
            return
        try:
            record.close()
        finally:
            self._dec_overflow()
