"""What every request passes: the peer's certificate, body limit, trace, token, context, deadline, one log line."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from ecosystem.kernel import context
from ecosystem.kernel.db.errors import DatabaseUnavailable
from ecosystem.kernel.errors import EcosystemError, Forbidden, Unauthenticated
from ecosystem.kernel.http import health as health_page
from ecosystem.kernel.http.admission import Admission, Overloaded, Place, Priorities, Priority
from ecosystem.kernel.http.health import Health
from ecosystem.kernel.http.limits import BodyLimit, BodyTooLarge, BodyTooSlow, limit_of
from ecosystem.kernel.http.peers import BasicExchange
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.http.problems import problem_of
from ecosystem.kernel.http.settings import HttpSettings
from ecosystem.kernel.http.tokens import TokenInvalid, TokenVerifier
from ecosystem.kernel.telemetry.log import log
from ecosystem.kernel.telemetry.metrics import METRICS, Metrics
from ecosystem.kernel.telemetry.tracing import SpanKind, mark_failed, parse_traceparent, span

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

EXTENSION = "ecosystem.tls"
BASIC_PATH = "/agent/handle"


@dataclass(frozen=True)
class Guards:
    """`callers`: registered names whose certificate may come in; None only where there is no TLS (tests).

    `is_revoked`: whether the certificate of a serial counts no longer; asked at every request.
    """

    verifier: TokenVerifier
    basic: BasicExchange | None = None
    callers: frozenset[str] | None = None
    is_revoked: Callable[[str], bool] | None = None


@dataclass
class _Exchange:
    """One request on its way: what it may send, what was answered."""

    limit: BodyLimit
    admit: Callable[[], Awaitable[Place]]
    place: Place | None = None
    received: int = 0
    whole: bool = False
    refusal: EcosystemError | None = None
    status: int = 0
    started: bool = False
    finished: bool = False


class Door:
    """An ASGI application around a service's; it never raises."""

    def __init__(
        self, app: FastAPI, guards: Guards, health: Health, *, settings: HttpSettings | None = None,
        metrics: Metrics = METRICS, calls_at_work: Callable[[], int] = lambda: 0,
    ) -> None:  # fmt: skip
        self._app, self._guards, self._health = app, guards, health
        self._settings, self._metrics = settings or HttpSettings(), metrics
        self._limits = {
            getattr(route, "path", ""): limit
            for route in routes_of(app)
            if (limit := limit_of(getattr(route, "endpoint", None))) is not None
        }
        self._default = BodyLimit(self._settings.body_bytes_max, self._settings.request_seconds)
        self._priorities = Priorities(routes_of(app))
        self.admission = Admission(self._settings, metrics, calls_at_work)
        self.active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, headers = scope["path"], _headers(scope)
        if self._guards.callers is not None and _peer(scope) not in self._guards.callers:
            await problem_of(Forbidden("Only the edge and the platform's services may call here."))(
                scope, receive, send
            )
            return
        if self._guards.is_revoked is not None and self._guards.is_revoked(_serial(scope)):
            refusal = problem_of(
                Forbidden(
                    "The certificate of this connection is revoked.",
                    suggestion="Connect again with the certificate that the fleet issued since; `eco identities list`.",
                )
            )
            # Whoever has a new certificate by now shows it on a new connection.
            refusal.headers["connection"] = "close"
            log.warning("a revoked certificate was refused", caller=_peer(scope), serial=_serial(scope))
            await refusal(scope, receive, send)
            return
        if path in health_page.PATHS:
            await health_page.answer(path, self._health, self._metrics)(scope, receive, send)
            return
        parent = parse_traceparent(headers.get("traceparent"))
        trace_id, span_id = parent or (None, None)
        began = time.perf_counter()
        level = self._priorities.of(scope["method"], path)
        exchange = _Exchange(
            self._limits.get(path, self._default),
            lambda: self._enter(level),
        )
        self.active += 1
        try:
            with span(
                f"{scope['method']} {path}"[:200], SpanKind.SERVER, trace_id=trace_id, span_id=span_id,
                deadline=time.monotonic() + exchange.limit.seconds,
            ) as current:  # fmt: skip
                await self._guarded(scope, receive, send, headers, exchange)
                route = _route(scope)
                current.update_name(f"{scope['method']} {route}")
                current.set_attribute("http.response.status_code", exchange.status)
                if exchange.status >= 500:
                    mark_failed(current, f"http_{exchange.status}")
                self._tell(scope, route, exchange.status, time.perf_counter() - began, current)
        finally:
            self.active -= 1
            if exchange.place is not None:
                exchange.place.leave()

    async def _enter(self, level: Priority) -> Place:
        """As `Admission.enter`; but who finds no place because the others wait for the database is told so.

        Raises Overloaded, CompanyTooBusy, DatabaseUnavailable.
        """
        try:
            return await self.admission.enter(context.current().company_id, level)
        except Overloaded as refusal:
            if "database" in self._health.failing:
                raise DatabaseUnavailable(**refusal.details) from None
            raise

    async def _guarded(
        self, scope: Scope, receive: Receive, send: Send, headers: dict[str, str], exchange: _Exchange
    ) -> None:
        outgoing = _watch(send, exchange, scope, receive)
        incoming = _limit(receive, exchange, scope, self._settings)
        try:
            self._check_length(headers, exchange.limit)
            principal = await self._authenticate(headers, scope["path"])
            scope["principal"] = principal
            # For the rest of this request, the log line included: the scope of the trace ends it.
            about = (principal.company_id, principal.client_id, principal.scopes) if principal else (None, None, _NONE)
            with context.scope(company_id=about[0], user_id=about[1], scopes=about[2]):
                if not _has_body(headers):
                    exchange.whole = True
                    await _admit(exchange, scope)
                await self._app(scope, incoming, outgoing)
        except Exception as error:
            if exchange.finished:
                return  # the framework answers for a crash, and then raises it again
            if exchange.started:
                log.error("an answer broke off", exc_info=error)
                raise
            await problem_of(exchange.refusal or error)(scope, receive, outgoing)

    def _check_length(self, headers: dict[str, str], limit: BodyLimit) -> None:
        said = headers.get("content-length")
        if said is not None and (not said.isdigit() or int(said) > limit.bytes_max):
            raise BodyTooLarge(limit.bytes_max)

    async def _authenticate(self, headers: dict[str, str], path: str) -> Principal | None:
        """The caller by its token, or by Basic where that is allowed; None where it shows nothing."""
        authorization = headers.get("authorization")
        if not authorization:
            return None
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return await self._guards.verifier.verify(credentials.strip())
        if scheme.lower() == "basic" and path == BASIC_PATH:
            if self._guards.basic is None:
                raise Unauthenticated
            token = await self._guards.basic.token(authorization)
            return await self._guards.verifier.verify(token)
        if scheme.lower() == "basic":
            return None  # POST /oauth/token reads it by itself
        raise TokenInvalid("The Authorization header is `Bearer TOKEN`.")

    def _tell(self, scope: Scope, route: str, status: int, seconds: float, current: span) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.http_request_duration_seconds.labels(method, route).observe(seconds)
        self._metrics.http_requests_total.labels(method, route, str(status)).inc()
        principal = scope.get("principal")
        about = (principal.company_id, principal.client_id) if principal else (None, None)
        with context.scope(company_id=about[0], user_id=about[1]):
            write = log.warning if status >= 500 else log.info
            write(
                "request answered", method=method, route=route, status=status, request_type=f"{method} {route}",
                execution_time_ms=round(seconds * 1000, 3), span_id=current.span_id,
                parent_span_id=current.parent_span_id,
            )  # fmt: skip


