"""What uploads hold in memory at the same time, shared out among companies."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ecosystem.kernel.turns import Company
from ecosystem.services.creditx.errors import UploadsBusy


class Room:
    """Of an upload it holds what has arrived. A company may hold as much as is left free, so there is always room for
    another: one alone gets half of it, two get a third each.
    """

    def __init__(self, bytes_max: int) -> None:
        self._free = bytes_max
        self._held: Counter[Company] = Counter()

    @contextmanager
    def upload(self, company: Company) -> Iterator[Callable[[int], None]]:
        """A place that grows: call what this gives with the size of each piece before it is kept.

        That raises UploadsBusy. An upload that is alone may always grow.
        """
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            if size and mine < self._held.total() and self._held[company] + size > self._free - size:
                raise UploadsBusy(retry_after_seconds=1)
            mine += size
            self._hold(company, size)

        try:
            yield take
        finally:
            self._hold(company, -mine)

    def _hold(self, company: Company, size: int) -> None:
        self._free -= size
        self._held[company] += size
        if not self._held[company]:
            del self._held[company]
