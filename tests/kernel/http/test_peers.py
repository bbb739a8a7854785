"""Goal: keys and tokens of authn-service are had by mTLS, seldom asked for. Method: a twin of it behind real TLS."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Request, Response
from joserfc.jwk import ECKey

from ecosystem.kernel.clock import SystemClock
from ecosystem.kernel.errors import Unauthenticated, Unavailable
from ecosystem.kernel.http.app import create_app
from ecosystem.kernel.http.door import Door, Guards
from ecosystem.kernel.http.health import Health
from ecosystem.kernel.http.peers import BasicExchange, JwksKeys, Peers
from ecosystem.kernel.http.server import HttpServer
from ecosystem.kernel.http.settings import HttpSettings
from ecosystem.kernel.identity.authority import Authority
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.twins import MemoryInstance, MemoryRegistry, NamedPrincipals, an_identity

GOOD = "Basic " + base64.b64encode(b"client-1:right").decode()


@dataclass
class Authn:
    keys: dict[str, ECKey] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)

    def router(self) -> APIRouter:
        router = APIRouter()

        @router.get("/.well-known/jwks.json")
        async def jwks() -> dict[str, Any]:
            self.asked.append("jwks")
            return {"keys": [key.as_dict(private=False) | {"kid": kid} for kid, key in self.keys.items()]}

        @router.post("/oauth/token")
        async def token(request: Request) -> Response:
            self.asked.append("token")
            if request.headers["authorization"] != GOOD:
                return Response(status_code=401)
            return Response('{"access_token": "a-token", "expires_in": 600}', media_type="application/json")

        return router


@pytest.fixture
def authn() -> Authn:
    return Authn({"k1": ECKey.generate_key("P-256")})


@pytest.fixture
async def peers(authn: Authn, tmp_path: Path) -> AsyncIterator[Peers]:
    authority = Authority.open(tmp_path / "authority")
    server_identity = an_identity(authority, tmp_path, "authn-service")
    health = Health("authn-service", "1", "i", SystemClock().now(), state="ready")
    guards = Guards(NamedPrincipals(), callers=frozenset({"creditx-service"}))
    door = Door(create_app("authn", "1", [authn.router()]), guards, health)
    server = HttpServer(door, HttpSettings(), context=server_identity.server_context())
    port = await server.start()
    # One that is gone stands beside it: it is passed over.
    authn.registry.known["authn-service"] = [MemoryInstance("dead", http_port=1), MemoryInstance("one", http_port=port)]
    peers = Peers(authn.registry, an_identity(authority, tmp_path, "creditx-service"))
    yield peers
    await peers.close()
    await server.stop(0)


async def test_a_key_is_fetched_once(authn: Authn, peers: Peers) -> None:
    keys = JwksKeys(peers)

    found = [await keys.key("k1") for _ in range(3)]

    assert [key and key.thumbprint() for key in found] == [authn.keys["k1"].thumbprint()] * 3
    assert authn.asked == ["jwks"]


async def test_an_unknown_key_is_looked_for_once_in_a_pause(authn: Authn, peers: Peers) -> None:
    clock = FrozenClock()
    keys = JwksKeys(peers, clock=clock, refetch_seconds=5)

    assert [await keys.key("k2") for _ in range(5)] == [None] * 5
    assert authn.asked == ["jwks"]

    authn.keys["k2"] = ECKey.generate_key("P-256")
    clock.advance(5.1)
    assert await keys.key("k2") is not None


async def test_a_key_that_was_taken_back_is_trusted_no_longer(authn: Authn, peers: Peers) -> None:
    clock = FrozenClock()
    keys = JwksKeys(peers, clock=clock)
    assert await keys.key("k1")

    authn.keys = {"k2": ECKey.generate_key("P-256")}
    clock.advance(6)

    assert await keys.key("k2")
    assert await keys.key("k1") is None


async def test_credentials_become_a_token_kept_for_a_minute(authn: Authn, peers: Peers) -> None:
    clock = FrozenClock()
    basic = BasicExchange(peers, clock=clock)

    assert [await basic.token(GOOD) for _ in range(3)] == ["a-token"] * 3
    assert authn.asked == ["token"]
    clock.advance(61)
    await basic.token(GOOD)
    assert authn.asked == ["token", "token"]


async def test_wrong_credentials_are_refused_each_time(authn: Authn, peers: Peers) -> None:
    basic = BasicExchange(peers)
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await basic.token("Basic bm86bm8=")

    assert authn.asked == ["token", "token"]


async def test_without_an_instance_it_is_unavailable(authn: Authn, peers: Peers) -> None:
    authn.registry.known.clear()

    with pytest.raises(Unavailable):
        await JwksKeys(peers).key("k1")
    with pytest.raises(Unavailable):
        await peers.request("creditx-service", "GET", "/health/live")


async def test_a_dead_instance_alone_is_unavailable(authn: Authn, peers: Peers) -> None:
    authn.registry.known["authn-service"] = [MemoryInstance("dead", http_port=1)]

    with pytest.raises(Unavailable):
        await peers.request("authn-service", "GET", "/health/live")
