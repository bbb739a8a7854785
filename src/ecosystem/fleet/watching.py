"""Seeing a child end, and hearing what it says of itself, without threads."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson

_LINE_BYTES_MAX = 64 * 1024


async def exited(pid: int) -> int:
    """The exit code of our child `pid` (negative: the signal that ended it), reaped. Uses its pidfd."""
    loop = asyncio.get_running_loop()
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return -9
    over = asyncio.Event()
    loop.add_reader(descriptor, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    with suppress(ChildProcessError):
        _, status = os.waitpid(pid, 0)  # noqa: ASYNC222 it has ended
        return os.waitstatus_to_exitcode(status)
    return -9


class Reports:
    """The JSON lines that a child writes to its pipe; each goes to `heard` until the child closes its end."""

    def __init__(self, descriptor: int, heard: Callable[[dict[str, Any]], None]) -> None:
        self._descriptor, self._heard, self._rest = descriptor, heard, b""
        os.set_blocking(descriptor, False)
        asyncio.get_running_loop().add_reader(descriptor, self._read)
        self._open = True

    def close(self) -> None:
        if self._open:
            self._open = False
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)

    def _read(self) -> None:
        try:
            chunk = os.read(self._descriptor, _LINE_BYTES_MAX)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.close()
            return
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._rest = self._rest[-_LINE_BYTES_MAX:]
        for line in lines:
            with suppress(orjson.JSONDecodeError):
                said = orjson.loads(line)
                if isinstance(said, dict):
                    self._heard(said)
