"""What durable execution refuses, and the signals that end a handler without being its failure."""

from ecosystem.kernel.errors import EcosystemError, Kind, NotFound, Severity


class StartedOutside(EcosystemError):
    code, kind, severity = "started_outside", Kind.PERMANENT, Severity.HIGH
    rule = "A task is started, cancelled and retried in a unit of work, and commits with it."
    suggestion = "Call it inside of `database.run(...)`."


class TaskUnknown(NotFound):
    code = "task_unknown"
    rule = "There is no task under this id."


class ChildFailed(EcosystemError):
    """A child task ended in failure; `details["code"]` is its code."""

    code, kind = "child_failed", Kind.PERMANENT
    rule = "A part of the work, done as a task of its own, failed."
    suggestion = "See the failure of the child task."


class WorkerDied(EcosystemError):
    code, kind = "worker_died", Kind.TRANSIENT
    rule = "The process that worked on the task ended without finishing it."


class LeaseExpired(EcosystemError):
    code, kind = "lease_expired", Kind.TRANSIENT
    rule = "The process that worked on the task gave no sign of life for the length of its lease."


class HandlerUnknown(EcosystemError):
    code, kind, severity = "handler_unknown", Kind.PERMANENT, Severity.HIGH
    rule = "A worker knows the tasks of its queue by name."
    suggestion = "Deploy a version that handles this task, then retry it."


class Signal(BaseException):
    """Ends a handler from inside of `TaskContext`. No `except Exception` of a handler stops it."""


class Suspended(Signal):
    """The task sleeps or waits; its row says for what."""


class Abandoned(Signal):
    """The run is not ours any more: cancelled, or taken over while this process stood still."""


class Released(Signal):
    """The worker stops; another continues from the last step."""
