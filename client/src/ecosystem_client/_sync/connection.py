"""One HTTP connection pool to the platform: sends, repeats what is safe to repeat, and raises what is refused."""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

from ecosystem_client._sync.tokens import Tokens
from ecosystem_client.errors import ConnectionFailed, UnexpectedAnswer, error_of
from ecosystem_client.request import Request, new_trace
from ecosystem_client.retry import Retries, was_sent

_AGENT = "ecosystem-client/0.1.0"

_IN_ONE_PIECE_BYTES_MAX = 1 << 20
_CONNECTIONS_MAX = 100
# As many are kept as there may be: with fewer, whoever sends much at once makes a connection for nearly each request.
_LIMITS = httpx.Limits(
    max_connections=_CONNECTIONS_MAX, max_keepalive_connections=_CONNECTIONS_MAX, keepalive_expiry=30
)


class Connection:
    """`ca` is the PEM file of the authority that signed the edge's certificate; without it, the system's authorities.

    `http2` None: HTTP/2 where the package `h2` is installed (the extra `http2`).
    """

    def __init__(
        self,
        base_url: str,
        *,
        ca: str | Path | None,
        http2: bool | None,
        timeout_seconds: float,
        retries: Retries,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._retries = retries
        self.base_url, self.timeout_seconds = base_url.rstrip("/"), timeout_seconds
        self._http = httpx.Client(
            base_url=self.base_url,
            verify=ssl.create_default_context(cafile=str(ca)) if ca is not None else True,
            http2=http2 if http2 is not None else find_spec("h2") is not None,
            timeout=httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, 10)),
            limits=_LIMITS,
            transport=transport,
            headers={"user-agent": _AGENT, "accept": "application/json"},
        )

    def close(self) -> None:
        self._http.close()

    def send(self, request: Request, tokens: Tokens | None = None) -> httpx.Response:
        """The first answer that is no passing failure, its body read.

        Raises:
            ApiError: the platform refused or failed; the subclass says how.
            ConnectionFailed: no answer.
        """
        attempt, renewed = 1, False
        trace_id, traceparent = new_trace()
        while True:
            token = self._token(tokens)
            try:
                response = self._once(request, token, traceparent)
            except httpx.TransportError as failure:
                wait = self._retries.after_failure(request, failure, attempt)
                if wait is None:
                    raise self._failed(failure) from failure
            else:
                if response.is_success:
                    response.extensions["trace_id"] = trace_id
                    return response
                if response.status_code == 401 and tokens is not None and not renewed:
                    # The token may have been signed by a key that is gone; a new one tells that from a refusal.
                    tokens.forget(token)
                    renewed = True
                    continue
                wait = self._retries.after_answer(request, response, attempt)
                if wait is None:
                    raise error_of(response, trace_id)
            attempt += 1
            time.sleep(wait)

    @contextmanager
    def stream(
        self, request: Request, tokens: Tokens | None = None, *, idle_timeout_seconds: float | None = None
    ) -> Iterator[httpx.Response]:
        """An answer whose body is read as it comes; not repeated. Raises as `send`."""
        trace_id, traceparent = new_trace()
        for last in (False, True):
            token = self._token(tokens)
            try:
                with self._http.stream(
                    request.method,
                    request.path,
                    params=request.query(),
                    headers=_headers(request, token, traceparent),
                    timeout=httpx.Timeout(10, read=idle_timeout_seconds),
                ) as response:
                    if response.is_success:
                        yield response
                        return
                    response.read()
                    if response.status_code != 401 or tokens is None or last:
                        raise error_of(response, trace_id)
                    tokens.forget(token)
            except httpx.TransportError as failure:
                raise self._failed(failure) from failure

    def _token(self, tokens: Tokens | None) -> str | None:
        return tokens.get(self.send) if tokens is not None else None

    def _once(self, request: Request, token: str | None, traceparent: str) -> httpx.Response:
        headers = _headers(request, token, traceparent)
        if request.upload is None:
            return self._http.request(
                request.method,
                request.path,
                params=request.query(),
                json=request.json,
                data=request.form,
                headers=headers,
            )
        content = request.upload.open()
        try:
            sent = self._http.build_request(
                request.method,
                request.path,
                params=request.query(),
                data=request.form,
                files={"file": (request.upload.name, content)},
                headers=headers,
            )
            if int(sent.headers.get("content-length", _IN_ONE_PIECE_BYTES_MAX + 1)) <= _IN_ONE_PIECE_BYTES_MAX:
                # Each piece of a form would be a write, a record of TLS and a wake-up of everybody on the way.
                sent.read()
            return self._http.send(sent)
        finally:
            if not isinstance(content, bytes) and content is not request.upload.source:
                content.close()

    def _failed(self, failure: httpx.TransportError) -> ConnectionFailed:
        what = str(failure) or type(failure).__name__
        return ConnectionFailed(f"{self.base_url} gave no answer: {what}", sent=was_sent(failure))


def _headers(request: Request, token: str | None, traceparent: str) -> dict[str, str]:
    headers = {"traceparent": traceparent, **request.headers}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return headers


def json_of(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        kind = response.headers.get("content-type", "no type")
        raise UnexpectedAnswer(f"JSON was expected from {response.request.url.path}, not {kind}.") from None
