"""A real Envoy on rendered files, with small TLS services behind it, ended by pid."""

import asyncio
import contextlib
import ctypes
import json
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import envoy
import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from ecosystem.contracts.authn import AUDIENCE, ISSUER
from ecosystem.kernel.identity.authority import Authority
from ecosystem.kernel.identity.identity import Identity, write_atomically
from ecosystem.kernel.testing.twins import an_identity
from ecosystem.services.gateway.adapters import EdgeFolder, EnvoyAdmin
from ecosystem.services.gateway.model import render
from ecosystem.services.gateway.rendering.shapes import Endpoint, Limits, Place, Wanted
from tests.support.poll import eventually

PREFIXES = {
    "/v1/documents": "creditx-service", "/v1/events": "events-service", "/oauth": "authn-service",
    "/.well-known": "authn-service", "/agent/handle": "creditx-service", "/v1/runs": "orchestrator-agent",
}  # fmt: skip


@dataclass
class Upstream:
    """Answers every request with what it saw, and with `status` and `headers` unless it is a health check."""

    name: str
    port: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    healthy: bool = True
    reset_first: int = 0
    server: asyncio.Server | None = None
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    def die(self) -> None:
        """As by SIGKILL: the port is closed and every connection is cut."""
        assert self.server is not None
        self.server.close()
        for writer in self.open:
            writer.transport.abort()

    async def start(self, context: ssl.SSLContext) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        self.open.discard(writer)
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if path == "/health/ready":
            return await _answer(writer, 200 if self.healthy else 503, {})
        self.seen.append({"method": method, "path": path, "headers": headers, "size": len(body)})
        if self.reset_first:
            self.reset_first -= 1
            return False
        content = {"by": self.name, "headers": headers, "fill": "x" * 2000}
        return await _answer(writer, self.status, content, self.headers)


async def _answer(
    writer: asyncio.StreamWriter, status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> bool:
    body = json.dumps(content).encode()
    told = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    writer.write(f"HTTP/1.1 {status} S\r\n{lines}\r\n".encode() + body)
    await writer.drain()
    return True


@dataclass
class RunningEdge:
    folder: Path
    place: Place
    wanted: Wanted
    key: ECKey
    authority: Authority
    log: Path
    identities: dict[str, Identity]
    upstreams: dict[str, Upstream] = field(default_factory=dict)
    pid: int = 0

    @property
    def files(self) -> EdgeFolder:
        return EdgeFolder(self.folder)

    @property
    def admin(self) -> EnvoyAdmin:
        return EnvoyAdmin(self.files)

    def write(self, **changes: Any) -> list[str]:
        self.wanted = replace(self.wanted, **changes)
        return self.files.write(render(self.wanted))

    def send_to(self, service: str, *names: str, weights: Mapping[str, int] | None = None) -> None:
        hosts = [Endpoint("127.0.0.1", self.upstreams[name].port, (weights or {}).get(name, 100)) for name in names]
        self.write(endpoints={**self.wanted.endpoints, service: hosts})

    def token(self, key: ECKey | None = None, **claims: Any) -> str:
        now = int(datetime.now(UTC).timestamp())
        given = {"iss": ISSUER, "aud": AUDIENCE, "sub": "client-1", "iat": now, "exp": now + 300, **claims}
        signer = key or self.key
        return jwt.encode({"alg": "ES256", "kid": signer.thumbprint()}, given, signer)

    def client(self, token: str | None = None, **headers: str) -> httpx.AsyncClient:
        context = ssl.create_default_context(cadata=self.authority.bundle().decode())
        given = {"authorization": f"Bearer {token}", **headers} if token else headers
        return httpx.AsyncClient(
            verify=context, base_url=f"https://127.0.0.1:{self.place.port}", headers=given, trust_env=False
        )

    async def upstream(self, service: str, name: str) -> Upstream:
        """Another instance of `service`, not yet told to the edge."""
        identity = self.identities.get(service)
        if identity is None:
            identity = self.identities[service] = an_identity(self.authority, self.folder.parent, service)
        one = self.upstreams[name] = Upstream(name)
        await one.start(identity.server_context())
        return one

    def lines(self) -> list[dict[str, Any]]:
        """The access log."""
        text = self.log.read_text(errors="replace")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def jwks_of(*keys: ECKey) -> dict[str, Any]:
    return {"keys": [{**key.as_dict(private=False), "kid": key.thumbprint(), "alg": "ES256"} for key in keys]}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _bootstrap(folder: Path) -> dict[str, Any]:
    def source(name: str) -> dict[str, Any]:
        config = {"path": f"{folder}/{name}", "watched_directory": {"path": str(folder)}}
        return {"resource_api_version": "V3", "path_config_source": config}

    return {
        "node": {"id": "edge", "cluster": "eco"},
        "admin": {"address": {"pipe": {"path": f"{folder}/admin.sock", "mode": 0o600}}},
        "dynamic_resources": {"lds_config": source("lds.json"), "cds_config": source("cds.json")},
    }


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


@asynccontextmanager
async def an_edge(root: Path) -> AsyncIterator[RunningEdge]:
    """Envoy with the bootstrap and the empty files that the fleet writes, before the gateway says anything."""
    folder = root / "edge"
    folder.mkdir()
    authority = Authority.open(root / "authority")
    write_atomically(root / "edge.pem", authority.issue("edge"))
    write_atomically(root / "ca.pem", authority.bundle())
    place = Place(folder, "127.0.0.1", free_port(), root / "edge.pem", root / "ca.pem")
    key = ECKey.generate_key("P-256")
    limits = Limits(health_interval_seconds=0.5)
    wanted = Wanted(place, limits, PREFIXES, {}, jwks_of(key), ISSUER, AUDIENCE)
    edge = RunningEdge(folder, place, wanted, key, authority, root / "envoy.log", {})
    (folder / "bootstrap.json").write_text(json.dumps(_bootstrap(folder)))
    for name in ("lds.json", "cds.json"):
        (folder / name).write_text(json.dumps({"version_info": "0", "resources": []}))
    program = Path(envoy.__file__).parent / "_bin" / "envoy"
    with edge.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 ended by pid below
            [str(program), "-c", str(folder / "bootstrap.json"), "--disable-hot-restart", "--concurrency", "1",
             "--file-flush-interval-msec", "50", "--drain-time-s", "1", "--drain-strategy", "immediate",
             "--log-level", "warning"], stdout=log, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent,
        )  # fmt: skip
    edge.pid = process.pid
    try:
        yield edge
    finally:
        process.terminate()
        process.wait()
        for upstream in edge.upstreams.values():
            if upstream.server is not None:
                upstream.server.close()


async def answers(edge: RunningEdge, path: str, status: int, token: str | None = None) -> httpx.Response:
    """The first answer with this status: a change of files takes Envoy some milliseconds."""
    async with edge.client(token) as client:

        async def look() -> httpx.Response | None:
            try:
                response = await client.get(path)
            except httpx.TransportError:
                return None
            return response if response.status_code == status else None

        found = await eventually(look)
    assert found is not None
    return found
