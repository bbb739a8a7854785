"""The FastAPI application of a service: its routes, and every failure as a problem."""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from ecosystem.kernel.errors import EcosystemError, Failure, Kind, Severity
from ecosystem.kernel.http.problems import ERRORS_MAX, problem, problem_of
from ecosystem.kernel.http.wellformed import MalformedJson, well_formed
from ecosystem.kernel.telemetry.log import log

_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_CODES = {
    400: ("bad_request", "The request cannot be read.", "Correct its form and send it again."),
    401: ("unauthenticated", "The caller did not prove who it is.", "Get a token from POST /oauth/token."),
    403: ("forbidden", "The caller may not do this.", "Ask for a client that may."),
    404: ("not_found", "There is nothing here.", "Check the path and the id."),
    405: ("method_not_allowed", "This path does not know that method.", "Use a method named by the Allow header."),
    415: ("media_type_not_supported", "The body has another type than the route takes.", "Check Content-Type."),
}  # fmt: skip


def create_app(title: str, version: str, routers: Iterable[APIRouter]) -> FastAPI:
    """No documentation pages: the schema is committed in `schemas/`, and pages would load scripts from elsewhere."""
    app = FastAPI(
        title=title, version=version, docs_url=None, redoc_url=None, openapi_url=None,
        dependencies=[Depends(well_formed)],
    )  # fmt: skip
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(EcosystemError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _by_status)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)
    return app


async def _ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, EcosystemError)
    if error.status >= 500:
        log.warning("request failed", code=error.code, exc_info=error)
    return problem_of(error)


async def _invalid(_: Request, error: Exception) -> Response:
    """Each field and the rule it breaks; never what was sent, which may be about a person."""
    assert isinstance(error, RequestValidationError)
    found: Sequence[Any] = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        return problem_of(MalformedJson())
    errors = [{"field": _place(item["loc"]), "rule": item["type"], "message": item["msg"]} for item in found]
    first = errors[0]
    failure = Failure(
        "request_invalid", f"{first['field']}: {first['message']}", Kind.PERMANENT, Severity.LOW,
        "Correct the named fields and send it again.", 422,
    )  # fmt: skip
    return problem(failure, {"errors": errors[:ERRORS_MAX]})


def _place(location: Sequence[Any]) -> str:
    return ".".join(str(part) for part in location if part != "body")[:200] or "body"


def _methods(request: Request) -> str:
    """Every method that the path knows: the framework names those of the first route that has the path."""

    def knows(method: str) -> bool:
        asked = dict(request.scope) | {"method": method}
        return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)

    return ", ".join(filter(knows, _METHODS))


async def _by_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, ValueError | RecursionError):
        return problem_of(MalformedJson())  # what the framework's parser cannot read: bytes that are no text, or depth
    code, message, suggestion = _CODES.get(
        error.status_code, ("request_failed", "The request failed.", "Check the request.")
    )
    failure = Failure(code, message, Kind.PERMANENT, Severity.LOW, suggestion, error.status_code)
    headers = dict(error.headers or {})
    return problem(failure, headers=headers | {"Allow": _methods(request)} if error.status_code == 405 else headers)


async def _gone(_: Request, __: Exception) -> Response:
    """Whoever asked has hung up before the request was whole: nobody reads this, and logs and metrics say 499."""
    return Response(status_code=499)


async def _unexpected(_: Request, error: Exception) -> Response:
    log.error("request crashed", exc_info=error)
    return problem_of(error)
