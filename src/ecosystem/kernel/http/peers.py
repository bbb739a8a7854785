"""HTTP between services: mTLS to an instance from the registry; and what every service asks of authn-service."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from ecosystem.kernel import context
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.errors import Unauthenticated, Unavailable
from ecosystem.kernel.identity.identity import Identity
from ecosystem.kernel.telemetry.tracing import traceparent

AUTHN = "authn-service"
_SECONDS = 5.0
_REMEMBERED_MAX = 512
_ATTEMPTS = 3


class Reachable(Protocol):
    @property
    def host(self) -> str: ...
    @property
    def http_port(self) -> int: ...
    @property
    def state(self) -> str: ...


class Instances(Protocol):
    def instances(self, service: str) -> Sequence[Reachable]: ...


class Peers:
    """One client for each service, which must prove by its certificate to be that service.

    What is asked here is asked rarely (keys, tokens of Basic), so no connection is kept: an idle one, which httpx does
    not read, leaves the server's closing of TLS unanswered and holds up its stop for the whole grace.
    """

    def __init__(self, registry: Instances, identity: Identity) -> None:
        self._registry, self._identity = registry, identity
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._turn = 0

    async def request(
        self, service: str, method: str, path: str, *, headers: Mapping[str, str] | None = None, **content: Any
    ) -> httpx.Response:
        """One answer of any ready instance, whatever its status; `content` is httpx's. Raises Unavailable."""
        context.refuse_in_unit_of_work("HTTP")
        ready = [item for item in self._registry.instances(service) if item.state == "ready" and item.http_port]
        if not ready:
            raise Unavailable(f"No instance of {service} is ready.")
        client = self._clients.get(service)
        if client is None:
            client = self._clients[service] = httpx.AsyncClient(
                verify=self._identity.client_context(service), timeout=_SECONDS, trust_env=False,
                limits=httpx.Limits(max_keepalive_connections=0),
            )  # fmt: skip
        sent = {**(headers or {}), **({"traceparent": parent} if (parent := traceparent()) else {})}
        for attempt in range(min(len(ready) + 1, _ATTEMPTS)):
            self._turn += 1
            instance = ready[self._turn % len(ready)]
            url = f"https://{instance.host}:{instance.http_port}{path}"
            try:
                return await client.request(
                    method, url, headers=sent, timeout=context.remaining_seconds(_SECONDS), **content
                )
            except httpx.ConnectError:
                continue
            except httpx.HTTPError as error:
                if method != "GET" or attempt == _ATTEMPTS - 1:
                    raise Unavailable(f"{service} did not answer.") from error
        raise Unavailable(f"{service} did not answer.")

    async def close(self) -> None:
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()


class JwksKeys:
    """The public keys of authn-service, fetched when an unknown one is asked for, at most once in a pause."""

    def __init__(self, peers: Peers, *, clock: Clock | None = None, refetch_seconds: float = 5) -> None:
        self._peers, self._clock, self._pause = peers, clock or SystemClock(), refetch_seconds
        self._keys: dict[str, ECKey] = {}
        self._fetched_at: float | None = None
        self._lock = asyncio.Lock()

    async def key(self, key_id: str) -> ECKey | None:
        known = self._keys.get(key_id)
        if known is not None:
            return known
        async with self._lock:
            now = self._clock.monotonic()
            if key_id not in self._keys and (self._fetched_at is None or now - self._fetched_at >= self._pause):
                await self._fetch()
                self._fetched_at = now
        return self._keys.get(key_id)

    async def _fetch(self) -> None:
        response = await self._peers.request(AUTHN, "GET", "/.well-known/jwks.json")
        try:
            found = response.raise_for_status().json()["keys"]
            # All of them anew: a key that authn took back is trusted no longer.
            self._keys = {entry["kid"]: ECKey.import_key(entry) for entry in found if entry.get("kty") == "EC"}
        except (httpx.HTTPStatusError, ValueError, KeyError, TypeError, JoseError) as error:
            raise Unavailable(f"{AUTHN} gave no keys.") from error


class BasicExchange:
    """A token for a client's credentials (HTTP Basic), for clients that can do no better; kept for a minute."""

    def __init__(self, peers: Peers, *, clock: Clock | None = None, seconds: float = 60) -> None:
        self._peers, self._clock, self._seconds = peers, clock or SystemClock(), seconds
        self._tokens: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    async def token(self, authorization: str) -> str:
        """An access token. Raises Unauthenticated for wrong credentials, Unavailable without an answer."""
        key, now = hashlib.sha256(authorization.encode()).digest(), self._clock.monotonic()
        known = self._tokens.get(key)
        if known is not None and now < known[1]:
            return known[0]
        response = await self._peers.request(
            AUTHN, "POST", "/oauth/token", headers={"authorization": authorization},
            data={"grant_type": "client_credentials"},
        )  # fmt: skip
        if response.status_code >= 500:
            raise Unavailable(f"{AUTHN} did not answer.")
        if response.status_code != 200:
            self._tokens.pop(key, None)
            raise Unauthenticated("The client's credentials are not right.")
        body = response.json()
        token = str(body["access_token"])
        self._tokens[key] = (token, now + min(self._seconds, float(body.get("expires_in", 0)) / 2))
        if len(self._tokens) > _REMEMBERED_MAX:
            self._tokens.popitem(last=False)
        return token
