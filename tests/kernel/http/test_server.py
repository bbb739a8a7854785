"""Goal: a server is told to end, it does not look. Method: the real server on a port, asked over plain HTTP and TLS."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from ecosystem.kernel.http.server import HttpServer
from ecosystem.kernel.http.settings import HttpSettings
from ecosystem.kernel.identity.authority import Authority
from ecosystem.kernel.testing.twins import an_identity
from tests.support.poll import PATIENCE_SECONDS


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


async def test_one_that_serves_for_a_while_ends_when_it_is_told() -> None:
    server = HttpServer(hello, HttpSettings(), context=None)
    port = await server.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/")

    await asyncio.wait_for(server.stop(0), PATIENCE_SECONDS)

    # A probe asks for no date, and so nothing wakes this server once a second to set it.
    assert (answer.text, "date" in answer.headers) == ("hi", False)


async def test_answers_to_services_have_a_date(tmp_path: Path) -> None:
    identity = an_identity(Authority.open(tmp_path / "authority"), tmp_path, "creditx-service")
    server = HttpServer(hello, HttpSettings(), context=identity.server_context())
    port = await server.start()
    context = identity.client_context("creditx-service")
    async with httpx.AsyncClient(verify=context, trust_env=False) as client:
        answer = await client.get(f"https://127.0.0.1:{port}/")
    await server.stop(0)

    assert (answer.text, "date" in answer.headers) == ("hi", True)
