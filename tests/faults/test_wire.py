"""Goal: the wire fails as it says and heals. Method: an echo server behind it, over TCP and over a Unix socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from faults.wire import Way, Wire, without_notifications
from tests.faults.under_way import FOR_EVER_SECONDS, under_way
from tests.support.engines import short_folder
from tests.support.poll import PATIENCE_SECONDS

LITTLE_PATIENCE_SECONDS = 0.3
"""Where nothing is to come: a slow machine makes that no less true."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1000):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def an_echo_behind_a_wire() -> AsyncIterator[tuple[Wire, int]]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    wire = Wire(("127.0.0.1", server.sockets[0].getsockname()[1]))
    port = await wire.listen_tcp()
    try:
        yield wire, port
    finally:
        await wire.close()
        server.close()


async def said_back(streams: Streams, text: bytes, patience_seconds: float = PATIENCE_SECONDS) -> bytes:
    """What comes back; empty where the connection ended or nothing came."""
    reader, writer = streams
    try:
        writer.write(text)
        async with asyncio.timeout(patience_seconds):
            return await reader.read(len(text))
    except (OSError, TimeoutError):
        return b""


class TestWays:
    async def test_whole_it_passes_everything(self) -> None:
        async with an_echo_behind_a_wire() as (_, port):
            assert await said_back(await asyncio.open_connection("127.0.0.1", port), b"hello") == b"hello"

    async def test_delayed_answers_come_late_and_whole(self) -> None:
        async with an_echo_behind_a_wire() as (wire, port):
            streams = await asyncio.open_connection("127.0.0.1", port)
            async with under_way(wire.fail(Way.DELAY, FOR_EVER_SECONDS, delay_seconds=0.1)):
                began = asyncio.get_running_loop().time()
                answer = await said_back(streams, b"hello")
                took = asyncio.get_running_loop().time() - began

        assert answer == b"hello"
        assert took >= 0.1

    @pytest.mark.parametrize("way", [Way.DROP, Way.HALF_OPEN])
    async def test_what_was_lost_is_never_made_up_for(self, way: Way) -> None:
        async with an_echo_behind_a_wire() as (wire, port):
            streams = await asyncio.open_connection("127.0.0.1", port)
            assert await said_back(streams, b"one") == b"one"
            async with under_way(wire.fail(way, FOR_EVER_SECONDS)):
                lost = await said_back(streams, b"two", LITTLE_PATIENCE_SECONDS)
            after = await said_back(streams, b"three")
            fresh = await said_back(await asyncio.open_connection("127.0.0.1", port), b"four")

        assert (lost, after, fresh) == (b"", b"", b"four")

    async def test_cut_it_refuses_until_it_is_whole(self) -> None:
        async with an_echo_behind_a_wire() as (wire, port):
            streams = await asyncio.open_connection("127.0.0.1", port)
            assert await said_back(streams, b"one") == b"one"
            async with under_way(wire.fail(Way.RESET, FOR_EVER_SECONDS)):
                cut = await said_back(streams, b"two")
                refused = await said_back(await asyncio.open_connection("127.0.0.1", port), b"three")
            fresh = await said_back(await asyncio.open_connection("127.0.0.1", port), b"four")

        assert (cut, refused, fresh) == (b"", b"", b"four")

    async def test_over_a_unix_socket_too(self) -> None:
        with short_folder("wire") as folder:
            server = await asyncio.start_unix_server(echo, Path(folder) / "there")
            wire = Wire(Path(folder) / "there")
            await wire.listen_unix(Path(folder) / "here")
            answer = await said_back(await asyncio.open_unix_connection(Path(folder) / "here"), b"hello")
            await wire.close()
            server.close()

        assert answer == b"hello"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


class TestNotifications:
    @pytest.mark.parametrize("size", [1, 3, 7, 1000])
    def test_they_are_taken_out_wherever_the_stream_is_split(self, size: int) -> None:
        stream = message(b"D", b"row") + message(b"A", b"channel") + message(b"Z", b"I") + message(b"A", b"x" * 50)
        frames = bytearray()

        kept = b"".join(
            without_notifications(frames, stream[at : at + size]) for at in range(0, len(stream), size)
        )  # fmt: skip

        assert kept == message(b"D", b"row") + message(b"Z", b"I")
        assert not frames
