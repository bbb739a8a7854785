"""`POST /agent/handle`: the same request as over gRPC, as JSON, for clients of a company."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from ecosystem.kernel import context
from ecosystem.kernel.agent.authorisation import Authorisation
from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.agent.client import AgentClient
from ecosystem.kernel.agent.handling import Handling, derived_request_id
from ecosystem.kernel.agent.message import AgentRequest, AgentResponse, Caller, Status, UnknownAgent, status_of
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.errors import EcosystemError, describe
from ecosystem.kernel.http.admission import Priority, priority
from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.kernel.resilience.policies import Policies

_SCOPE = "agents:call"


class HandleBody(BaseModel):
    """The fields of `ecosystem.agent.v1.HandleRequest` that a client may set; company and user come from its token.

    `trace_id` and `timestamp` are accepted for symmetry; the trace of a request is that of its `traceparent`.
    """

    model_config = ConfigDict(extra="forbid")

    request_id: str | None = Field(default=None, min_length=1, max_length=200)
    from_agent_id: str = Field(min_length=1, max_length=100)
    to_agent_id: str = Field(min_length=1, max_length=100)
    request_type: str = Field(min_length=1, max_length=100)
    payload: dict[str, Any]
    timeout_ms: int = Field(default=30_000, ge=1, le=300_000)
    retries: int = Field(default=1, ge=1, le=3)
    trace_id: str | None = Field(default=None, max_length=64)
    timestamp: str | None = Field(default=None, max_length=64)


class HandleAnswer(BaseModel):
    """What an agent answered, also where it refused or failed: `error` says why. `result` is as its task promises."""

    request_id: str
    status: Status
    result: Any
    error: str | None
    execution_time_ms: float
    timestamp: datetime


_ANSWERS: dict[int | str, dict[str, Any]] = {200: {"model": HandleAnswer}, "default": {"model": HandleAnswer}}


class AgentDoor:
    """Hands a client's request to an agent of this process; with `forward` also to one that runs elsewhere."""

    def __init__(
        self, handling: Handling, cards: Mapping[str, AgentCard], agents: AgentClient, clock: Clock, *,
        forward: str | None, policies: Policies | None = None,
    ) -> None:  # fmt: skip
        self._handling, self._cards, self._agents, self._clock = handling, cards, agents, clock
        self._authorisation, self._forward = Authorisation(cards, policies), forward
        self.router = APIRouter(tags=["agents"])
        self.router.add_api_route(
            "/agent/handle", self.handle, methods=["POST"], response_model=None, responses=_ANSWERS
        )

    @priority(Priority.ELSEWHERE)
    async def handle(
        self, body: HandleBody, request: Request, principal: Annotated[Principal, Depends(requires(_SCOPE))]
    ) -> Response:
        payload = orjson.dumps(body.payload, option=orjson.OPT_SORT_KEYS)
        request_id = body.request_id or derived_request_id(
            principal.client_id, principal.company_id, body.request_type, body.to_agent_id, payload
        )
        now = context.current()
        asked = AgentRequest(
            request_id, body.from_agent_id, body.to_agent_id, body.request_type, payload, body.timeout_ms,
            body.retries, 1, now.trace_id or "", now.span_id or "", principal.company_id, principal.client_id,
        )  # fmt: skip
        caller = Caller(client_id=principal.client_id, agents=principal.agents)
        if self._handling.hosts(body.to_agent_id):
            return self._answer(await self._handling.handle(asked, caller, None))
        return self._answer(await self._pass_on(asked, caller, body))

    async def _pass_on(self, asked: AgentRequest, caller: Caller, body: HandleBody) -> AgentResponse:
        """Ask the agent where it runs, in our own name and for the client's company and user."""
        began, result, failure = self._clock.monotonic(), None, None
        try:
            if self._forward is None or asked.to_agent_id not in self._cards:
                raise UnknownAgent(f"There is no agent {asked.to_agent_id!r} here.")
            self._authorisation.check(caller, asked.from_agent_id, asked.to_agent_id, asked.request_type)
            answer = await self._agents.call_raw(
                asked.to_agent_id, asked.request_type, body.payload, sender=self._forward,
                timeout_seconds=asked.timeout_ms / 1000, attempts=asked.retries, request_id=asked.request_id,
            )  # fmt: skip
            result = orjson.dumps(answer)
        except EcosystemError as error:
            failure = describe(error)
        status = Status.SUCCESS if failure is None else status_of(failure)
        elapsed_ms = round((self._clock.monotonic() - began) * 1000, 3)
        return AgentResponse(asked.request_id, status, result, failure, elapsed_ms, self._clock.now())

    def _answer(self, response: AgentResponse) -> Response:
        failure = response.failure
        body = {
            "request_id": response.request_id,
            "status": response.status.value,
            "result": None if response.result is None else orjson.Fragment(response.result),
            "error": None if failure is None else failure.message,
            "execution_time_ms": response.execution_time_ms,
            "timestamp": response.timestamp,
        }
        content = orjson.dumps(body, option=orjson.OPT_UTC_Z)
        status = 200 if failure is None else failure.status
        headers = {"Retry-After": "1"} if status in (429, 503) else None
        return Response(content, status, headers, media_type="application/json")
