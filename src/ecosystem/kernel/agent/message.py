"""A request to an agent and its response, free of transport; the wire's form of both is `agent.proto`."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from ecosystem.kernel.errors import EcosystemError, Failure, Kind, Severity, Unavailable
from ecosystem.kernel.resilience.errors import Inconclusive


class Status(StrEnum):
    """FAILURE: the task broke a rule and would again. TIMEOUT: no answer in time. ERROR: the world or we failed."""

    SUCCESS = "success"
    FAILURE = "failure"
    TIMEOUT = "timeout"
    ERROR = "error"


class AgentRequest(NamedTuple):
    """`payload` is JSON. `retries` is the total number of attempts of the operation, `attempt` counts from 1.

    `trace_id` and `span_id` are W3C Trace Context ids of the caller, empty where there is no trace.
    """

    request_id: str
    from_agent_id: str
    to_agent_id: str
    request_type: str
    payload: bytes
    timeout_ms: int
    retries: int = 1
    attempt: int = 1
    trace_id: str = ""
    span_id: str = ""
    company_id: UUID | None = None
    user_id: str | None = None


class AgentResponse(NamedTuple):
    """`result` is JSON on success, else None; `failure` says what went wrong. `stack_trace` is empty unless allowed."""

    request_id: str
    status: Status
    result: bytes | None
    failure: Failure | None
    execution_time_ms: float
    timestamp: datetime
    stack_trace: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is at the other end, proved by its certificate (`service`) or by its token (`client_id` and its agents)."""

    service: str | None = None
    client_id: str | None = None
    agents: frozenset[str] = frozenset()


def status_of(failure: Failure) -> Status:
    if failure.code in ("deadline_exceeded", "timeout"):
        return Status.TIMEOUT
    return Status.FAILURE if failure.kind is Kind.PERMANENT and failure.status < 500 else Status.ERROR


class AgentFailed(EcosystemError):
    """The failure that an agent answered with; code, status, kind and severity are those of the answer."""

    rule = "An agent answered with a failure."

    def __init__(self, failure: Failure, agent_id: str) -> None:
        super().__init__(failure.message, suggestion=failure.suggestion, agent_id=agent_id)
        about = {"code": failure.code, "status": failure.status, "kind": failure.kind, "severity": failure.severity}
        # Of the instance, over the class's: one class for every code that any agent may answer with.
        self.__dict__.update(about)


class UnknownAgent(EcosystemError):
    code, status, kind, severity = "unknown_agent", 404, Kind.PERMANENT, Severity.LOW
    rule = "A request goes to an agent that exists and is hosted where it arrives."
    suggestion = "Check to_agent_id against the agents' cards."


class UnknownRequestType(EcosystemError):
    code, status, kind, severity = "unknown_request_type", 422, Kind.PERMANENT, Severity.LOW
    rule = "An agent does only the tasks that its card names."
    suggestion = "Use a request_type of the agent's card."


class CallRefused(EcosystemError):
    code, status, kind, severity = "call_refused", 403, Kind.PERMANENT, Severity.HIGH
    rule = "Who may call an agent is written on its card; everyone else is refused."
    suggestion = "Call as an agent that the card names, or ask for the policy to be changed."


class PayloadInvalid(EcosystemError):
    code, status, kind, severity = "payload_invalid", 422, Kind.PERMANENT, Severity.LOW
    rule = "A payload fits the schema of its request_type."
    suggestion = "Correct the named fields; schemas/ holds the schema of each task."


class PayloadTooLarge(EcosystemError):
    code, status, kind, severity = "payload_too_large", 413, Kind.PERMANENT, Severity.LOW
    rule = "A payload carries ids, not contents, and has a limit."
    suggestion = "Store the content and send its id."


class RequestInvalid(EcosystemError):
    code, status, kind, severity = "request_invalid", 422, Kind.PERMANENT, Severity.LOW
    rule = "A request names its ids, its time-out and its attempts within their limits."
    suggestion = "Correct the named field."


class RequestIdReused(EcosystemError):
    code, status, kind, severity = "request_id_reused", 409, Kind.PERMANENT, Severity.MEDIUM
    rule = "One request_id stands for one question."
    suggestion = "Use a new request_id for a new question."


class AnswerUnrecorded(EcosystemError):
    code, status, kind, severity = "answer_unrecorded", 500, Kind.PERMANENT, Severity.HIGH
    rule = "A task with an effect answers through call.commit()."
    suggestion = "Report the trace id to the platform engineer: the handler of this task is wrong."


class NoInstance(Inconclusive, Unavailable):
    """Nobody was asked: the registry knows no instance that is ready. A restarted service is not shut out for this."""

    rule = "A call needs an instance that is ready."
    retry_after_seconds = 1.0


class InstanceLost(Inconclusive, Unavailable):
    """One instance did not take the call, or died while it had it: its own breaker counts that, not the route's.

    `details["elsewhere"]` is true where another one may take it.
    """

    rule = "The instance that was asked is gone."


class TooManyCalls(EcosystemError):
    code, status, kind, severity = "too_many_calls", 429, Kind.TRANSIENT, Severity.MEDIUM
    rule = "A process handles a limited number of calls at once."
    suggestion = "Try again in a moment."
