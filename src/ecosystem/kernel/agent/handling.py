"""The handling of a request, free of transport: policy, schema, deadline, recorded answer, trace, one log line."""

import asyncio
import hashlib
import time
import traceback
from collections.abc import Iterable, Mapping
from uuid import UUID

from prometheus_client import Histogram
from pydantic import ValidationError

from ecosystem.kernel import context
from ecosystem.kernel.agent.answers import AnswerRecorder, Answers, Question
from ecosystem.kernel.agent.authorisation import Authorisation
from ecosystem.kernel.agent.call import Call
from ecosystem.kernel.agent.card import AgentCard, Result, Task
from ecosystem.kernel.agent.host import AgentHost, Handler
from ecosystem.kernel.agent.message import (
    AgentRequest,
    AgentResponse,
    AnswerUnrecorded,
    Caller,
    PayloadInvalid,
    PayloadTooLarge,
    RequestInvalid,
    Status,
    TooManyCalls,
    UnknownAgent,
    UnknownRequestType,
    status_of,
)
from ecosystem.kernel.agent.settings import AgentSettings
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.errors import DeadlineExceeded, Kind, describe
from ecosystem.kernel.resilience.policies import Policies
from ecosystem.kernel.telemetry.log import log
from ecosystem.kernel.telemetry.metrics import METRICS, Metrics
from ecosystem.kernel.telemetry.tracing import SpanKind, is_trace_id, mark_failed, span

_ID_LENGTH_MAX = 200
_ATTEMPTS_MAX = 1000
_PROBLEMS_MAX = 10


