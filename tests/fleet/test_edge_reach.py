"""Goal: a platform is ready when its edge sends to all that runs. Method: files as gateway writes them, real TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from ecosystem.fleet.edge_reach import unreached
from ecosystem.kernel.identity.authority import Authority
from ecosystem.services.gateway.rendering.clusters import endpoints
from ecosystem.services.gateway.rendering.shapes import Endpoint

SERVICE = "authn-service"


def know(folder: Path, *ports: int) -> None:
    assignment = endpoints(SERVICE, [Endpoint("127.0.0.1", port) for port in ports])
    (folder / f"eds_{SERVICE}.json").write_bytes(orjson.dumps({"resources": [assignment]}))


@asynccontextmanager
async def an_edge(folder: Path, status: str) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    pem = folder / "edge.pem"
    pem.write_bytes(Authority.open(folder / "authority").issue("edge"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("known", "status", "told"),
    [
        ((), "200 OK", "does not know authn-service on port 2"),
        ((1,), "200 OK", "does not know authn-service on port 2"),
        ((1, 2), "503 Service Unavailable", "answers 503 for authn-service"),
        ((1, 2), "200 OK", None),
    ],
)
async def test_it_is_reached_when_its_files_and_its_answer_say_so(
    tmp_path: Path, known: tuple[int, ...], status: str, told: str | None
) -> None:
    if known:
        know(tmp_path, *known)
    async with an_edge(tmp_path, status) as port:
        missing = await unreached(tmp_path, "127.0.0.1", port, [(SERVICE, 2)])

    assert (missing is None) == (told is None)
    assert told is None or told in str(missing)


async def test_one_that_does_not_listen_is_named(tmp_path: Path) -> None:
    know(tmp_path, 2)
    async with an_edge(tmp_path, "200 OK") as port:
        pass

    assert f"does not answer on 127.0.0.1:{port}" in str(await unreached(tmp_path, "127.0.0.1", port, [(SERVICE, 2)]))
