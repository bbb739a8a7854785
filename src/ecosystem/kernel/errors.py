"""Failure is a value: every error has a code, a class, a severity and a next step.

Subclasses are named by the broken rule and live beside the code that raises them. Retry, breaker and
fallback read `kind` and nothing else.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from ecosystem.kernel.foreign import UNKNOWN_ATTEMPTS_MAX, rule_of


class Kind(StrEnum):
    """What repeating the same operation could change."""

    TRANSIENT = "transient"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class EcosystemError(Exception):
    """The base of every error that leaves a function on purpose.

    `message` may reach the caller: it names the broken rule, never another company and never personal data.
    `details` are JSON-ready facts beside it (limits, positions), under the same rule.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    kind: ClassVar[Kind] = Kind.UNKNOWN
    severity: ClassVar[Severity] = Severity.MEDIUM
    rule: ClassVar[str] = "The platform failed in a way it does not know."
    suggestion: ClassVar[str] = "Try again; if it persists, report the trace id to the platform engineer."

    def __init__(self, message: str | None = None, *, suggestion: str | None = None, **details: Any) -> None:
        self.message = message if message is not None else self.rule
        self.next_step = suggestion if suggestion is not None else self.suggestion
        self.details = details
        super().__init__(self.message)

    @property
    def retryable(self) -> bool:
        return self.kind is not Kind.PERMANENT


@dataclass(frozen=True)
class Failure:
    """An error as a value that can be stored, sent and compared."""

    code: str
    message: str
    kind: Kind
    severity: Severity
    suggestion: str
    status: int

    @property
    def retryable(self) -> bool:
        return self.kind is not Kind.PERMANENT


def describe(error: BaseException) -> Failure:
    """The failure that an exception stands for.

    The kind of a foreign exception is that of the table in `foreign.py`, unknown where it stands in no line. Its text
    is left out, because it may quote what a customer sent.
    """
    if isinstance(error, EcosystemError):
        return Failure(error.code, error.message, error.kind, error.severity, error.next_step, error.status)
    if isinstance(error, TimeoutError):
        return Failure(
            "timeout", "The work did not end within its deadline.", Kind.TRANSIENT, Severity.MEDIUM,
            "Try again later or with a longer deadline.", 504,
        )  # fmt: skip
    rule = rule_of(error)
    if rule is not None and rule.kind == Kind.TRANSIENT:
        return Failure(
            "unavailable", "A part that is needed did not answer.", Kind.TRANSIENT, Severity.MEDIUM,
            "Try again in a moment.", 503,
        )  # fmt: skip
    kind = Kind.UNKNOWN if rule is None else Kind.PERMANENT
    return Failure(EcosystemError.code, EcosystemError.rule, kind, Severity.HIGH, EcosystemError.suggestion, 500)


def is_last(kind: Kind, attempts: int) -> bool:
    """Whether a failure of this kind, after so many attempts, is not tried again, whatever else would allow it."""
    return kind is Kind.PERMANENT or (kind is Kind.UNKNOWN and attempts >= UNKNOWN_ATTEMPTS_MAX)


class DeadlineExceeded(EcosystemError):
    code, status, kind = "deadline_exceeded", 504, Kind.TRANSIENT
    rule = "The work did not end before its deadline."
    suggestion = "Try again later or with a longer deadline."


class Unavailable(EcosystemError):
    code, status, kind = "unavailable", 503, Kind.TRANSIENT
    rule = "A part that is needed did not answer."
    suggestion = "Try again in a moment; `eco status` shows what is down."


class NotFound(EcosystemError):
    code, status, kind, severity = "not_found", 404, Kind.PERMANENT, Severity.LOW
    rule = "There is nothing here under this id."
    suggestion = "Check the id; a listing shows what there is."


class Conflict(EcosystemError):
    code, status, kind, severity = "conflict", 409, Kind.PERMANENT, Severity.LOW
    rule = "The request contradicts what is stored."
    suggestion = "Read the present state, then decide again."


class Invalid(EcosystemError):
    code, status, kind, severity = "invalid", 422, Kind.PERMANENT, Severity.LOW
    rule = "The request breaks a rule of its format."
    suggestion = "Correct the named field and send it again."


class Unauthenticated(EcosystemError):
    code, status, kind, severity = "unauthenticated", 401, Kind.PERMANENT, Severity.MEDIUM
    rule = "The caller did not prove who it is."
    suggestion = "Get a token from POST /oauth/token and send it as `Authorization: Bearer`."


class Forbidden(EcosystemError):
    code, status, kind, severity = "forbidden", 403, Kind.PERMANENT, Severity.MEDIUM
    rule = "The caller may not do this."
    suggestion = "Ask the company's administrator for a client with the scope named here."