class Handling:
    """Answers every request that arrives at this process; it never raises, a failure is part of the answer."""

    def __init__(
        self, hosts: Iterable[AgentHost], cards: Mapping[str, AgentCard], answers: Answers | None = None, *,
        settings: AgentSettings | None = None, clock: Clock | None = None, policies: Policies | None = None,
        metrics: Metrics = METRICS,
    ) -> None:  # fmt: skip
        self._hosts = {host.card.id: host for host in hosts}
        self._authorisation = Authorisation(cards, policies)
        self._answers = answers
        self._settings, self._clock = settings or AgentSettings(), clock or SystemClock()
        self._metrics = metrics.agent_execution_duration_seconds
        self._took: dict[tuple[str, str, str], Histogram] = {}
        self._active = 0

    @property
    def active(self) -> int:
        """Calls being handled now."""
        return self._active

    def hosts(self, agent_id: str) -> bool:
        return agent_id in self._hosts

    async def handle(
        self, request: AgentRequest, caller: Caller, transport_seconds: float | None = None
    ) -> AgentResponse:
        """Answer `request`. `transport_seconds` is what the transport's own deadline leaves, where it has one.

        What was answered is counted and logged when the answer is on its way: nobody waits for our log.
        """
        began = time.perf_counter()
        trace_id = request.trace_id if is_trace_id(request.trace_id) else None
        seconds = self._seconds(request, transport_seconds)
        self._active += 1
        try:
            with span(
                f"agent {request.request_type}"[:_ID_LENGTH_MAX], SpanKind.SERVER,
                {"agent.from": request.from_agent_id, "agent.request_id": request.request_id},
                company_id=request.company_id, user_id=request.user_id, trace_id=trace_id,
                span_id=request.span_id or None if trace_id else None, attempt=request.attempt,
                agent_id=request.to_agent_id if request.to_agent_id in self._hosts else None,
                scopes=frozenset(), deadline=time.monotonic() + seconds, unit_of_work=False, answering=True,
            ) as current:  # fmt: skip
                try:
                    answer: bytes | BaseException = await self._answer(request, caller, seconds)
                except Exception as error:
                    answer = error
                    mark_failed(current, describe(error).code, error)
                elapsed_ms = (time.perf_counter() - began) * 1000
                response = self._response(request, answer, elapsed_ms)
                asyncio.get_running_loop().call_soon(self._tell, request, response, answer, current)
                return response
        finally:
            self._active -= 1

    def _seconds(self, request: AgentRequest, transport_seconds: float | None) -> float:
        """How long the answer may take: what the caller, the transport and the agent's card leave, the least."""
        seconds, host = request.timeout_ms / 1000, self._hosts.get(request.to_agent_id)
        if transport_seconds is not None:
            seconds = min(seconds, transport_seconds)
        return seconds if host is None else min(seconds, host.card.limits.timeout_seconds)

    async def _answer(self, request: AgentRequest, caller: Caller, seconds: float) -> bytes:
        task_type, handler = self._route(request, caller)
        self._check(request)
        task = _parse(task_type, request.payload)
        try:
            async with asyncio.timeout(seconds):
                result = await self._run(request, task, handler, caller, seconds)
        except TimeoutError as error:
            raise DeadlineExceeded(f"{request.to_agent_id} did not answer within {seconds:.3f} s.") from error
        return result.__pydantic_serializer__.to_json(result)

    def _route(self, request: AgentRequest, caller: Caller) -> tuple[type[Task], Handler]:
        if self._active > self._settings.calls_max:
            raise TooManyCalls
        host = self._hosts.get(request.to_agent_id)
        if host is None:
            raise UnknownAgent("This process hosts no agent of that name.")
        self._authorisation.check(caller, request.from_agent_id, request.to_agent_id, request.request_type)
        found = host.find(request.request_type)
        if found is None:
            known = ", ".join(task.request_type for task in host.card.tasks)
            raise UnknownRequestType(f"{host.card.id} does: {known}.")
        return found

    def _check(self, request: AgentRequest) -> None:
        if len(request.payload) > self._settings.payload_bytes_max:
            raise PayloadTooLarge(f"The payload is larger than {self._settings.payload_bytes_max} bytes.")
        if not 0 < len(request.request_id) <= _ID_LENGTH_MAX or not request.request_id.isprintable():
            raise RequestInvalid(f"request_id has 1 to {_ID_LENGTH_MAX} printable characters.")
        if request.timeout_ms <= 0:
            raise DeadlineExceeded("timeout_ms was already over when the request arrived.")
        if not 1 <= request.attempt <= _ATTEMPTS_MAX:
            raise RequestInvalid(f"attempt is 1 to {_ATTEMPTS_MAX}.")

    async def _run(self, request: AgentRequest, task: Task, handler: Handler, caller: Caller, seconds: float) -> Result:
        about = (
            request.request_id, request.from_agent_id, request.to_agent_id, request.company_id, request.user_id,
            request.attempt, context.current().trace_id, seconds,
        )  # fmt: skip
        kind = type(task)
        if not kind.effect:
            return await handler(task, Call(*about))
        if self._answers is None or request.company_id is None:
            raise RequestInvalid("A task with an effect works for one company: company_id is missing.")
        question = Question(request.company_id, request.to_agent_id, request.request_id, _fingerprint(request))
        # Only who may have asked before is looked up first, to save the slow work before the commit; whoever
        # else asks twice finds the record at the commit itself.
        if request.attempt > 1 or caller.client_id is not None:
            before = await self._answers.find(question, kind)
            if before is not None:
                return before
        recorder = AnswerRecorder(self._answers, question, kind)
        result = await handler(task, Call(*about, recorder))
        if not recorder.committed:
            raise AnswerUnrecorded(f"The handler of {request.request_type} answered without call.commit().")
        return result

    def _response(self, request: AgentRequest, answer: bytes | BaseException, elapsed_ms: float) -> AgentResponse:
        now, took_ms = self._clock.now(), round(elapsed_ms, 3)
        if isinstance(answer, bytes):
            return AgentResponse(request.request_id, Status.SUCCESS, answer, None, took_ms, now)
        failure = describe(answer)
        stack = "".join(traceback.format_exception(answer)) if self._settings.stack_traces else ""
        return AgentResponse(request.request_id, status_of(failure), None, failure, took_ms, now, stack)

    def _tell(
        self, request: AgentRequest, response: AgentResponse, answer: bytes | BaseException, current: span
    ) -> None:
        failure, status = response.failure, response.status.value
        code = failure.code if failure is not None else None
        known = request.to_agent_id in self._hosts
        labels = (
            request.to_agent_id if known else "unknown",
            request.request_type if known and code != UnknownRequestType.code else "unknown",
            status,
        )
        took = self._took.get(labels)
        if took is None:
            took = self._took[labels] = self._metrics.labels(*labels)
        took.observe(response.execution_time_ms / 1000)
        unexpected = failure is not None and (failure.kind is Kind.UNKNOWN or failure.status >= 500)
        (log.warning if unexpected else log.info)(
            "agent answered", request_type=request.request_type, request_id=request.request_id,
            sender=request.from_agent_id, status=status, code=code, execution_time_ms=response.execution_time_ms,
            span_id=current.span_id, parent_span_id=current.parent_span_id, attempt=request.attempt,
            exc_info=answer if unexpected else None,
        )  # fmt: skip


def _parse(task_type: type[Task], payload: bytes) -> Task:
    try:
        return task_type.__pydantic_validator__.validate_json(payload)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise PayloadInvalid(_told(task_type, error)) from None


def _told(task_type: type[Task], error: ValidationError) -> str:
    """Each field and the rule it breaks; never its value, which may be about a person."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    parts = [f"{'.'.join(map(str, item['loc'])) or 'payload'}: {item['msg']}" for item in problems[:_PROBLEMS_MAX]]
    return f"{task_type.request_type} refuses " + "; ".join(parts)


def _fingerprint(request: AgentRequest) -> bytes:
    return hashlib.sha256(request.request_type.encode() + b"\0" + request.payload).digest()


def derived_request_id(client_id: str, company_id: UUID | None, request_type: str, target: str, payload: bytes) -> str:
    """The request_id of a client that gives none: the same question of the same client is the same request."""
    parts = (client_id, str(company_id), target, request_type)
    return hashlib.sha256("\0".join(parts).encode() + b"\0" + payload).hexdigest()[:32]
