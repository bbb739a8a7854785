"""Asking an agent: by its id, with a deadline and a number of attempts, wherever it runs."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from ecosystem.kernel import context
from ecosystem.kernel.agent.card import AgentCard, Result, Task
from ecosystem.kernel.agent.message import AgentFailed, AgentRequest, AgentResponse, Status, UnknownAgent
from ecosystem.kernel.agent.settings import AgentSettings
from ecosystem.kernel.errors import EcosystemError, Failure, Kind, Severity, Unavailable
from ecosystem.kernel.ids import Ids, SystemIds
from ecosystem.kernel.telemetry.metrics import METRICS, Metrics
from ecosystem.kernel.telemetry.tracing import SpanKind, mark_failed, span

_WAIT_SECONDS_MAX = 30.0


class Transport(Protocol):
    async def send(self, service: str, request: AgentRequest, seconds: float) -> AgentResponse:
        """Bring `request` to an instance of `service` and its answer back, within `seconds`.

        Raises:
            Unavailable: no instance took it; `details["elsewhere"]` is true where another one may.
            DeadlineExceeded: no answer in time; whether it was handled is not known.
        """


class AgentClient:
    """`cards` is every agent by id (`contracts.index.AGENTS`, brought by the runtime)."""

    def __init__(
        self, cards: Mapping[str, AgentCard], transport: Transport, *, ids: Ids | None = None,
        settings: AgentSettings | None = None, metrics: Metrics = METRICS,
    ) -> None:  # fmt: skip
        self._cards, self._transport = cards, transport
        self._ids, self._settings = ids or SystemIds(), settings or AgentSettings()
        self._counted = metrics.agent_calls_total

    async def call(
        self, task: Task, *, to: str, sender: str, timeout_seconds: float | None = None, attempts: int = 1,
        request_id: str | None = None,
    ) -> Result:  # fmt: skip
        """Ask `to` for `task`, speaking as `sender`; an instance of the task's result.

        Company, user, trace and deadline are the context's; the time is at most the agent's own limit. `attempts`
        counts all of them; only transient and unknown failures are tried again, with the same `request_id`.

        Raises:
            AgentFailed: the agent answered with a failure, whose code, kind and status it carries.
            Unavailable, DeadlineExceeded: no answer.
            SlowWorkInUnitOfWork: called while a unit of work is open.
        """
        payload = task.__pydantic_serializer__.to_json(task)
        answer = await self._ask(to, task.request_type, payload, sender, timeout_seconds, attempts, request_id)
        return type(task).result.model_validate_json(answer)

    async def call_raw(
        self, to: str, request_type: str, payload: dict[str, Any], *, sender: str,
        timeout_seconds: float | None = None, attempts: int = 1, request_id: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """`call` for whoever knows only JSON (workflows, forwarding). The agent checks the payload."""
        content = orjson.dumps(payload)
        answer = await self._ask(to, request_type, content, sender, timeout_seconds, attempts, request_id)
        result: dict[str, Any] = orjson.loads(answer)
        return result

    async def _ask(
        self, to: str, request_type: str, payload: bytes, sender: str, timeout_seconds: float | None, attempts: int,
        request_id: str | None,
    ) -> bytes:  # fmt: skip
        context.refuse_in_unit_of_work("An agent")
        card = self._cards.get(to)
        if card is None:
            raise UnknownAgent(f"There is no agent {to!r}.")
        limit = card.limits.timeout_seconds
        request_id = request_id or str(self._ids.uuid())
        attempts = min(attempts, card.limits.retries)
        with context.deadline_within(min(limit, timeout_seconds or limit)):
            attempt, moved = 1, 0
            while True:
                try:
                    return await self._attempt(card, request_type, payload, sender, attempts, attempt, request_id)
                except EcosystemError as error:
                    # An instance that is gone took nothing: the next one gets the same attempt, at once.
                    if error.details.get("elsewhere") and moved < 2:
                        moved += 1
                        continue
                    if not error.retryable or attempt >= attempts:
                        raise
                    await self._wait(attempt, error)
                    attempt += 1

    async def _wait(self, attempt: int, error: EcosystemError) -> None:
        """Sleep before the next attempt; raises `error` where the deadline would pass meanwhile."""
        seconds = min(self._settings.retry_wait_seconds * 2 ** (attempt - 1), _WAIT_SECONDS_MAX)
        seconds *= random.uniform(0.5, 1.0)  # noqa: S311 spreads callers, keeps no secret
        if context.remaining_seconds(_WAIT_SECONDS_MAX * 2) <= seconds:
            raise error
        await asyncio.sleep(seconds)

    async def _attempt(
        self, card: AgentCard, request_type: str, payload: bytes, sender: str, attempts: int, attempt: int,
        request_id: str,
    ) -> bytes:  # fmt: skip
        code = "success"
        seconds = context.remaining_seconds(card.limits.timeout_seconds)
        about: dict[str, str | int] = {"agent.to": card.id, "agent.request_id": request_id, "agent.attempt": attempt}
        with span(f"call {request_type}", SpanKind.CLIENT, about) as current:
            now = context.current()
            request = AgentRequest(
                request_id, sender, card.id, request_type, payload, max(1, int(seconds * 1000)), attempts,
                max(attempt, now.attempt), now.trace_id or "", now.span_id or "", now.company_id, now.user_id,
            )  # fmt: skip
            try:
                response = await self._transport.send(card.service, request, seconds)
                if response.status is Status.SUCCESS and response.result is not None:
                    return response.result
                failure = response.failure or _NO_FAILURE
                code = failure.code
                mark_failed(current, code)
                raise AgentFailed(failure, card.id)
            except EcosystemError as error:
                code = error.code
                raise
            finally:
                known = request_type if card.task(request_type) else "unknown"
                self._counted.labels(card.id, known, code).inc()


_NO_FAILURE = Failure(
    Unavailable.code, "The agent answered without saying what failed.", Kind.UNKNOWN, Severity.HIGH,
    Unavailable.suggestion, 502,
)  # fmt: skip
