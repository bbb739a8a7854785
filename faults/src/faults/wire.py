"""A small proxy for streams, over TCP or Unix sockets, whose wire can be made slow, lossy, half-open or cut."""

import asyncio
import os
import socket
import struct
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

_READ_BYTES = 1 << 16
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)

Address = Path | tuple[str, int]


class Way(StrEnum):
    """What happens to what goes through. `MUTE` takes PostgreSQL's notifications out of its answers."""

    PASS = "pass"
    DELAY = "delay"
    DROP = "drop"
    RESET = "reset"
    HALF_OPEN = "half-open"
    MUTE = "mute"


class Wire:
    """Listens on a TCP port, or on a path, and connects each caller with `target`."""

    def __init__(self, target: Address) -> None:
        self.target = target
        self.way, self.delay_seconds = Way.PASS, 0.0
        self._server: asyncio.Server | None = None
        self._port = self._away = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._doomed: set[asyncio.StreamWriter] = set()

    async def listen_tcp(self, port: int = 0) -> int:
        """The port, on the loopback."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self._port

    async def listen_unix(self, path: Path) -> None:
        self._server = await asyncio.start_unix_server(self._accept, path)
        os.chmod(path, 0o777)

    async def fail(self, way: Way, seconds: float, *, delay_seconds: float = 0.2) -> None:
        """Let the wire fail for `seconds`. Connections that lost something are reset at the end."""
        self.way, self.delay_seconds = way, delay_seconds
        if way is Way.RESET:
            self.reset(self._open)
        try:
            await asyncio.sleep(seconds)
        finally:
            if self.way is way:
                self.way = Way.PASS
            self.reset(self._doomed)

    async def leave(self, seconds: float) -> None:
        """Nobody listens on the TCP port for `seconds`, as where the machine behind it is up and its program is not."""
        assert self._server is not None
        self._away += 1
        self._server.close()
        self.reset(self._open)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._away -= 1
            if not self._away:
                await self.listen_tcp(self._port)

    def reset(self, connections: set[asyncio.StreamWriter]) -> None:
        for writer in list(connections):
            if (sock := writer.get_extra_info("socket")) is not None and sock.family != socket.AF_UNIX:
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            writer.transport.abort()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.reset(self._open)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.way is Way.RESET:
            self.reset({writer})
            return
        self._open.add(writer)
        try:
            if self.way is Way.HALF_OPEN:
                self._doomed.add(writer)
                await reader.read()
                return
            there_reader, there_writer = await self._connect()
        except OSError:
            self._let_go(writer)
            return
        self._open.add(there_writer)
        ends = {writer, there_writer}
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, there_writer, ends, answers=False))
                both.create_task(self._pump(there_reader, writer, ends, answers=True))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._let_go(writer)
            self._let_go(there_writer)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target, Path):
            return await asyncio.open_unix_connection(self.target)
        return await asyncio.open_connection(*self.target)

    def _let_go(self, writer: asyncio.StreamWriter) -> None:
        self._open.discard(writer)
        self._doomed.discard(writer)
        writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: set[asyncio.StreamWriter], *,
        answers: bool,
    ) -> None:  # fmt: skip
        frames = bytearray()
        while data := await reader.read(_READ_BYTES):
            if self.way is Way.DELAY and answers:
                await asyncio.sleep(self.delay_seconds)
            if self.way is Way.HALF_OPEN or (self.way is Way.DROP and answers):
                # From here on the two ends differ about what was said: this connection is past saving.
                self._doomed |= ends
            if self._doomed & ends:
                continue
            if answers and (self.way is Way.MUTE or frames):
                data = without_notifications(frames, data)
            writer.write(data)
            await writer.drain()
        # One end closed: the other hears of it at once.
        for end in ends:
            end.transport.abort() if end in self._doomed else end.close()


def without_notifications(frames: bytearray, data: bytes) -> bytes:
    """The messages of PostgreSQL's protocol that `data` completes, without NotificationResponse ('A').

    `frames` keeps the beginning of the next message; what comes must begin where a message begins.
    """
    frames += data
    kept = bytearray()
    while len(frames) >= 5:
        size = 1 + int.from_bytes(frames[1:5], "big")
        if len(frames) < size:
            break
        if frames[:1] != b"A":
            kept += frames[:size]
        del frames[:size]
    return bytes(kept)
