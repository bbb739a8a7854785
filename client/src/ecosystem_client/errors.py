"""Every refusal and failure as a type, with what the platform said about it.

`except NotFound`, `except Invalid as refusal: refusal.rule` … All of them are `EcosystemFailure`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx


class EcosystemFailure(Exception):
    """The base of everything this library raises on purpose."""


@dataclass
class ApiError(EcosystemFailure):
    """The platform answered with a problem (RFC 9457).

    `code` is stable and machine-readable; `rule` is the broken rule where one is named; `next_step` says what to do;
    `trace_id` finds the request in the platform's logs. `retry_after_seconds` is set where the platform named it.
    """

    status: int
    code: str
    detail: str
    rule: str | None = None
    next_step: str | None = None
    trace_id: str | None = None
    retry_after_seconds: float | None = None
    problem: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        parts = [f"{self.detail} ({self.code}, HTTP {self.status})"]
        if self.next_step:
            parts.append(f"Next: {self.next_step}")
        if self.trace_id:
            parts.append(f"Trace {self.trace_id}.")
        return " ".join(parts)


class Invalid(ApiError):
    """400, 415, 422: the request breaks a rule; sending it again changes nothing."""


class Unauthenticated(ApiError):
    """401: the token was refused, also after it was renewed."""


class LoginRefused(Unauthenticated):
    """The client's id and secret were not accepted: revoked, rotated or mistyped."""


class Forbidden(ApiError):
    """403: the client lacks the scope that the problem names."""


class NotFound(ApiError):
    """404: nothing under this id, for this company."""


class Conflict(ApiError):
    """409: the request contradicts what is stored."""


class TooLarge(ApiError):
    """413: the file is larger than the platform accepts."""


class TooManyRequests(ApiError):
    """429: still over the limit after the waits that the platform asked for."""


class ServerError(ApiError):
    """5xx: the platform failed. `Unavailable` when it says that it will be back."""


class Unavailable(ServerError):
    """502, 503, 504, after the retries that were safe."""


class NotSendable(EcosystemFailure, ValueError):
    """What was given cannot be a request; nothing was sent. `rule` says why, `next_step` what to give instead."""

    def __init__(self, rule: str, *, next_step: str) -> None:
        super().__init__(f"{rule} Next: {next_step}")
        self.rule, self.next_step = rule, next_step


class ConnectionFailed(EcosystemFailure):
    """No answer: wrong address, wrong CA, nothing listening, or the connection broke.

    `sent` is True where the request may have reached the platform; it was then not repeated, unless that was safe.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class UnexpectedAnswer(EcosystemFailure):
    """The answer is not of the promised form: client and platform are of different versions, or a proxy answered."""


class FollowTimedOut(EcosystemFailure):
    """The document `document_id` had no outcome yet when the time to follow it ended; it can be followed again."""

    def __init__(self, message: str, document_id: str = "") -> None:
        super().__init__(message)
        self.document_id = document_id


_BY_STATUS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    415: Invalid,
    422: Invalid,
    429: TooManyRequests,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def error_of(response: httpx.Response, trace_id: str | None = None) -> ApiError:
    """The error that a response stands for; its body must have been read.

    Understands problem+json (RFC 9457), the errors of OAuth 2 (RFC 6749, 5.2), the answers of agents, and answers of
    no form, which a proxy in between may give. `trace_id`: what the request carried, where the answer names none.
    """
    problem = _problem(response)
    status = response.status_code
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    if "error" in problem and "code" not in problem:
        kind = LoginRefused if problem["error"] in ("invalid_client", "unauthorized_client", "invalid_grant") else kind
    code = problem.get("code") or problem.get("error") or f"http_{status}"
    detail = problem.get("detail") or problem.get("error_description") or problem.get("title") or response.reason_phrase
    return kind(
        status=status,
        code=str(code),
        detail=str(detail),
        rule=problem.get("rule"),
        next_step=problem.get("next_step"),
        trace_id=problem.get("trace_id") or trace_id,
        retry_after_seconds=retry_after_seconds(response),
        problem=problem,
    )


def retry_after_seconds(response: httpx.Response) -> float | None:
    """`Retry-After` in seconds; a date (the other form of RFC 9110) is left to the usual waits."""
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdigit() else None


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    if not isinstance(body, dict):
        return {}
    if "request_id" in body and "code" not in body:
        # An agent's answer (`POST /agent/handle`): its `error` is a message, not a code of OAuth.
        return {"code": f"agent_{body.get('status')}", "detail": body.get("error"), "answer": body}
    return body
