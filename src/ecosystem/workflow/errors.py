"""What is wrong with a definition (`DefinitionRefused`), and what goes wrong in a run (`Fault`)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ecosystem.kernel.errors import EcosystemError, Failure, Kind, Severity

STANDARD = "https://serverlessworkflow.io/spec/1.0.0/errors/"
OURS = "urn:ecosystem:error:"
TIMEOUT, EXPRESSION, VALIDATION = f"{STANDARD}timeout", f"{STANDARD}expression", f"{STANDARD}validation"
RUNTIME = f"{STANDARD}runtime"


@dataclass(frozen=True)
class Refusal:
    """One broken rule of a definition: `path` is a JSON pointer into it, `line` counts from 1."""

    rule: str
    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.path or '/'}: {self.message} [{self.rule}]"


class DefinitionRefused(EcosystemError):
    code, status, kind, severity = "definition_refused", 422, Kind.PERMANENT, Severity.MEDIUM
    rule = "A workflow is a Serverless Workflow DSL 1.0 document in the subset that runs here."
    suggestion = "Correct the named lines; docs/adr/0070-workflow-subset.md lists what runs here."

    def __init__(self, source: str, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        super().__init__(f"{source}: " + "; ".join(map(str, self.refusals)), refusals=[asdict(one) for one in refusals])


class InputRefused(EcosystemError):
    code, status, kind, severity = "workflow_input_refused", 422, Kind.PERMANENT, Severity.LOW
    rule = "The input of a run fits the schema of its workflow."
    suggestion = "Correct the named field; GET /v1/workflows shows the schema."


@dataclass(frozen=True)
class ErrorValue:
    """An error as the DSL knows it (RFC 9457), with our own members `code`, `retryable` and `severity` beside.

    `instance` is the JSON pointer of the task that failed.
    """

    type: str
    status: int
    title: str
    detail: str
    instance: str
    code: str
    retryable: bool = False
    severity: str = Severity.MEDIUM.value

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Fault(Exception):
    """An error that goes up through the tasks until a `catch` takes it; uncaught, it ends the run in ERROR.

    `catchable` is False for what no definition may hide: a run that is too long, or past its own time.
    """

    def __init__(self, error: ErrorValue, *, catchable: bool = True) -> None:
        self.error, self.catchable = error, catchable
        super().__init__(f"{error.code}: {error.detail}")


def fault_of(failure: Failure, instance: str) -> Fault:
    """The fault that an agent's failure stands for; a time-out is the DSL's own error type."""
    timed_out = failure.code in ("deadline_exceeded", "timeout")
    return Fault(
        ErrorValue(
            TIMEOUT if timed_out else OURS + failure.code, 408 if timed_out else failure.status,
            failure.code.replace("_", " ").capitalize(), failure.message, instance, failure.code,
            failure.retryable, failure.severity.value,
        )
    )  # fmt: skip


def fault(kind: str, code: str, detail: str, instance: str, *, status: int = 400, catchable: bool = True) -> Fault:
    """A fault of the run itself; repeating it changes nothing."""
    error = ErrorValue(kind, status, code.replace("_", " ").capitalize(), detail, instance, code)
    return Fault(error, catchable=catchable)


def late(instance: str) -> Fault:
    """The run is past the timeout of its workflow."""
    detail = "The run did not end within the timeout of its workflow."
    return fault(TIMEOUT, "workflow_timeout", detail, instance, status=408, catchable=False)
