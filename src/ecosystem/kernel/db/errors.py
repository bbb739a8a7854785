"""What can go wrong with a unit of work, and how a driver's exception becomes one of these."""

import psycopg
from sqlalchemy import exc

from ecosystem.kernel.errors import EcosystemError, Kind, Severity, Unavailable


class DatabaseUnavailable(Unavailable):
    code = "database_unavailable"
    rule = "The database did not answer."
    suggestion = "Try again in a moment; `eco status` shows its state."


class CommitUncertain(Unavailable):
    """The connection died during COMMIT: the work is done or not; only idempotence can tell."""

    code, kind = "commit_uncertain", Kind.UNKNOWN
    rule = "The connection was lost during the commit; whether it happened is not known."
    suggestion = "Send the same request again with the same key or request id: it takes effect once."


class ConnectionsExhausted(Unavailable):
    code = "connections_exhausted"
    rule = "Every connection of this process is in use."
    suggestion = "Try again in a moment; if it persists, scale the service out."


class TooMuchContention(EcosystemError):
    code, status, kind = "too_much_contention", 503, Kind.TRANSIENT
    rule = "Others kept writing the same rows, and the unit of work was run again as often as allowed."
    suggestion = "Try again in a moment."


class UnitOfWorkTooLong(EcosystemError):
    code, status, kind, severity = "unit_of_work_too_long", 503, Kind.TRANSIENT, Severity.HIGH
    rule = "A unit of work ends within `database.transaction_timeout_seconds`; nothing of it was kept."
    suggestion = "Try again; if it persists, do the work in smaller pieces."


class NoUnitOfWork(EcosystemError):
    code, kind, severity = "no_unit_of_work", Kind.PERMANENT, Severity.HIGH
    rule = "Statements run inside of `database.run(...)` or `database.read(...)`."
    suggestion = "Open a unit of work at the door."


class WriteInReading(EcosystemError):
    code, kind, severity = "write_in_reading", Kind.PERMANENT, Severity.HIGH
    rule = "A unit of work cannot open inside of `database.read(...)`."
    suggestion = "Open the unit of work first; readings inside join it."


class FenceBypassed(EcosystemError):
    code, kind, severity = "fence_bypassed", Kind.PERMANENT, Severity.CRITICAL
    rule = "A service's login role is neither a superuser nor allowed to bypass row-level security."
    suggestion = "Give the service its own role: `database.url` of `eco_<schema>`, made by the migrations."


class DeadAtRest(psycopg.OperationalError):
    """A pooled connection had ended before we used it; a new one may work."""


RUN_AGAIN = frozenset({"40001", "40P01"})
_TAKEN = "23505"
_TOO_LONG = frozenset({"25P03", "25P04"})


def sqlstate(error: BaseException) -> str | None:
    """The five characters of SQLSTATE, where the server gave them."""
    if isinstance(error, exc.DBAPIError):
        error = error.orig or error
    return error.sqlstate if isinstance(error, psycopg.Error) else None


def is_taken(error: BaseException) -> bool:
    """What was to be unique is there already."""
    return sqlstate(error) == _TAKEN


def is_lost(error: BaseException) -> bool:
    """The connection is gone, or never came about."""
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated:
            return True
        error = error.orig or error
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return isinstance(error, OSError)
    state = error.sqlstate
    return state is None or state.startswith(("08", "57P")) or state == "53300"


def translate(error: BaseException) -> EcosystemError | None:
    """Our error for a failure of the world; None for what the caller must see as it is (constraints, our SQL)."""
    state = sqlstate(error)
    if state in RUN_AGAIN:
        return TooMuchContention()
    if state in _TOO_LONG:
        return UnitOfWorkTooLong()
    if isinstance(error, exc.TimeoutError):
        return ConnectionsExhausted()
    return DatabaseUnavailable() if is_lost(error) else None
