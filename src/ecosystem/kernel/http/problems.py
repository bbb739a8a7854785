"""Errors over HTTP: problem+json (RFC 9457), without stack, query text or anything of another company."""

import math
from typing import Any

import orjson
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from ecosystem.kernel import context
from ecosystem.kernel.errors import EcosystemError, Failure, describe

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request", 401: "Unauthenticated", 403: "Forbidden", 404: "Not found", 405: "Method not allowed",
    408: "Timed out", 409: "Conflict", 410: "Gone", 411: "Length required", 413: "Too large",
    415: "Unsupported media type", 422: "Invalid", 429: "Too many requests", 500: "Internal error", 503: "Unavailable",
    504: "Timed out",
}  # fmt: skip

ERRORS_MAX = 20
"""How many broken fields an answer names."""

NOT_NOW = "X-Envoy-RateLimited"
"""An answer that has it is not asked for again by an edge of Envoy, whatever its retry policy says of the status."""


class Problem(BaseModel):
    """A refusal (RFC 9457). Further members say what it is about: limits, names, positions."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(pattern="^urn:ecosystem:problem:")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="The rule that is broken.")
    code: str = Field(description="For machines; one for each rule.")
    next_step: str
    retryable: bool = Field(description="Whether the same request can succeed later.")
    trace_id: str | None = Field(description="Finds the logs of the request.")


class BrokenField(BaseModel):
    field: str
    rule: str
    message: str


class InvalidProblem(Problem):
    """A refusal of what was sent. `errors` is there where fields break rules of their form."""

    errors: list[BrokenField] = Field(default=[], max_length=ERRORS_MAX)


def problem(failure: Failure, details: dict[str, Any] | None = None, headers: dict[str, str] | None = None) -> Response:
    """The answer that `Problem` describes. `details` become members."""
    body = (details or {}) | {
        "type": f"urn:ecosystem:problem:{failure.code}",
        "title": TITLES.get(failure.status, "Failed"),
        "status": failure.status,
        "detail": failure.message,
        "code": failure.code,
        "next_step": failure.suggestion,
        "retryable": failure.retryable,
        "trace_id": context.current().trace_id,
    }
    content = orjson.dumps(body, default=str)
    return Response(content, status_code=failure.status, media_type=MEDIA_TYPE, headers=headers)


def problem_of(error: BaseException) -> Response:
    """The answer for any exception; a foreign one says only that the platform failed."""
    failure = describe(error)
    details = error.details if isinstance(error, EcosystemError) else {}
    headers = {"WWW-Authenticate": "Bearer"} if failure.status == 401 else None
    if failure.status in (429, 503):
        headers = {"Retry-After": str(max(1, math.ceil(details.get("retry_after_seconds", 1))))}
        if "retry_after_seconds" in details:
            # Refused for a while: the edge asking again at once would only add to it.
            headers[NOT_NOW] = "true"
    return problem(failure, details, headers)
