"""What the orchestrator refuses, named by the broken rule."""

from ecosystem.kernel.errors import Conflict, EcosystemError, Failure, Kind, NotFound, Severity


class WorkflowUnknown(NotFound):
    code = "workflow_unknown"
    rule = "A run is of a workflow that this platform knows."
    suggestion = "GET /v1/workflows lists them."


class RunUnknown(NotFound):
    code = "run_unknown"
    rule = "There is no run under this id."
    suggestion = "GET /v1/runs lists the runs of the company."


class RunEnded(Conflict):
    code = "run_ended"
    rule = "Only a run that is under way or stays in ERROR can be cancelled."
    suggestion = "Nothing is left to do: GET /v1/runs/{run_id} shows its outcome."


class RunNotFailed(Conflict):
    code = "run_not_failed"
    rule = "Only a run that stays in ERROR can be retried."
    suggestion = "Wait until it has ended, or start a new run."


class RunForgotten(Conflict):
    code = "run_forgotten"
    rule = "A run can be retried as long as its finished steps are kept, which is weeks."
    suggestion = "Cancel this run and start a new one under another key."


class DefinitionChanged(EcosystemError):
    code, status, kind, severity = "definition_changed", 500, Kind.PERMANENT, Severity.HIGH
    rule = "A definition that a run has used stays as it is."
    suggestion = "Give the changed text a new document.version, and bring the old text back."


class DefinitionUnfit(EcosystemError):
    code, status, kind, severity = "definition_unfit", 500, Kind.PERMANENT, Severity.HIGH
    rule = "A definition asks agents that exist for tasks they know, within the limits of their cards."
    suggestion = "Correct the named lines of the definition."


class RunFaulted(EcosystemError):
    """A run ended with an error that its definition did not catch; code and message are that error's."""

    kind, severity = Kind.PERMANENT, Severity.MEDIUM
    rule = "A workflow ended with an error."

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message, suggestion=failure.suggestion)
        self.__dict__.update(code=failure.code, status=failure.status)
