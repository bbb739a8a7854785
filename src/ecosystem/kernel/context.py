"""What every piece of work knows without being told: company, user, trace, deadline, attempt.

One immutable value in one context variable; `scope(...)` replaces fields for a block. `db` marks the
block in which a unit of work is open, and slow parts ask `refuse_in_unit_of_work()` first.
"""

import time
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from ecosystem.kernel.errors import DeadlineExceeded, EcosystemError, Kind, Severity


@dataclass(frozen=True)
class Context:
    """`deadline` is a reading of `time.monotonic()`; `trace_id`, `span_id` are lower-case hex (W3C Trace Context)."""

    company_id: UUID | None = None
    user_id: str | None = None
    scopes: frozenset[str] = frozenset()
    trace_id: str | None = None
    span_id: str | None = None
    deadline: float | None = None
    attempt: int = 1
    agent_id: str | None = None
    unit_of_work: bool = False
    answering: bool = False
    """Whether this work answers a call, whose caller owns the attempts."""


class SlowWorkInUnitOfWork(EcosystemError):
    code, status, kind, severity = "slow_work_in_unit_of_work", 500, Kind.PERMANENT, Severity.HIGH
    rule = "A unit of work holds database statements only."
    suggestion = "Do the slow work before the unit of work opens, or between two of them."


_FIELDS = frozenset(field.name for field in fields(Context))
_current: ContextVar[Context] = ContextVar("ecosystem_context", default=Context())  # noqa: B039 frozen


def current() -> Context:
    return _current.get()


class scope:  # noqa: N801 reads as a statement: `with scope(company_id=…)`
    """Replace fields of the context for a block. Raises TypeError for an unknown field.

    A class and no generator, and neither `dataclasses.replace` nor `__init__`: every call of an agent passes four.
    """

    __slots__ = ("_changes", "_token")

    def __init__(self, **changes: Any) -> None:
        self._changes = changes

    def __enter__(self) -> Context:
        changes = self._changes
        if not changes.keys() <= _FIELDS:
            raise TypeError(f"The context has no {', '.join(changes.keys() - _FIELDS)}.")
        now = object.__new__(Context)
        now.__dict__.update(_current.get().__dict__, **changes)
        self._token = _current.set(now)
        return now

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def deadline_within(seconds: float) -> scope:
    """Shorten the deadline to `seconds` from now for a block; an earlier one that is already set stays."""
    ours, theirs = time.monotonic() + seconds, _current.get().deadline
    return scope(deadline=ours if theirs is None else min(ours, theirs))


def remaining_seconds(otherwise: float) -> float:
    """Seconds until the deadline, at most `otherwise`.

    Raises:
        DeadlineExceeded: the deadline has passed; nothing should be begun.
    """
    deadline = _current.get().deadline
    if deadline is None:
        return otherwise
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded
    return min(left, otherwise)


def refuse_in_unit_of_work(what: str) -> None:
    """Raises SlowWorkInUnitOfWork while a unit of work is open."""
    if _current.get().unit_of_work:
        raise SlowWorkInUnitOfWork(f"{what} was called while a unit of work was open.")
