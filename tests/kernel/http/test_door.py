"""Goal: what comes in by HTTP is refused by name and reveals nothing. Method: the small service's real application."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from fastapi import APIRouter, Request

from ecosystem.kernel import context
from ecosystem.kernel.clock import SystemClock
from ecosystem.kernel.http.app import create_app
from ecosystem.kernel.http.door import EXTENSION, Door, Guards
from ecosystem.kernel.http.health import Health
from ecosystem.kernel.http.settings import HttpSettings
from ecosystem.kernel.telemetry import log as logging
from ecosystem.kernel.testing.twins import NamedPrincipals, a_principal
from tests.kernel.runtime.small import COMPANY, routes

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PRINCIPALS = {
    "reader": a_principal(COMPANY, "things:read"),
    "writer": a_principal(COMPANY, "things:write"),
    "platform": a_principal(None, "things:write"),
}


def a_door(callers: frozenset[str] | None = None, settings: HttpSettings | None = None) -> Door:
    verifier = NamedPrincipals()
    verifier.principals.update(PRINCIPALS)
    health = Health("small", "1", "i", SystemClock().now(), state="ready")
    return Door(create_app("small", "1", [routes()]), Guards(verifier, callers=callers), health, settings=settings)


def as_peer(door: Door, peer: str | None) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"] = {EXTENSION: {"peer": peer}}
        await door(scope, receive, send)

    return app


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(a_door(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://small.test") as client:
        yield client


def bearer(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {name}"}


async def test_a_scope_opens_and_its_absence_is_named(http: httpx.AsyncClient) -> None:
    good = await http.get("/v1/things/7", headers=bearer("reader"))
    bad = await http.get("/v1/things/7", headers=bearer("writer"))

    assert good.json() == {"thing_id": "7", "client_id": "client-1"}
    assert bad.status_code == 403
    assert bad.headers["content-type"] == "application/problem+json"
    assert bad.json()["code"] == "scope_missing"
    assert bad.json()["scopes"] == ["things:read"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "unauthenticated"),
        (bearer("nobody"), "token_invalid"),
        ({"authorization": "Basic YTpi"}, "unauthenticated"),
        ({"authorization": "Digest x"}, "token_invalid"),
    ],
)
async def test_no_token_no_door(http: httpx.AsyncClient, headers: dict[str, str], code: str) -> None:
    refused = await http.get("/v1/things/7", headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (401, code)
    assert refused.headers["www-authenticate"] == "Bearer"


async def test_a_route_for_companies_refuses_a_token_without_one(http: httpx.AsyncClient) -> None:
    refused = await http.post("/v1/things", json={"count": 1}, headers=bearer("platform"))

    assert (refused.status_code, refused.json()["code"]) == (403, "company_missing")


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b'{"count": 1', 400, "malformed_json", None),
        (b"\xff\xfe", 400, None, None),
        (b"[" * 100_000, 400, None, None),
        (b'{"count": "a\'; drop table x; --"}', 422, "request_invalid", "count"),
        (b'{"count": 1, "colour": "red"}', 422, "request_invalid", "colour"),
        (b"{}", 422, "request_invalid", "count"),
        (b"", 422, "request_invalid", "body"),
    ],
)
async def test_a_bad_body_names_field_and_rule(
    http: httpx.AsyncClient, body: bytes, status: int, code: str | None, field: str | None
) -> None:
    headers = bearer("writer") | {"content-type": "application/json"}
    refused = await http.post("/v1/things", content=body, headers=headers)

    told = refused.json()
    assert refused.status_code == status
    assert code is None or told["code"] == code
    assert field is None or told["errors"][0]["field"] == field
    assert "drop table" not in refused.text
    assert told["next_step"]


class TestLimits:
    async def test_a_length_beyond_the_limit_is_refused_before_reading(self, http: httpx.AsyncClient) -> None:
        read = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal read
            read += 1
            yield b"x" * 200_000

        refused = await http.post("/v1/files", content=body(), headers={"content-length": "200000"})

        assert (refused.status_code, refused.json()["code"]) == (413, "file_too_large")
        assert refused.json()["bytes_max"] == 100_000
        assert refused.json()["detail"] == "A request's body has at most 100000 bytes here."

    async def test_a_stream_is_refused_when_it_passes_the_limit(self, http: httpx.AsyncClient) -> None:
        async def body() -> AsyncIterator[bytes]:
            for _ in range(200):
                yield b"x" * 1000

        refused = await http.post("/v1/files", content=body())

        assert (refused.status_code, refused.json()["code"]) == (413, "file_too_large")

    async def test_up_to_the_limit_is_taken(self, http: httpx.AsyncClient) -> None:
        assert (await http.post("/v1/files", content=b"x" * 100_000)).json() == 100_000

    async def test_json_beyond_the_default_is_too_large_not_malformed(self, http: httpx.AsyncClient) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield b'{"count": 1, "x": "'
            for _ in range(1100):
                yield b"x" * 1024

        headers = bearer("writer") | {"content-type": "application/json"}
        refused = await http.post("/v1/things", content=body(), headers=headers)

        assert (refused.status_code, refused.json()["code"]) == (413, "file_too_large")

    async def test_a_body_that_trickles_is_ended_and_one_that_comes_steadily_is_not(self) -> None:
        door = a_door(settings=HttpSettings(body_grace_seconds=0.05, body_bytes_per_second_min=10))
        ended, never = asyncio.Event(), asyncio.Event()

        async def body(first: bytes, until: asyncio.Event) -> AsyncIterator[bytes]:
            yield first
            await until.wait()

        headers = bearer("writer") | {"content-type": "application/json"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://small.test") as http:
            steady = asyncio.create_task(http.post("/v1/files", content=body(b"x" * 10_000, ended)))
            raw = await http.post("/v1/files", content=body(b"x", never))
            read = await http.post("/v1/things", content=body(b"{", never), headers=headers)
            ended.set()

            assert (await steady).json() == 10_000
        for refused in (raw, read):
            assert (refused.status_code, refused.json()["code"]) == (408, "body_too_slow")
            assert refused.json()["retryable"]


async def test_a_crash_tells_its_trace_and_nothing_else(http: httpx.AsyncClient) -> None:
    lines = io.BytesIO()
    logging.configure("small", stream=lines)
    crashed = await http.get("/v1/crash", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    logging.configure("small")

    assert (crashed.status_code, crashed.json()["code"]) == (500, "internal_error")
    assert crashed.json()["trace_id"] == TRACE
    assert "hunter2" not in crashed.text + lines.getvalue().decode()
    assert "Traceback" not in crashed.text
    told = [orjson.loads(line) for line in lines.getvalue().splitlines()]
    assert {line["trace_id"] for line in told} == {TRACE}
    assert told[-1]["context"]["route"] == "/v1/crash"


@pytest.mark.parametrize(
    "header",
    ["", "00-0-0-01", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"00-{TRACE.upper()}-00f067aa0ba902b7-01", "x" * 999],
)
async def test_a_bad_traceparent_begins_a_new_trace(http: httpx.AsyncClient, header: str) -> None:
    refused = await http.get("/v1/things/7", headers={"traceparent": header})

    trace_id = refused.json()["trace_id"]
    assert trace_id != TRACE
    assert len(trace_id) == 32


async def test_unknown_paths_and_methods_are_problems(http: httpx.AsyncClient) -> None:
    answers = [await http.get("/nowhere"), await http.delete("/v1/files")]

    assert [(item.status_code, item.json()["code"]) for item in answers] == [
        (404, "not_found"), (405, "method_not_allowed"),
    ]  # fmt: skip


async def test_a_refused_method_names_every_method_of_the_path() -> None:
    router = APIRouter()
    for method in ("GET", "PUT"):
        router.add_api_route("/v1/things/{thing}", lambda thing: thing, methods=[method], response_model=None)
    router.add_api_route("/v1/others", lambda: "", methods=["POST"], response_model=None)
    transport = httpx.ASGITransport(create_app("two", "1", [router]))
    async with httpx.AsyncClient(transport=transport, base_url="http://two.test") as two:
        refused = await two.delete("/v1/things/7")

    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, PUT")


@pytest.mark.parametrize(("peer", "status"), [("edge", 200), ("authn-service", 200), ("stranger", 403), (None, 403)])
async def test_only_the_edge_and_services_may_call(peer: str | None, status: int) -> None:
    door = a_door(frozenset({"edge", "authn-service"}))
    transport = httpx.ASGITransport(as_peer(door, peer))
    async with httpx.AsyncClient(transport=transport, base_url="http://small.test") as http:
        assert (await http.get("/health/live")).status_code == status
        assert (await http.get("/v1/things/7", headers=bearer("reader"))).status_code == status


async def test_nothing_of_a_request_stays_behind(http: httpx.AsyncClient) -> None:
    await http.get("/v1/things/7", headers=bearer("reader"))

    assert context.current() == context.Context()


async def test_who_hangs_up_half_way_is_no_fault_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    hanging_up = APIRouter()

    @hanging_up.post("/v1/parcels")
    async def take(request: Request) -> None:
        await request.body()

    answered: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        answered.append(message.get("status", 0))

    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/v1/parcels",
        "raw_path": b"/v1/parcels", "root_path": "", "query_string": b"", "headers": [], "client": None,
        "server": ("small.test", 80),
    }  # fmt: skip
    await create_app("small", "1", [hanging_up])(scope, receive, send)

    assert answered[0] == 499
    assert "crashed" not in capsys.readouterr().out
