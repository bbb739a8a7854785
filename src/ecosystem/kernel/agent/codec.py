"""Between our messages and those of `agent.proto`."""

import time
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from ecosystem.kernel.agent.message import AgentRequest, AgentResponse, RequestInvalid, Status
from ecosystem.kernel.agent.wire import agent_pb2
from ecosystem.kernel.errors import Failure, Kind, Severity

METHOD = "/ecosystem.agent.v1.Agent/Handle"
SERVICE = "ecosystem.agent.v1.Agent"
_TO_WIRE = {
    Status.SUCCESS: agent_pb2.STATUS_SUCCESS,
    Status.FAILURE: agent_pb2.STATUS_FAILURE,
    Status.TIMEOUT: agent_pb2.STATUS_TIMEOUT,
    Status.ERROR: agent_pb2.STATUS_ERROR,
}
_FROM_WIRE = {number: status for status, number in _TO_WIRE.items()}
_KINDS = {kind.value: kind for kind in Kind}
_SEVERITIES = {severity.value: severity for severity in Severity}


def encode_request(request: AgentRequest) -> agent_pb2.HandleRequest:
    seconds, nanos = divmod(time.time_ns(), 1_000_000_000)
    return agent_pb2.HandleRequest(
        request_id=request.request_id, from_agent_id=request.from_agent_id, to_agent_id=request.to_agent_id,
        request_type=request.request_type, payload=request.payload, timeout_ms=request.timeout_ms,
        retries=request.retries, trace_id=request.trace_id, timestamp=Timestamp(seconds=seconds, nanos=nanos),
        company_id="" if request.company_id is None else str(request.company_id), user_id=request.user_id or "",
        attempt=request.attempt, parent_span_id=request.span_id,
    )  # fmt: skip


def decode_request(wire: agent_pb2.HandleRequest) -> AgentRequest:
    """Raises RequestInvalid where company_id is no UUID."""
    try:
        company_id = UUID(wire.company_id) if wire.company_id else None
    except ValueError:
        raise RequestInvalid("company_id is a UUID or empty.") from None
    return AgentRequest(
        wire.request_id, wire.from_agent_id, wire.to_agent_id, wire.request_type, wire.payload, wire.timeout_ms,
        wire.retries or 1, wire.attempt or 1, wire.trace_id, wire.parent_span_id, company_id, wire.user_id or None,
    )  # fmt: skip


def encode_response(response: AgentResponse) -> agent_pb2.HandleResponse:
    at = response.timestamp
    timestamp = Timestamp(seconds=int(at.timestamp()), nanos=at.microsecond * 1000)
    wire = agent_pb2.HandleResponse(
        request_id=response.request_id, status=_TO_WIRE[response.status], result=response.result,
        execution_time_ms=response.execution_time_ms, timestamp=timestamp,
    )  # fmt: skip
    failure = response.failure
    if failure is not None:
        wire.error.CopyFrom(
            agent_pb2.Error(
                error_code=failure.code,
                error_message=failure.message,
                severity=failure.severity.value,
                stack_trace=response.stack_trace,
                recovery_suggestion=failure.suggestion,
                kind=failure.kind.value,
                http_status=failure.status,
            )
        )
    return wire


def decode_response(wire: agent_pb2.HandleResponse) -> AgentResponse:
    """A status or kind that we do not know (a newer peer) is an error of unknown kind."""
    status = _FROM_WIRE.get(wire.status, Status.ERROR)
    failure = None
    if status is not Status.SUCCESS:
        error = wire.error
        failure = Failure(
            error.error_code or "unknown", error.error_message, _KINDS.get(error.kind, Kind.UNKNOWN),
            _SEVERITIES.get(error.severity, Severity.HIGH), error.recovery_suggestion, error.http_status or 500,
        )  # fmt: skip
    at = wire.timestamp
    timestamp = datetime.fromtimestamp(at.seconds + at.nanos / 1e9, UTC)
    result = wire.result if status is Status.SUCCESS else None
    return AgentResponse(
        wire.request_id, status, result, failure, wire.execution_time_ms, timestamp, wire.error.stack_trace
    )
