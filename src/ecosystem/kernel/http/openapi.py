"""A service's routes as OpenAPI 3.1, with the refusals that are really sent.

The framework knows of none but its own form of 422. What a route can refuse follows from what it asks for: a token, an
id, a body. It is therefore said here for all routes, and a route adds only answers that have a form of their own.
"""

import copy
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from ecosystem.kernel.http.door import BASIC_PATH, routes_of
from ecosystem.kernel.http.principal import Requires
from ecosystem.kernel.http.problems import MEDIA_TYPE, TITLES, InvalidProblem, Problem

_JSON = dict[str, Any]
_FRAMEWORKS = ("HTTPValidationError", "ValidationError")
_READING = ("get", "head", "options")
_TYPED = ("application/json", "multipart/form-data")
_STATUSES = (400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503)
_SCHEMES: _JSON = {
    "bearer": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "A token of POST /oauth/token. A route names the scopes that it asks for.",
    },
    "basic": {"type": "http", "scheme": "basic", "description": "A client's id and secret."},
}  # fmt: skip
_HEADERS: dict[int, _JSON] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}},
    503: {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}},
}


def described(app: FastAPI) -> _JSON:
    """The OpenAPI document of an application made by `create_app`."""
    document: _JSON = copy.deepcopy(app.openapi())
    if not document["paths"]:
        return document
    routes = {
        (method.lower(), route.path_format): route
        for route in routes_of(app)
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _describe(operation, method, path, list(_required(routes[method, path].dependant)))
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _FRAMEWORKS:
        schemas.pop(name, None)
    schemas |= _schemas()
    components["responses"] = {_name(status): _refusal(status) for status in (*_STATUSES, None)}
    shown = {
        name for operations in document["paths"].values() for operation in operations.values()
        for way in operation.get("security", ()) for name in way
    }  # fmt: skip
    if shown:
        components["securitySchemes"] = {name: _SCHEMES[name] for name in sorted(shown)}
    return document


def _required(dependant: Dependant) -> Iterator[Requires]:
    for one in dependant.dependencies:
        if isinstance(one.call, Requires):
            yield one.call
        yield from _required(one)


def _describe(operation: _JSON, method: str, path: str, required: list[Requires]) -> None:
    if required:
        scopes = sorted({scope for one in required for scope in one.scopes})
        ways: list[dict[str, list[str]]] = [{"bearer": scopes}]
        operation.setdefault("security", [*ways, {"basic": []}] if path == BASIC_PATH else ways)
    responses = operation["responses"]
    if "application/json" in responses.get("422", {}).get("content", {}):
        del responses["422"]  # the framework's
    own = responses.pop("default", {}).get("content", {})
    for status in _possible(operation, method, needs_token=bool(required)):
        key = "default" if status is None else str(status)
        given = responses.get(key, {}).get("content", own)
        # A reference where the answer is as everywhere, so that a generated client has one class for it.
        responses[key] = (
            {**_refusal(status), "content": {**given, **_refusal(status)["content"]}}
            if given
            else {"$ref": f"#/components/responses/{_name(status)}"}
        )


def _possible(operation: _JSON, method: str, *, needs_token: bool) -> Iterator[int | None]:
    """The statuses of refusals; None stands for those that have no entry of their own."""
    body = operation.get("requestBody", {}).get("content", {})
    parameters = operation.get("parameters", ())
    if body:
        yield from (400, 408, 413)
    if any(media_type in body for media_type in _TYPED):
        yield 415
    if operation.get("security"):
        yield 401
    if needs_token:
        yield 403
    if any(one["in"] == "path" for one in parameters):
        yield 404
    if needs_token and method not in _READING:
        yield 409
    if body or parameters or needs_token:
        yield 422  # with a token, unknown query parameters are refused on every route
    yield from (429, 503, None)


def _refusal(status: int | None) -> _JSON:
    model = InvalidProblem if status == 422 else Problem
    described: _JSON = {
        "description": TITLES[status] if status else "Refused, or failed",
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}},
    }
    return described | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


def _name(status: int | None) -> str:
    return "".join(word.capitalize() for word in TITLES[status].split()) if status else "Refused"


def _schemas() -> _JSON:
    _, found = models_json_schema(
        [(Problem, "serialization"), (InvalidProblem, "serialization")], ref_template="#/components/schemas/{model}"
    )
    schemas: _JSON = found["$defs"]
    return schemas
