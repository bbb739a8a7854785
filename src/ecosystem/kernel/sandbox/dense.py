"""Fewer and larger pages of memory, for a process that is forked again and again (madvise(2), transparent huge pages).

A fork copies an entry for each page of 4 KiB, and the end of the child gives each back; of 2 MiB it is one entry. What
a child writes to is copied in pieces of 4 KiB as before. Source: Linux, Documentation/admin-guide/mm/transhuge.rst.
"""

import ctypes
from collections.abc import Iterator
from contextlib import suppress

_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25
_HUGE_BYTES = 2 << 20
_LIBC = ctypes.CDLL(None)
_LIBC.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


class Density:
    """Makes this process's own memory dense, a piece at each call, so that nobody waits for the whole.

    It costs some 4 ms for a piece of 2 MiB, once, and that memory is not shared with the parent any more: only worth
    it for a process whose children are many. Where the kernel cannot (before 6.1, no such page free) nothing changes.
    """

    def __init__(self, *, calls_before: int, pieces_each: int) -> None:
        self._calls_before, self._pieces_each = calls_before, pieces_each
        self._pieces: Iterator[int] | None = None

    def go_on(self) -> None:
        """Nothing for the first `calls_before` calls, then `pieces_each` pieces each until all are done."""
        if self._calls_before > 0:
            self._calls_before -= 1
            return
        if self._pieces is None:
            self._pieces = iter(list(_pieces()))
        for _, place in zip(range(self._pieces_each), self._pieces, strict=False):
            _LIBC.madvise(place, _HUGE_BYTES, _MADV_HUGEPAGE)
            _LIBC.madvise(place, _HUGE_BYTES, _MADV_COLLAPSE)


def _pieces() -> Iterator[int]:
    """Where each whole piece of the heap and of other memory without a file begins."""
    with suppress(OSError), open("/proc/self/maps", encoding="ascii", errors="replace") as maps:
        for line in maps:
            place, rights, _, _, _, *file = line.split()
            if rights == "rw-p" and (not file or file == ["[heap]"]):
                begin, end = (int(edge, 16) for edge in place.split("-"))
                yield from range(begin + -begin % _HUGE_BYTES, end - _HUGE_BYTES + 1, _HUGE_BYTES)
