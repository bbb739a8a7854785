"""Bytes outside Python's heap that a worker can be handed without copying: an anonymous file in memory (memfd)."""

import os
from collections.abc import AsyncIterator
from types import TracebackType

_CHUNK_BYTES = 1 << 18


class SharedBytes:
    """Grow it with `write`, read it as often as needed, close it. Never on a disk, gone with its last descriptor."""

    def __init__(self, data: bytes = b"") -> None:
        self._descriptor = os.memfd_create("eco", os.MFD_CLOEXEC)
        self.size = 0
        self.write(data)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, self.size)
            self.size += written
            view = view[written:]

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        return os.pread(self._descriptor, self.size - offset if length is None else length, offset)

    async def chunks(self) -> AsyncIterator[bytes]:
        for offset in range(0, self.size, _CHUNK_BYTES):
            yield self.read(offset, _CHUNK_BYTES)

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "SharedBytes":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
