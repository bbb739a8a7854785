"""Refusals of our own side: the call was not made, so they say nothing of the destination."""

from ecosystem.kernel.errors import EcosystemError, Kind, Severity


class Inconclusive:
    """Marks an error that says nothing of the destination as a whole: a breaker counts it as nothing."""


class NotTried(Inconclusive, EcosystemError):
    """The base: nobody was asked. `details["retry_after_seconds"]` says when asking may help."""

    kind, severity = Kind.TRANSIENT, Severity.MEDIUM

    def __init__(self, message: str | None = None, *, retry_after_seconds: float = 1.0) -> None:
        self.retry_after_seconds = round(max(retry_after_seconds, 0.0), 3)
        super().__init__(message, retry_after_seconds=self.retry_after_seconds)


class CallNotPermitted(NotTried):
    code, status = "call_not_permitted", 503
    rule = "A destination that keeps failing is left alone for a while."
    suggestion = "Try again after retry_after_seconds; `eco policies show` says when a breaker opens and for how long."


class BulkheadFull(NotTried):
    code, status = "bulkhead_full", 503
    rule = "A limited number of calls to one destination runs at once."
    suggestion = "Try again in a moment, or raise bulkhead_calls_max of the route in the policies."


class RequestNotPermitted(NotTried):
    code, status = "request_not_permitted", 429
    rule = "A limited number of calls to one destination begins in each period."
    suggestion = "Try again after retry_after_seconds, or raise rate_calls_max of the route in the policies."
