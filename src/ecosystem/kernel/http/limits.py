"""How large a request's body may be and how slowly it may come: a default for all routes, more where one says so."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ecosystem.kernel.errors import EcosystemError, Kind, Severity

F = TypeVar("F", bound=Callable[..., Any])
_ATTRIBUTE = "ecosystem_body_limit"


class BodyTooLarge(EcosystemError):
    code, status, kind, severity = "file_too_large", 413, Kind.PERMANENT, Severity.LOW
    suggestion = "Send less at once."

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"A request's body has at most {bytes_max} bytes here.", bytes_max=bytes_max)


class BodyTooSlow(EcosystemError):
    code, status, kind, severity = "body_too_slow", 408, Kind.TRANSIENT, Severity.LOW
    rule = "A request's body keeps coming, at a pace that says it will end."
    suggestion = "Send it again, at once and over a connection that is fast enough."


@dataclass(frozen=True)
class BodyLimit:
    bytes_max: int
    seconds: float


def body_limit(bytes_max: int, *, seconds: float = 300) -> Callable[[F], F]:
    """Mark an endpoint (below its route decorator): this many bytes, and this long for the whole request.

    Only for routes without path parameters. A body that says it is longer is refused before it is read; one that
    says nothing, when it passes the limit.
    """

    def mark(endpoint: F) -> F:
        setattr(endpoint, _ATTRIBUTE, BodyLimit(bytes_max, seconds))
        return endpoint

    return mark


def limit_of(endpoint: Any) -> BodyLimit | None:
    found = getattr(endpoint, _ATTRIBUTE, None)
    return found if isinstance(found, BodyLimit) else None
