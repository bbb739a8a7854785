"""Access tokens: fetched with the client's credentials, kept, renewed before they expire."""

import time
from collections.abc import Awaitable, Callable

import anyio
import httpx

from ecosystem_client.errors import UnexpectedAnswer
from ecosystem_client.request import Request

_RENEW_BEFORE_SECONDS = 30.0


class AsyncTokens:
    """One token at a time; callers that need it while it is being fetched wait for the same fetch."""

    def __init__(
        self, client_id: str, client_secret: str, *, company_id: str | None = None, scope: str | None = None
    ) -> None:
        self._auth = httpx.BasicAuth(client_id, client_secret)
        self._form = {"grant_type": "client_credentials"}
        self._form |= {name: value for name, value in (("company_id", company_id), ("scope", scope)) if value}
        self._lock = anyio.Lock()
        self._token: str | None = None
        self._renew_at = 0.0

    async def get(self, send: Callable[[Request], Awaitable[httpx.Response]]) -> str:
        """Raises LoginRefused if the credentials are not accepted; and as `send`."""
        async with self._lock:
            if self._token is None or time.monotonic() >= self._renew_at:
                asked_at = time.monotonic()
                self._token, lifetime = _read(await send(self._request()))
                # A lifetime shorter than twice the margin is used for its first half.
                self._renew_at = asked_at + max(lifetime - _RENEW_BEFORE_SECONDS, lifetime / 2)
            return self._token

    def forget(self, token: str | None) -> None:
        """The platform refused this token: fetch another, unless somebody already has."""
        if self._token == token:
            self._token = None

    def _request(self) -> Request:
        blank = httpx.Request("POST", "https://x/")
        header = next(self._auth.sync_auth_flow(blank)).headers["authorization"]
        headers = {"authorization": header}
        return Request("POST", "/oauth/token", form=self._form, headers=headers, changes_nothing=True)


def _read(response: httpx.Response) -> tuple[str, float]:
    try:
        body = response.json()
        return str(body["access_token"]), float(body.get("expires_in", 60))
    except (ValueError, KeyError, TypeError) as error:
        raise UnexpectedAnswer("/oauth/token answered without a token.") from error
