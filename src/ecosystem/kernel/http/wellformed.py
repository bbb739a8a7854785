"""The form of every request, before a route looks at it: parameters that the route knows, and JSON that is JSON."""

from collections.abc import Iterator
from typing import Any

import orjson
from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from ecosystem.kernel.errors import EcosystemError, Kind, Severity

_NAME_LENGTH_MAX = 100


class ParameterUnknown(EcosystemError):
    code, status, kind, severity = "parameter_unknown", 422, Kind.PERMANENT, Severity.LOW
    rule = "A route refuses a query parameter that it does not know."


class ParameterRepeated(EcosystemError):
    code, status, kind, severity = "parameter_repeated", 422, Kind.PERMANENT, Severity.LOW
    rule = "A query parameter stands in the address once."


class MalformedJson(EcosystemError):
    code, status, kind, severity = "malformed_json", 400, Kind.PERMANENT, Severity.LOW
    rule = "The body is not JSON."
    suggestion = "Send valid JSON (RFC 8259): UTF-8, at most 1000 levels deep, no NaN and no Infinity."


class MediaTypeNotSupported(EcosystemError):
    code, status, kind, severity = "media_type_not_supported", 415, Kind.PERMANENT, Severity.LOW
    rule = "The body of this route is JSON."
    suggestion = "Send the header `Content-Type: application/json`."


async def well_formed(request: Request) -> None:
    """A dependency of all routes.

    Raises ParameterUnknown, ParameterRepeated, MediaTypeNotSupported, MalformedJson; RequestValidationError for a text
    with U+0000, which PostgreSQL does not keep.
    The parameters of a caller who is not known are passed over: routes refuse it, and the open ones of OAuth 2 ignore
    what they do not know (RFC 6749, section 3.2).
    """
    route = request.scope["route"]
    if not isinstance(route, APIRoute):
        return
    if request.scope.get("principal") is not None:
        _check_query(request, route)
    if route.body_field is not None:
        _check_json(request.headers.get("content-type", ""), await request.body())


def parameters_of(route: APIRoute) -> tuple[str, ...]:
    """The query parameters that a route knows, sorted; each is a single value."""
    return tuple(sorted(_names(route.dependant)))


def _names(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        yield field.alias
    for one in dependant.dependencies:
        yield from _names(one)


def _check_query(request: Request, route: APIRoute) -> None:
    if not request.scope["query_string"]:
        return
    known, seen = parameters_of(route), set()
    for name, value in request.query_params.multi_items():
        if name not in known:
            knows = f"It knows {', '.join(known)}." if known else "It knows none."
            raise ParameterUnknown(
                f'This route does not know the query parameter "{name[:_NAME_LENGTH_MAX]}". {knows}',
                suggestion="Correct its name, or leave it out.", parameter=name[:_NAME_LENGTH_MAX],
                known=list(known),
            )  # fmt: skip
        if name in seen:
            raise ParameterRepeated(
                f"The query parameter {name} stands in the address more than once.",
                suggestion=f"Send {name} once, with the value that is meant.", parameter=name,
            )  # fmt: skip
        if "\0" in value:
            raise _refused(("query", name))
        seen.add(name)


def _check_json(content_type: str, body: bytes) -> None:
    """The framework's own parser takes NaN, and takes a body of another type for a missing one."""
    if not body:
        return
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise MediaTypeNotSupported
    try:
        found = orjson.loads(body)
    except ValueError:
        raise MalformedJson from None
    # It would be a failure of ours that callers can bring about as often as they like.
    if b"\\u0000" in body and (place := _place_of_nul(found)) is not None:
        raise _refused(("body", *place))


def _refused(place: tuple[str | int, ...]) -> RequestValidationError:
    return RequestValidationError([{"type": "string_nul", "loc": place, "msg": "No text holds the sign U+0000"}])


def _place_of_nul(found: Any) -> tuple[str | int, ...] | None:
    """Where a text of it, names of members included, has U+0000; a name that has it is told by what holds it."""
    left: list[tuple[tuple[str | int, ...], Any]] = [((), found)]
    while left:
        place, value = left.pop()
        if isinstance(value, str):
            if "\0" in value:
                return place
        elif isinstance(value, dict):
            if any("\0" in name for name in value):
                return place
            left += [((*place, name), one) for name, one in value.items()]
        elif isinstance(value, list):
            left += [((*place, number), one) for number, one in enumerate(value)]
    return None
