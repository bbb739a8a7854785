"""Memory without holes, for a process that is forked again and again.

What a child allocates goes into the holes between what its parent left there, each of them on another page, and each
such page is copied for it. Where the holes are taken it lies side by side, on pages that are new.
"""

import ctypes
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress

_LIBC = ctypes.CDLL(None)
_LIBC.malloc.restype, _LIBC.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
_LIBC.free.argtypes = (ctypes.c_void_p,)
_LIBC.sbrk.restype, _LIBC.sbrk.argtypes = ctypes.c_void_p, (ctypes.c_ssize_t,)
_MALLOC_BYTES = (*(1 << power for power in range(16, 9, -1)), *range(1008, 8, -16))
"""From the largest, so that few calls take much."""
_BYTES_HEAD = sys.getsizeof(b"")
_CLASS = re.compile(r"^ *\d+ +(?P<size>\d+) +\d+ +\d+ +(?P<free>\d+) *$", re.MULTILINE)
_kept: list[object] = []


class _Info(ctypes.Structure):
    """mallinfo(3): `fordblks` is what is free, `keepcost` the part of it above all that is used."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    )  # fmt: skip


def fill() -> None:
    """Take all holes of Python's allocator and of the C library's, for good. Where neither tells of them, nothing."""
    for size, free in _python_s():
        _kept.append(list(_objects(size, free)))
    if hasattr(_LIBC, "mallinfo2"):
        _LIBC.mallinfo2.restype = _Info
        _fill_c_library(_LIBC.mallinfo2())


def _python_s() -> Iterable[tuple[int, int]]:
    """For each size in bytes how many places are free in pools that are begun. Only told to standard error."""
    with suppress(OSError), open(os.memfd_create("eco"), "r+b") as told:
        before = os.dup(2)
        try:
            os.dup2(told.fileno(), 2)
            sys._debugmallocstats()
        finally:
            os.dup2(before, 2)
            os.close(before)
        text = os.pread(told.fileno(), 1 << 20, 0).decode("ascii", "replace")
        return [(int(found["size"]), int(found["free"])) for found in _CLASS.finditer(text)]
    return []


def _objects(size: int, count: int) -> Iterable[object]:
    if size <= object.__sizeof__(object()):
        return (object() for _ in range(count))
    if size <= _BYTES_HEAD:
        return (1_000_000 + number for number in range(count))
    return (bytes(size - _BYTES_HEAD) for _ in range(count))


def _fill_c_library(info: _Info) -> None:
    above = (_LIBC.sbrk(0) or 0) - info.keepcost
    left_bytes = info.fordblks - info.keepcost
    for size in _MALLOC_BYTES:
        for _ in range(left_bytes // size + 1):
            place = _LIBC.malloc(size)
            if not place or place >= above:
                _LIBC.free(place)
                break