_NONE: frozenset[str] = frozenset()
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _peer(scope: Scope) -> str | None:
    peer: str | None = scope.get("extensions", {}).get(EXTENSION, {}).get("peer")
    return peer


def _serial(scope: Scope) -> str:
    return str(scope.get("extensions", {}).get(EXTENSION, {}).get("serial", ""))


def routes_of(app: FastAPI) -> list[Any]:
    """Every route, those of included routers as well."""
    found: list[Any] = []
    waiting = list(app.routes)
    while waiting:
        route = waiting.pop()
        found.append(route)
        inner = getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", None)
        waiting.extend(inner or ())
    return found


def _route(scope: Scope) -> str:
    """The template of the path (`/v1/documents/{document_id}`): ids never become labels."""
    route = scope.get("route")
    return getattr(route, "path", None) or "unknown"


def _has_body(headers: dict[str, str]) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


async def _admit(exchange: _Exchange, scope: Scope) -> None:
    """Raises what Admission.enter does."""
    if exchange.place is None:
        exchange.place = scope["place"] = await exchange.admit()


def _limit(receive: Receive, exchange: _Exchange, scope: Scope, settings: HttpSettings) -> Receive:
    """Count the body and its time; let the request in when all of it is there, so that no slow sender holds a place."""
    began = asyncio.get_running_loop().time()

    async def piece() -> Message:
        pace = exchange.received / settings.body_bytes_per_second_min
        seconds = min(settings.body_grace_seconds + pace, exchange.limit.seconds)
        try:
            async with asyncio.timeout_at(began + seconds):
                return await receive()
        except TimeoutError:
            raise BodyTooSlow(
                f"Of the body {exchange.received} bytes came within {seconds:.1f} s, and not the rest."
            ) from None

    async def limited() -> Message:
        if exchange.whole:
            return await receive()
        try:
            message = await piece()
            if message["type"] == "http.request":
                exchange.received += len(message.get("body", b""))
                if exchange.received > exchange.limit.bytes_max:
                    raise BodyTooLarge(exchange.limit.bytes_max)
                if not message.get("more_body"):
                    exchange.whole = True
                    await _admit(exchange, scope)
        except EcosystemError as refusal:
            exchange.refusal = refusal
            raise
        return message

    return limited


def _watch(send: Send, exchange: _Exchange, scope: Scope, receive: Receive) -> Send:
    """Remember the status; replace whatever a parser made of a body that was refused by why it was."""

    async def watched(message: Message) -> None:
        if message["type"] == "http.response.start":
            refusal = exchange.refusal
            if refusal is not None and message["status"] != refusal.status and not exchange.started:
                exchange.started, exchange.finished, exchange.status = True, True, refusal.status
                await problem_of(refusal)(scope, receive, send)
                return
            exchange.started, exchange.status = True, message["status"]
            exchange.refusal = None
            if exchange.place is not None:
                exchange.place.leave()  # what is left is to send, as slowly as the caller takes it
        if exchange.refusal is None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                exchange.finished = True

    return watched
