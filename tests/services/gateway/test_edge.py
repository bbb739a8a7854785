"""Goal: the rendered files make an edge that is safe and loses nothing. Method: a real Envoy, real TLS services."""

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from joserfc.jwk import ECKey

from ecosystem.kernel.http.problems import NOT_NOW
from ecosystem.kernel.identity.identity import write_atomically
from ecosystem.services.gateway.model import file, rejected_now, render
from tests.services.gateway.envoys import RunningEdge, Upstream, answers, jwks_of
from tests.support.poll import PATIENCE_SECONDS, eventually


def problem(response: httpx.Response) -> tuple[int, str, str]:
    body = response.json()
    assert body["status"] == response.status_code
    assert body["trace_id"] == response.headers["x-request-id"]
    return response.status_code, response.headers["content-type"], body["code"]


class TestTokens:
    async def test_a_token_goes_through_and_on_to_the_service(self, edge: RunningEdge) -> None:
        token = edge.token()
        response = await answers(edge, "/v1/documents", 200, token)

        assert response.json()["headers"]["authorization"] == f"Bearer {token}"

    @pytest.mark.parametrize(
        "path", ["/v1/documents", "/v1/documents/1/result", "/v1/runs", "/v1//documents", "/v1/x/../documents"]
    )
    async def test_none_is_refused(self, edge: RunningEdge, path: str) -> None:
        async with edge.client() as client:
            response = await client.get(path)

        assert problem(response) == (401, "application/problem+json", "unauthenticated")
        assert edge.upstreams["a"].seen + edge.upstreams["b"].seen == []

    async def test_forged_expired_and_foreign_ones_are_refused(self, edge: RunningEdge) -> None:
        forged = [
            edge.token(ECKey.generate_key("P-256")), edge.token(exp=1), edge.token(iss="https://elsewhere.test"),
            edge.token(aud="others"), edge.token()[:-4] + "AAAA", "nonsense",
        ]  # fmt: skip
        statuses = []
        for token in forged:
            async with edge.client(token) as client:
                statuses.append((await client.get("/v1/documents")).status_code)

        assert statuses == [401, 401, 401, 403, 401, 401]

    async def test_open_paths_and_basic_need_none(self, edge: RunningEdge) -> None:
        async with edge.client(authorization="Basic YTpi") as client:
            found = [(await client.post(path)).status_code for path in ("/oauth/token", "/agent/handle")]

        assert found == [200, 200]

    async def test_a_new_key_is_known_without_a_new_listener(self, edge: RunningEdge) -> None:
        other = ECKey.generate_key("P-256")
        assert edge.write(jwks=jwks_of(edge.key, other)) == ["ecds_jwt.json"]

        both = [await answers(edge, "/v1/documents", 200, edge.token(key)) for key in (other, edge.key)]

        assert len(both) == 2


