"""The outside of the gateway: the folder that Envoy watches, Envoy's admin socket, and authn's public keys."""

import json
import os
from pathlib import Path
from typing import Any

import httpx

from ecosystem.kernel.errors import EcosystemError, Unavailable
from ecosystem.kernel.http.peers import AUTHN, Peers

_ADMIN_SECONDS = 2.0
_FILTER = r"update_(rejected|failure|success)$"


class EdgeFolder:
    """Files are replaced by rename, because that is all Envoy reacts to, and only where their content is another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, files: dict[str, bytes]) -> list[str]:
        """In the given order; the names of those that were replaced. Raises OSError."""
        replaced = []
        for name, content in files.items():
            path = self._folder / name
            if self._read(path) == content:
                continue
            temporary = path.with_name(f".{name}.{os.getpid()}")
            temporary.touch(mode=0o644)
            temporary.write_bytes(content)
            temporary.replace(path)
            replaced.append(name)
        return replaced

    def former_jwks(self) -> Any:
        """The keys of the last run, or None: the edge need not wait for authn to know them again."""
        content = self._read(self._folder / "ecds_jwt.json")
        try:
            rules = json.loads(content or b"")["resources"][0]["typed_config"]
            return json.loads(rules["providers"]["eco"]["local_jwks"]["inline_string"])
        except (ValueError, LookupError, TypeError):
            return None

    def admin_socket(self) -> str | None:
        """Where the bootstrap says that Envoy's admin listens."""
        try:
            bootstrap = json.loads(self._read(self._folder / "bootstrap.json") or b"")
            return str(bootstrap["admin"]["address"]["pipe"]["path"])
        except (ValueError, LookupError, TypeError):
            return None

    def _read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except OSError:
            return None


class EnvoyAdmin:
    """Read-only questions over Envoy's Unix socket."""

    def __init__(self, folder: EdgeFolder) -> None:
        self._folder = folder
        self._client: httpx.AsyncClient | None = None
        self._path: str | None = None

    async def state(self) -> str:
        """`live`, `pre_initializing` …, in Envoy's words. Raises Unavailable."""
        return (await self._get("/ready")).text.strip().lower()

    async def stats(self) -> dict[str, int]:
        """Counters of accepted and refused updates. Raises Unavailable."""
        found = (await self._get("/stats", format="json", filter=_FILTER)).json()
        return {
            item["name"]: int(item["value"]) for item in found.get("stats", ()) if "name" in item and "value" in item
        }

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _get(self, path: str, **query: str) -> httpx.Response:
        socket = self._folder.admin_socket()
        if socket is None:
            raise Unavailable("The edge's bootstrap is not written yet.")
        if self._client is None or self._path != socket:
            await self.close()
            # Without TLS there is nothing to verify; otherwise a file of authorities would be read, which may be out
            # of reach for who has given up root.
            transport = httpx.AsyncHTTPTransport(uds=socket, verify=False)
            self._client = httpx.AsyncClient(transport=transport, base_url="http://envoy", timeout=_ADMIN_SECONDS)
            self._path = socket
        try:
            return await self._client.get(path, params=query)
        except (httpx.HTTPError, OSError):
            raise Unavailable("Envoy's admin socket does not answer.") from None


class PublicKeys:
    """The JWKS of any ready instance of authn-service, over mTLS."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def fetch(self) -> Any:
        """Raises Unavailable."""
        try:
            response = await self._peers.request(AUTHN, "GET", "/.well-known/jwks.json")
            return response.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable("authn-service gave no keys.") from error
        except EcosystemError as error:
            raise Unavailable(error.message) from error
