"""Asking an agent: by its id, with a deadline and a number of attempts, wherever it runs."""

from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import orjson
from prometheus_client import Counter

from ecosystem.kernel import context
from ecosystem.kernel.agent.card import AgentCard, Result, Task
from ecosystem.kernel.agent.message import (
    AgentFailed,
    AgentRequest,
    AgentResponse,
    NoInstance,
    Status,
    UnknownAgent,
)
from ecosystem.kernel.agent.metrics import BACKUP_ANSWERS
from ecosystem.kernel.errors import EcosystemError, Failure, Kind, Severity, Unavailable
from ecosystem.kernel.ids import Ids, SystemIds
from ecosystem.kernel.resilience.errors import NotTried
from ecosystem.kernel.resilience.policies import Policies
from ecosystem.kernel.resilience.policy import Policy
from ecosystem.kernel.resilience.rules import Balance
from ecosystem.kernel.telemetry.log import log
from ecosystem.kernel.telemetry.metrics import METRICS, Metrics
from ecosystem.kernel.telemetry.tracing import SpanKind, mark_failed, span

_MOVES_MAX = 2
_HEARD: ContextVar[list[str] | None] = ContextVar("heard", default=None)


@contextmanager
def backups_heard() -> Iterator[list[str]]:
    """The backups that answer calls made inside, for whoever keeps a history of them."""
    heard: list[str] = []
    token = _HEARD.set(heard)
    try:
        yield heard
    finally:
        _HEARD.reset(token)


class Transport(Protocol):
    async def send(
        self, service: str, request: AgentRequest, seconds: float, balance: Balance = Balance.WEIGHTED
    ) -> AgentResponse:
        """Bring `request` to an instance of `service` and its answer back, within `seconds`.

        Raises:
            Unavailable: no instance took it; `details["elsewhere"]` is true where another one may.
            DeadlineExceeded: no answer in time; whether it was handled is not known.
        """


class AgentClient:
    """`cards` is every agent by id (`contracts.index.AGENTS`, brought by the runtime)."""

    def __init__(
        self, cards: Mapping[str, AgentCard], transport: Transport, *, ids: Ids | None = None,
        policies: Policies | None = None, metrics: Metrics = METRICS,
    ) -> None:  # fmt: skip
        self._cards, self._transport = cards, transport
        self._ids, self._policies = ids or SystemIds(), policies or Policies(metrics=metrics)
        self._counted = metrics.agent_calls_total
        self._counts: dict[tuple[str, str, str], Counter] = {}

    async def call(
        self, task: Task, *, to: str, sender: str, timeout_seconds: float | None = None, attempts: int = 1,
        request_id: str | None = None,
    ) -> Result:  # fmt: skip
        """Ask `to` for `task`, speaking as `sender`; an instance of the task's result.

        Company, user, trace and deadline are the context's; time, attempts and breaker are those of the route's policy
        and of the agent's card. `attempts` counts all of them; only transient and unknown failures are tried again,
        with the same `request_id`. Whoever answers a call itself has one attempt: its caller owns the others.

        Raises:
            AgentFailed: the agent answered with a failure, whose code, kind and status it carries.
            Unavailable, DeadlineExceeded: no answer.
            CallNotPermitted, BulkheadFull, RequestNotPermitted: nobody was asked; they say when asking may help.
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
        # The members of what an expression made come in another order in another process; the question is the same.
        content = orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
        answer = await self._ask(to, request_type, content, sender, timeout_seconds, attempts, request_id)
        result: dict[str, Any] = orjson.loads(answer)
        return result

    def _ask(
        self, to: str, request_type: str, payload: bytes, sender: str, timeout_seconds: float | None, attempts: int,
        request_id: str | None,
    ) -> Awaitable[bytes]:  # fmt: skip
        context.refuse_in_unit_of_work("An agent")
        card = self._cards.get(to)
        if card is None:
            raise UnknownAgent(f"There is no agent {to!r}.")
        question = (request_type, payload, sender, timeout_seconds, request_id or str(self._ids.uuid()))
        if card.fallback.backup is None:
            return self._ask_one(card, card.service, attempts, *question)
        return self._ask_or_stand_in(card, card.fallback.backup, attempts, *question)

    async def _ask_or_stand_in(self, card: AgentCard, backup: str, attempts: int, *question: Any) -> bytes:
        """When all attempts failed the backup deployment is asked once: the same agent, with the same request_id."""
        try:
            return await self._ask_one(card, card.service, attempts, *question)
        except EcosystemError as error:
            failed = error
        if not failed.retryable:
            raise failed
        try:
            answer = await self._ask_one(card, backup, 1, *question)
        except (NotTried, NoInstance):
            # Nobody was asked there: what the first deployment said is the answer.
            raise failed from None
        BACKUP_ANSWERS.labels(card.id, backup).inc()
        if (heard := _HEARD.get()) is not None:
            heard.append(backup)
        log.warning("a backup answered", agent=card.id, backup=backup, code=failed.code)
        return answer

    async def _ask_one(
        self, card: AgentCard, service: str, attempts: int, request_type: str, payload: bytes, sender: str,
        timeout_seconds: float | None, request_id: str,
    ) -> bytes:  # fmt: skip
        # A backup has a breaker of its own: that of the first deployment may be the reason why it is asked.
        destination = card.id if service == card.service else f"{card.id}@{service}"
        policy = self._policies.known(sender, destination) or self._policy(sender, card, destination, service)
        rules = policy.rules
        limit = rules.timeout_seconds or card.limits.timeout_seconds
        attempts = 1 if context.current().answering else min(attempts, card.limits.retries, rules.attempts)
        balance = rules.balance

        async def work(attempt: int) -> bytes:
            moved = 0
            while True:
                try:
                    return await self._attempt(
                        card, service, request_type, payload, sender, attempts, attempt, request_id, balance
                    )
                except EcosystemError as error:
                    # An instance that is gone took nothing: the next one gets the same attempt, at once.
                    if moved >= _MOVES_MAX or not error.details.get("elsewhere"):
                        raise
                    moved += 1

        with context.deadline_within(min(limit, timeout_seconds or limit)):
            return await policy.run(work, attempts)

    def _policy(self, sender: str, card: AgentCard, destination: str, service: str) -> Policy:
        host = self._cards.get(sender)
        return self._policies.policy(
            sender, destination, callers=(host.service,) if host else (), destinations=(service, card.id, card.service),
            timeout_seconds=card.limits.timeout_seconds,
        )  # fmt: skip

    async def _attempt(
        self, card: AgentCard, service: str, request_type: str, payload: bytes, sender: str, attempts: int,
        attempt: int, request_id: str, balance: Balance,
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
                response = await self._transport.send(service, request, seconds, balance)
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
                self._count(card.id, known, code)

    def _count(self, agent_id: str, request_type: str, code: str) -> None:
        labels = (agent_id, request_type, code)
        count = self._counts.get(labels)
        if count is None:
            count = self._counts[labels] = self._counted.labels(*labels)
        count.inc()


_NO_FAILURE = Failure(
    Unavailable.code, "The agent answered without saying what failed.", Kind.UNKNOWN, Severity.HIGH,
    Unavailable.suggestion, 502,
)  # fmt: skip
