"""Goal: a revoked certificate is refused at the next call, on open connections too. Method: real TLS, real gRPC."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from ecosystem.kernel.agent.call import Call
from ecosystem.kernel.agent.client import AgentClient
from ecosystem.kernel.agent.handling import Handling
from ecosystem.kernel.agent.host import AgentHost
from ecosystem.kernel.agent.message import CallRefused
from ecosystem.kernel.agent.server import AgentServer
from ecosystem.kernel.agent.settings import AgentSettings
from ecosystem.kernel.agent.transport import GrpcTransport
from ecosystem.kernel.clock import SystemClock
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.http.app import create_app
from ecosystem.kernel.http.door import Door, Guards
from ecosystem.kernel.http.health import Health
from ecosystem.kernel.http.server import HttpServer
from ecosystem.kernel.http.settings import HttpSettings
from ecosystem.kernel.identity.authority import Authority
from ecosystem.kernel.identity.identity import Identity, write_atomically
from ecosystem.kernel.identity.revocations import Revocations, serial_text
from ecosystem.kernel.identity.settings import IdentitySettings
from ecosystem.kernel.testing.twins import MemoryInstance, MemoryRegistry, NamedPrincipals
from tests.kernel.runtime.small import AGENTS, NAME, SMALL, Measure, Measured, Note
from tests.support.poll import eventually


@dataclass
class Platform:
    """Two services of one authority: `small-agent` is served by one, the other calls it by gRPC and by HTTP."""

    folder: Path
    authority: Authority
    agents: AgentClient
    http: httpx.AsyncClient

    def revoke(self, service: str) -> str:
        serial = serial_of(self.folder / f"{service}.pem")
        write_atomically(self.folder / "revoked", f"# serial, whose\n{serial.upper()} {service}\n".encode())
        return serial

    async def ask(self) -> int:
        answer = await self.agents.call(Measure(text_id="four"), to="small-agent", sender="asking-agent")
        return int(answer.length)  # type: ignore[attr-defined]

    async def asked_code(self) -> str:
        try:
            return str(await self.ask())
        except EcosystemError as error:
            return error.code


def serial_of(file: Path) -> str:
    return serial_text(x509.load_pem_x509_certificate(file.read_bytes()).serial_number)


def an_identity(authority: Authority, folder: Path, name: str) -> Identity:
    write_atomically(folder / f"{name}.pem", authority.issue(name))
    write_atomically(folder / "ca.pem", authority.bundle())
    files = {"pem_file": folder / f"{name}.pem", "ca_file": folder / "ca.pem", "revoked_file": folder / "revoked"}
    return Identity(IdentitySettings.model_validate(files))


async def measure(task: Measure, _: Call) -> Measured:
    return Measured(length=len(task.text_id))


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    authority = Authority.open(tmp_path / "authority")
    serving, calling = (an_identity(authority, tmp_path, name) for name in (NAME, "postgres-service"))
    handling = Handling([AgentHost(SMALL, {Measure: measure, Note: measure})], AGENTS)
    server = AgentServer(handling, serving, AgentSettings())
    registry = MemoryRegistry({NAME: [MemoryInstance("one", grpc_port=await server.start())]})
    transport = GrpcTransport(registry, calling)
    health = Health("small", "1", "i", SystemClock().now(), state="ready")
    guards = Guards(NamedPrincipals(), callers=frozenset({"postgres-service"}), is_revoked=serving.is_revoked)
    web = HttpServer(
        Door(create_app("small", "1", []), guards, health), HttpSettings(), context=serving.server_context()
    )
    url = f"https://127.0.0.1:{await web.start()}"
    async with httpx.AsyncClient(verify=calling.client_context(NAME), base_url=url) as http:
        yield Platform(tmp_path, authority, AgentClient(AGENTS, transport), http)
    await transport.close()
    await web.stop(0)
    await server.stop(0)


async def test_grpc_refuses_at_the_next_call_of_an_open_channel(platform: Platform) -> None:
    assert await platform.ask() == 4

    platform.revoke("postgres-service")

    async def refused() -> bool:
        return await platform.asked_code() == "call_refused"

    assert await eventually(refused)
    with pytest.raises(CallRefused):
        await platform.ask()


async def test_http_refuses_at_the_next_request_of_a_kept_connection(platform: Platform) -> None:
    assert (await platform.http.get("/health/live")).status_code == 200

    platform.revoke("postgres-service")

    async def refused() -> httpx.Response | None:
        answer = await platform.http.get("/health/live")
        return answer if answer.status_code != 200 else None

    answer = await eventually(refused)
    assert answer
    assert (answer.status_code, answer.json()["code"], answer.headers["connection"]) == (403, "forbidden", "close")
    with pytest.raises(httpx.TransportError):
        await platform.http.get("/health/live")


async def test_a_client_refuses_a_revoked_server(platform: Platform) -> None:
    platform.revoke(NAME)

    with pytest.raises(httpx.ConnectError, match="revoked"):
        await platform.http.get("/health/live")


async def test_whoever_has_a_new_certificate_goes_on(platform: Platform) -> None:
    former = platform.revoke("postgres-service")
    pem = platform.authority.issue("postgres-service")
    write_atomically(platform.folder / "postgres-service.pem", pem)
    transport = platform.agents._transport
    assert isinstance(transport, GrpcTransport)
    transport._identity.refresh()

    assert await platform.ask() == 4
    assert serial_of(platform.folder / "postgres-service.pem") != former


class TestList:
    def revocations(self, file: Path, told: list[EcosystemError], now: Callable[[], float]) -> Revocations:
        return Revocations(file, on_problem=told.append, monotonic=now)

    def test_it_is_looked_at_once_a_second_and_never_forgets_a_deleted_file(self, tmp_path: Path) -> None:
        file, now, told = tmp_path / "revoked", [0.0], list[EcosystemError]()
        revocations = self.revocations(file, told, lambda: now[0])
        assert not revocations.holds("ab")

        file.write_text("00AB creditx-service 2026-11-26\n")
        assert not revocations.holds("ab")
        now[0] = 1.0
        assert revocations.holds("ab")

        file.unlink()
        now[0] = 2.0
        assert revocations.holds("ab")
        assert told == []

    @pytest.mark.parametrize("damage", [b"cd\nno serial\n", b"\xff\xfe"])
    def test_a_damaged_list_changes_nothing_and_is_told_once(self, tmp_path: Path, damage: bytes) -> None:
        file, now, told = tmp_path / "revoked", [0.0], list[EcosystemError]()
        revocations = self.revocations(file, told, lambda: now[0])
        file.write_text("ab\n")
        assert revocations.holds("ab")

        file.write_bytes(damage)
        for second in range(1, 4):
            now[0] = float(second)
            assert (revocations.holds("ab"), revocations.holds("cd")) == (True, False)

        assert [error.code for error in told] == ["revocations_unreadable"]

    def test_without_a_list_nothing_is_revoked(self) -> None:
        assert not Revocations(None).holds("ab")
