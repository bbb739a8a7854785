"""Goal: each side proves who it is, and a change of certificates drops nothing. Method: real TLS, real gRPC."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest

from ecosystem.kernel.clock import SystemClock
from ecosystem.kernel.http.app import create_app
from ecosystem.kernel.http.door import Door, Guards
from ecosystem.kernel.http.health import Health
from ecosystem.kernel.http.server import HttpServer
from ecosystem.kernel.http.settings import HttpSettings
from ecosystem.kernel.identity.authority import Authority, AuthorityUnreadable, expires_at
from ecosystem.kernel.identity.identity import Identity, IdentityUnreadable, write_atomically
from ecosystem.kernel.identity.names import peer_service
from ecosystem.kernel.identity.settings import IdentitySettings
from ecosystem.kernel.testing.twins import NamedPrincipals, an_identity
from tests.support.poll import PATIENCE_SECONDS, eventually

ECHO = "/test/Echo"
STREAM = "/test/Stream"


@dataclass
class Served:
    """One process's two doors, as `creditx-service`."""

    folder: Path
    authority: Authority
    identity: Identity
    http_port: int
    grpc_port: int

    async def get(self, context: ssl.SSLContext | bool) -> int:
        async with httpx.AsyncClient(verify=context) as http:
            return (await http.get(f"https://127.0.0.1:{self.http_port}/health/live")).status_code

    async def echo(self, channel: grpc.aio.Channel) -> bytes:
        async with channel:
            method: Any = channel.unary_unary(ECHO)
            answer: bytes = await method(b"hello", timeout=PATIENCE_SECONDS)
        return answer

    def renew(self, *, hours: float = 1) -> None:
        write_atomically(self.folder / "ca.pem", self.authority.bundle())
        write_atomically(self.folder / "creditx-service.pem", self.authority.issue("creditx-service", hours=hours))


class _Echo(grpc.GenericRpcHandler):
    def service(self, details: grpc.HandlerCallDetails) -> Any:
        async def echo(request: bytes, _: Any) -> bytes:
            return request

        async def stream(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
            async for request in requests:
                yield request

        if details.method == ECHO:
            return grpc.unary_unary_rpc_method_handler(echo)
        return grpc.stream_stream_rpc_method_handler(stream)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    authority = Authority.open(tmp_path / "authority")
    identity = an_identity(authority, tmp_path, "creditx-service")
    health = Health("small", "1", "i", SystemClock().now(), state="ready")
    callers = frozenset({"edge", "orchestrator-agent"})
    door = Door(create_app("small", "1", []), Guards(NamedPrincipals(), callers=callers), health)
    http = HttpServer(door, HttpSettings(), context=identity.server_context())
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Echo(),))
    grpc_port = server.add_secure_port("127.0.0.1:0", identity.grpc_server_credentials())
    await server.start()
    yield Served(tmp_path, authority, identity, await http.start(), grpc_port)
    await server.stop(0)
    await http.stop(0)


def foreign(served: Served, name: str = "edge") -> Identity:
    """Of another authority with our name, trusting ours."""
    folder = served.folder / "foreign"
    folder.mkdir(exist_ok=True)
    authority = Authority.open(folder / "authority")
    identity = an_identity(authority, folder, name)
    write_atomically(folder / "ca.pem", served.authority.bundle())
    identity.refresh()
    return identity


REFUSED = (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError, ssl.SSLError)


class TestHttp:
    async def test_a_service_of_ours_comes_in(self, served: Served) -> None:
        edge = an_identity(served.authority, served.folder, "edge")

        assert await served.get(edge.client_context("creditx-service")) == 200

    async def test_a_foreign_authority_does_not(self, served: Served) -> None:
        with pytest.raises(REFUSED):
            await served.get(foreign(served).client_context("creditx-service"))

    async def test_no_certificate_does_not(self, served: Served) -> None:
        context = ssl.create_default_context(cafile=str(served.folder / "ca.pem"))
        with pytest.raises(REFUSED):
            await served.get(context)

    async def test_an_expired_certificate_does_not(self, served: Served) -> None:
        edge = an_identity(served.authority, served.folder, "edge", hours=-0.01)
        with pytest.raises(REFUSED):
            await served.get(edge.client_context("creditx-service"))

    async def test_a_service_that_may_not_call_is_told_so(self, served: Served) -> None:
        stranger = an_identity(served.authority, served.folder, "stranger")

        assert await served.get(stranger.client_context("creditx-service")) == 403

    async def test_a_client_refuses_another_service(self, served: Served) -> None:
        edge = an_identity(served.authority, served.folder, "edge")
        with pytest.raises(httpx.ConnectError):
            await served.get(edge.client_context("authn-service"))

    async def test_a_client_refuses_a_foreign_server(self, served: Served) -> None:
        edge = an_identity(Authority.open(served.folder / "other"), served.folder, "edge")
        with pytest.raises(httpx.ConnectError):
            await served.get(edge.client_context("creditx-service"))