class TestRequests:
    async def test_names_that_only_the_edge_may_say_are_stripped(self, edge: RunningEdge) -> None:
        forged = {
            "x-jwt-sub": "root", "X-JWT-Payload": "e30", "x-jwt-anything": "1",
            "x-forwarded-client-cert": "URI=spiffe://eco.local/authn-service",
        }  # fmt: skip
        async with edge.client(**forged) as client:
            seen = (await client.post("/oauth/token")).json()["headers"]

        assert [name for name in seen if name.startswith("x-jwt") or "client-cert" in name] == []

    async def test_the_trace_of_the_caller_goes_on(self, edge: RunningEdge) -> None:
        trace = "0af7651916cd43dd8448eb211c80319c"
        async with edge.client(traceparent=f"00-{trace}-b7ad6b7169203331-01") as client:
            given = (await client.post("/oauth/token")).json()["headers"]["traceparent"]

        assert given.split("-")[1] == trace

    async def test_who_brings_no_trace_gets_one(self, edge: RunningEdge) -> None:
        async with edge.client() as client:
            response = await client.post("/oauth/token")
        headers = response.json()["headers"]

        assert len(headers["traceparent"].split("-")[1]) == 32
        assert response.headers["x-request-id"] == headers["x-request-id"]

    async def test_http2_is_offered(self, edge: RunningEdge) -> None:
        context = ssl.create_default_context(cadata=edge.authority.bundle().decode())
        context.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection("127.0.0.1", edge.place.port, ssl=context)
        chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        writer.close()

        assert chosen == "h2"

    async def test_a_renewed_certificate_is_shown_without_a_new_listener(self, edge: RunningEdge) -> None:
        context = ssl.create_default_context(cadata=edge.authority.bundle().decode())

        async def serial() -> str:
            _, writer = await asyncio.open_connection("127.0.0.1", edge.place.port, ssl=context)
            certificate = writer.get_extra_info("peercert")
            writer.close()
            return str(certificate["serialNumber"])

        before = await serial()
        write_atomically(edge.place.pem_file, edge.authority.issue("edge"))

        async def renewed() -> bool:
            return await serial() != before

        assert await eventually(renewed)
        assert (await answers(edge, "/v1/documents", 200, edge.token())).status_code == 200

    @pytest.mark.parametrize("encoding", ["gzip", "br"])
    async def test_answers_are_compressed(self, edge: RunningEdge, encoding: str) -> None:
        async with (
            edge.client(**{"accept-encoding": encoding}) as client,
            client.stream("POST", "/oauth/token") as response,
        ):
            raw = b"".join([part async for part in response.aiter_raw()])

        assert response.headers["content-encoding"] == encoding
        assert len(raw) < 1500
        assert encoding == "br" or json.loads(gzip.decompress(raw))["by"] == "authn"

    async def test_an_unknown_path_is_not_found(self, edge: RunningEdge) -> None:
        async with edge.client(edge.token()) as client:
            found = [problem(await client.get(path)) for path in ("/nothing", "/v1/documentsx")]

        assert found == [(404, "application/problem+json", "not_found")] * 2

    @pytest.mark.parametrize(
        ("path", "size", "status"),
        [
            ("/v1/documents", 101 * 1024 * 1024, None),
            ("/v1/documents", 101 * 1024 * 1024 + 1, 413),
            ("/v1/runs", 16 * 1024 * 1024 + 1, 413),
            ("/oauth/token", 64 * 1024 + 1, 413),
        ],
    )
    async def test_what_is_too_long_is_refused_before_it_is_sent(
        self, edge: RunningEdge, path: str, size: int, status: int | None
    ) -> None:
        context = ssl.create_default_context(cadata=edge.authority.bundle().decode())
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.place.port, ssl=context)
        head = f"POST {path} HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer {edge.token()}\r\n"
        writer.write(f"{head}content-length: {size}\r\n\r\nfirst".encode())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS if status else 0.3):
                answer: bytes | None = await reader.readuntil(b"\r\n")
        except TimeoutError:
            answer = None
        writer.close()

        assert (answer and int(answer.split()[1])) == status

    async def test_who_shows_no_token_and_sends_slowly_takes_no_place_at_a_service(self, edge: RunningEdge) -> None:
        limits = edge.wanted.limits
        edge.write(limits=replace(limits, request_seconds=1))
        try:
            answer = await eventually(lambda: _slow_answer(edge, "/oauth/token"))
        finally:
            edge.write(limits=limits)

        assert answer == 408
        assert edge.upstreams["authn"].seen == []

    @pytest.mark.parametrize(
        ("path", "version", "headers", "status", "code", "word"),
        [
            ("/v1/documents", "1.1", "connection: Upgrade\r\nupgrade: websocket", 400, "upgrade_refused", "WebSocket"),
            ("/oauth/token", "1.1", "connection: upgrade\r\nupgrade: tls/1.2", 400, "upgrade_refused", "WebSocket"),
            ("/v1/documents", "1.0", "connection: close", 426, "protocol_not_supported", "HTTP/1.1"),
            ("/v1/documents", "1.1", f"content-length: {200 << 20}", 413, "file_too_large", f" {101 << 20} bytes"),
            ("/oauth/token", "1.1", f"content-length: {1 << 20}", 413, "file_too_large", f" {64 << 10} bytes"),
        ],
    )
    async def test_a_refusal_of_the_edge_says_the_rule_that_is_broken(
        self, edge: RunningEdge, path: str, version: str, headers: str, status: int, code: str, word: str
    ) -> None:
        context = ssl.create_default_context(cadata=edge.authority.bundle().decode())
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.place.port, ssl=context)
        token = f"authorization: Bearer {edge.token()}\r\n"
        writer.write(f"GET {path} HTTP/{version}\r\nhost: edge\r\n{token}{headers}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        told = json.loads(await reader.readexactly(int(head.partition("content-length: ")[2].split()[0])))
        writer.close()

        assert (int(head.split()[1]), told["status"], told["code"]) == (status, status, code)
        assert word in told["detail"]
        assert edge.upstreams["a"].seen + edge.upstreams["b"].seen + edge.upstreams["authn"].seen == []

    async def test_a_token_of_others_is_refused_for_what_it_is(self, edge: RunningEdge) -> None:
        async with edge.client(edge.token(aud="others"), upgrade="websocket") as client:
            response = await client.get("/v1/documents")

        assert problem(response) == (403, "application/problem+json", "forbidden")

    async def test_the_access_log_tells_trace_and_request_and_no_query(self, edge: RunningEdge) -> None:
        trace = "1af7651916cd43dd8448eb211c80319c"
        async with edge.client(edge.token(), traceparent=f"00-{trace}-b7ad6b7169203331-01") as client:
            response = await client.get("/v1/documents?q=secret-words")

        async def line() -> dict[str, object] | None:
            return next((line for line in edge.lines() if line["trace_id"] == trace), None)

        found = await eventually(line)
        assert found is not None
        assert found["request_id"] == response.headers["x-request-id"]
        assert (found["status"], found["path"], found["user_id"]) == (200, "/v1/documents", "client-1")
        assert "secret-words" not in edge.log.read_text()


class TestInstances:
    async def test_weights_share_the_requests(self, edge: RunningEdge) -> None:
        edge.send_to("creditx-service", "a", "b", weights={"a": 30, "b": 10})

        async def three_to_one() -> bool:
            for name in "ab":
                edge.upstreams[name].seen.clear()
            async with edge.client(edge.token()) as client:
                for _ in range(40):
                    await client.get("/v1/documents")
            return len(edge.upstreams["a"].seen) == 30

        assert await eventually(three_to_one)

    async def test_a_planned_stop_fails_no_request(self, edge: RunningEdge) -> None:
        async with _load(edge) as failed:
            edge.send_to("creditx-service", "b")
            await eventually(lambda: _nothing_for(edge, "a"))

        assert failed == []

    async def test_one_that_takes_the_place_of_all_fails_no_request(self, edge: RunningEdge) -> None:
        """It is not health-checked yet when the last of the former ones goes."""
        fresh = await edge.upstream("creditx-service", "fresh")

        async def is_taking() -> bool:
            return len(fresh.seen) > 20

        async with _load(edge) as failed:
            edge.send_to("creditx-service", "fresh")
            await eventually(is_taking)

        assert failed == []

    async def test_reading_is_tried_again_and_acting_is_not(self, edge: RunningEdge) -> None:
        edge.send_to("creditx-service", "a")
        a = edge.upstreams["a"]

        await eventually(lambda: _nothing_for(edge, "b"))
        async with edge.client(edge.token()) as client:
            a.seen.clear()
            a.reset_first = 1
            reading = await client.get("/v1/documents")
            tried = len(a.seen)
            a.seen.clear()
            a.reset_first = 1
            acting = await client.post("/v1/documents")

        assert (reading.status_code, tried) == (200, 2)
        assert (problem(acting)[0], len(a.seen)) == (503, 1)

    @pytest.mark.parametrize("size", [0, 100, 1024 * 1024])
    async def test_a_key_lets_what_acts_be_tried_again_with_its_whole_body(self, edge: RunningEdge, size: int) -> None:
        a = await _only(edge, "a")
        async with edge.client(edge.token(), **{"idempotency-key": "one"}) as client:
            a.reset_first = 1
            response = await client.post("/v1/documents", content=b"x" * size)

        assert (response.status_code, [one["size"] for one in a.seen]) == (200, [size, size])

    @pytest.mark.parametrize(("headers", "asked"), [({}, 4), ({NOT_NOW: "true"}, 1)])
    async def test_what_an_overloaded_service_refuses_is_not_asked_for_again(
        self, edge: RunningEdge, headers: dict[str, str], asked: int
    ) -> None:
        a = await _only(edge, "a")
        a.status, a.headers = 503, headers
        async with edge.client(edge.token(), **{"idempotency-key": "one"}) as client:
            refused = await client.post("/v1/documents", content=b"x" * 100)

        assert (refused.status_code, len(a.seen), NOT_NOW in refused.headers) == (503, asked, False)

    async def test_what_is_too_long_to_be_kept_is_sent_once(self, edge: RunningEdge) -> None:
        a, size = await _only(edge, "a"), 5 * 1024 * 1024
        async with edge.client(edge.token(), **{"idempotency-key": "one"}) as client:
            whole = await client.post("/v1/documents", content=b"x" * size)
            a.reset_first = 1
            cut = await client.post("/v1/documents", content=b"x" * size)

        assert (whole.status_code, cut.status_code, [one["size"] for one in a.seen]) == (200, 503, [size, size])

    async def test_a_key_helps_nothing_where_no_service_promises_to_heed_it(self, edge: RunningEdge) -> None:
        events = await edge.upstream("events-service", "events")
        edge.send_to("events-service", "events")
        await answers(edge, "/v1/events", 200, edge.token())
        events.seen.clear()
        async with edge.client(edge.token(), **{"idempotency-key": "one"}) as client:
            events.reset_first = 1
            response = await client.post("/v1/events/replay")

        assert (response.status_code, len(events.seen)) == (503, 1)

    async def test_a_token_is_asked_for_again(self, edge: RunningEdge) -> None:
        authn = edge.upstreams["authn"]
        async with edge.client() as client:
            authn.reset_first = 1
            response = await client.post("/oauth/token", content=b"grant_type=client_credentials")

        assert (response.status_code, len(authn.seen)) == (200, 2)

    async def test_an_instance_that_is_not_healthy_gets_nothing(self, edge: RunningEdge) -> None:
        edge.upstreams["a"].healthy = False

        assert await eventually(lambda: _nothing_for(edge, "a"))

    async def test_a_killed_one_costs_a_reader_nothing(self, edge: RunningEdge) -> None:
        victim = await edge.upstream("creditx-service", "victim")
        edge.send_to("creditx-service", "a", "victim")
        statuses = set[int]()

        async def load(until: Callable[[], bool]) -> None:
            async with edge.client(edge.token()) as client:
                while not until():
                    statuses.add((await client.get("/v1/documents")).status_code)

        # Both must be taking requests: an instance that an earlier case had declared unhealthy needs a check to return.
        served = len(edge.upstreams["a"].seen)
        both = [load(lambda: len(victim.seen) > 20 and len(edge.upstreams["a"].seen) > served + 20) for _ in range(4)]
        await asyncio.wait_for(asyncio.gather(*both), PATIENCE_SECONDS)
        victim.die()
        served = len(edge.upstreams["a"].seen)
        await asyncio.gather(*(load(lambda: len(edge.upstreams["a"].seen) > served + 60) for _ in range(4)))

        assert statuses == {200}

    async def test_one_that_always_fails_is_ejected(self, edge: RunningEdge) -> None:
        edge.upstreams["a"].status = 500

        assert await eventually(lambda: _nothing_for(edge, "a"))

    async def test_no_instance_is_unavailable(self, edge: RunningEdge) -> None:
        async with edge.client(edge.token()) as client:
            response = await client.get("/v1/runs")

        assert problem(response) == (503, "application/problem+json", "unavailable")

    async def test_another_service_is_not_taken_for_the_one_that_is_wanted(self, edge: RunningEdge) -> None:
        """A stolen port: the certificate is valid, but of authn-service."""
        edge.send_to("creditx-service", "authn")
        edge.upstreams["authn"].seen.clear()

        response = await answers(edge, "/v1/documents", 503, edge.token())

        assert problem(response)[2] == "unavailable"
        assert edge.upstreams["authn"].seen == []


class TestRejection:
    async def test_a_file_that_envoy_refuses_is_told_until_a_good_one_comes(self, edge: RunningEdge) -> None:
        name, before, rejected = "http.edge.rds.edge", await edge.admin.stats(), dict[str, int]()

        async def look() -> dict[str, int]:
            nonlocal before, rejected
            now = await edge.admin.stats()
            before, rejected = now, rejected_now(before, now, rejected)
            return rejected

        async def mended() -> bool:
            return name not in await look()

        edge.files.write({"rds.json": file([{"@type": "type.googleapis.com/nothing"}])})
        assert name in await eventually(look)
        assert (await answers(edge, "/v1/documents", 200, edge.token())).status_code == 200

        edge.files.write(
            {"rds.json": render(edge.wanted)["rds.json"].replace(b"max-age=31536000", b"max-age=31536001")}
        )
        assert await eventually(mended)
        edge.write()


@asynccontextmanager
async def _load(edge: RunningEdge) -> AsyncIterator[list[str]]:
    """Four clients that act all the time; the answers other than 200."""
    failed, stop = list[str](), asyncio.Event()

    async def act() -> None:
        async with edge.client(edge.token()) as client:
            while not stop.is_set():
                response = await client.post("/v1/documents")
                if response.status_code != 200:
                    failed.append(response.text)

    clients = [asyncio.create_task(act()) for _ in range(4)]
    yield failed
    stop.set()
    await asyncio.gather(*clients)


async def _only(edge: RunningEdge, name: str) -> Upstream:
    """That instance of creditx, now the only one that gets requests."""
    edge.send_to("creditx-service", name)
    (other,) = {"a", "b"} - {name}
    await eventually(lambda: _nothing_for(edge, other))
    edge.upstreams[name].seen.clear()
    return edge.upstreams[name]


async def _nothing_for(edge: RunningEdge, name: str) -> bool:
    """Whether ten requests in a row all went well, and to others."""
    edge.upstreams[name].seen.clear()
    async with edge.client(edge.token()) as client:
        statuses = {(await client.post("/v1/documents")).status_code for _ in range(10)}
    return statuses == {200} and not edge.upstreams[name].seen


async def _slow_answer(edge: RunningEdge, path: str) -> int | None:
    """The status for a body that does not come; None where none came for longer than a second may take to be known."""
    context = ssl.create_default_context(cadata=edge.authority.bundle().decode())
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.place.port, ssl=context)
    writer.write(f"POST {path} HTTP/1.1\r\nhost: edge\r\ncontent-length: 400\r\n\r\ngrant".encode())
    try:
        async with asyncio.timeout(3):
            return int((await reader.readuntil(b"\r\n")).split()[1])
    except TimeoutError:
        return None
    finally:
        writer.close()