class TestGrpc:
    def target(self, served: Served) -> str:
        return f"127.0.0.1:{served.grpc_port}"

    async def test_a_service_of_ours_comes_in(self, served: Served) -> None:
        edge = an_identity(served.authority, served.folder, "edge")

        assert await served.echo(edge.grpc_channel(self.target(served), "creditx-service")) == b"hello"

    async def test_a_foreign_authority_does_not(self, served: Served) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await served.echo(foreign(served).grpc_channel(self.target(served), "creditx-service"))

        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE

    async def test_an_expired_certificate_does_not(self, served: Served) -> None:
        edge = an_identity(served.authority, served.folder, "edge", hours=-0.01)
        with pytest.raises(grpc.aio.AioRpcError):
            await served.echo(edge.grpc_channel(self.target(served), "creditx-service"))

    async def test_a_client_refuses_another_service(self, served: Served) -> None:
        edge = an_identity(served.authority, served.folder, "edge")
        with pytest.raises(grpc.aio.AioRpcError):
            await served.echo(edge.grpc_channel(self.target(served), "authn-service"))


class TestRenewal:
    async def test_an_open_stream_and_a_kept_connection_go_on(self, served: Served) -> None:
        """Through a new leaf, a second authority, and the end of the first."""
        edge = an_identity(served.authority, served.folder, "edge")
        channel = edge.grpc_channel(f"127.0.0.1:{served.grpc_port}", "creditx-service")
        method: Any = channel.stream_stream(STREAM)
        stream = method()
        http = httpx.AsyncClient(verify=edge.client_context("creditx-service"))
        url, sockets = f"https://127.0.0.1:{served.http_port}/health/live", set()

        async def both() -> None:
            await stream.write(b"x")
            assert await stream.read() == b"x"
            answer = await http.get(url)
            sockets.add(answer.extensions["network_stream"].get_extra_info("client_addr"))

        await both()
        served.renew()
        served.identity.refresh()
        await both()
        served.authority = Authority.rotate(served.folder / "authority")
        served.renew()
        served.identity.refresh()
        await both()
        old = an_identity(Authority.retire_older(served.folder / "authority"), served.folder, "edge")
        served.renew()
        served.identity.refresh()
        await both()
        await stream.done_writing()
        await channel.close()
        await http.aclose()

        assert len(sockets) == 1
        assert old.generation == 1

    async def test_a_removed_authority_is_trusted_no_longer(self, served: Served) -> None:
        before = an_identity(served.authority, served.folder, "edge")
        kept = served.folder / "kept"
        kept.mkdir()
        old = an_identity(served.authority, kept, "edge")
        served.authority = Authority.rotate(served.folder / "authority")
        write_atomically(kept / "ca.pem", served.authority.bundle())
        old.refresh()
        served.authority = Authority.retire_older(served.folder / "authority")
        served.renew()
        served.identity.refresh()
        write_atomically(served.folder / "edge.pem", served.authority.issue("edge"))
        before.refresh()

        assert await served.get(before.client_context("creditx-service")) == 200
        with pytest.raises(REFUSED):
            await served.get(old.client_context("creditx-service"))
        with pytest.raises(grpc.aio.AioRpcError):
            await served.echo(old.grpc_channel(f"127.0.0.1:{served.grpc_port}", "creditx-service"))

    async def test_it_watches_its_files(self, served: Served) -> None:
        stop = asyncio.Event()
        watching = asyncio.create_task(served.identity.watch(stop))
        served.renew(hours=2)

        async def renewed() -> bool:
            return served.identity.generation > 1

        await eventually(renewed)
        stop.set()
        await watching
        assert served.identity.expires_at == expires_at((served.folder / "creditx-service.pem").read_bytes())

    async def test_a_damaged_file_changes_nothing_and_is_told(self, tmp_path: Path) -> None:
        told: list[str] = []
        an_identity(Authority.open(tmp_path / "authority"), tmp_path, "creditx-service")
        settings = IdentitySettings(pem_file=tmp_path / "creditx-service.pem", ca_file=tmp_path / "ca.pem")
        identity = Identity(settings, on_problem=lambda error: told.append(error.code))
        write_atomically(settings.pem_file, b"-----BEGIN CERTIFICATE-----\nnonsense")

        changed = [identity.refresh(), identity.refresh()]

        assert changed == [False, False]
        assert told == ["identity_unreadable"]
        assert identity.generation == 1


class TestAuthority:
    def test_it_is_the_same_after_a_restart(self, tmp_path: Path) -> None:
        assert Authority.open(tmp_path).bundle() == Authority.open(tmp_path).bundle()
        assert (tmp_path / "authority.pem").stat().st_mode & 0o777 == 0o600

    def test_half_of_one_is_refused(self, tmp_path: Path) -> None:
        Authority.open(tmp_path)
        (tmp_path / "authority.pem").write_text("half")
        with pytest.raises(AuthorityUnreadable):
            Authority.open(tmp_path)

    def test_a_process_without_a_certificate_does_not_begin(self, tmp_path: Path) -> None:
        with pytest.raises(IdentityUnreadable):
            Identity(IdentitySettings(pem_file=tmp_path / "no.pem", ca_file=tmp_path / "ca.pem"))


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("spiffe://eco.local/edge", "edge"),
        ("spiffe://eco.local.evil/edge", None),
        ("spiffe://eco.local/edge/more", None),
        ("spiffe://eco.local/", None),
        ("https://eco.local/edge", None),
    ],
)
def test_only_names_of_our_domain_count(uri: str, name: str | None) -> None:
    assert peer_service(uri) == name
