"""The real use cases on a real database, with agents that answer as the test says."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from ecosystem.contracts.index import AGENTS
from ecosystem.kernel import context
from ecosystem.kernel.agent.message import AgentFailed
from ecosystem.kernel.agent.redelivery import Redelivery
from ecosystem.kernel.agent.waiting import WaitingCalls
from ecosystem.kernel.audit.audit import Audit
from ecosystem.kernel.caching.cache import Cache
from ecosystem.kernel.caching.settings import CacheSettings
from ecosystem.kernel.clock import SystemClock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.durable.durable import Durable
from ecosystem.kernel.durable.settings import DurableSettings
from ecosystem.kernel.durable.worker import DurableWorker
from ecosystem.kernel.errors import Failure, Kind, Severity
from ecosystem.kernel.messaging.outbox import Outbox
from ecosystem.services.orchestrator.adapters import shipped
from ecosystem.services.orchestrator.model import Run
from ecosystem.services.orchestrator.repository import Runs
from ecosystem.services.orchestrator.service import QUEUE, TASK, Parts, WorkflowService
from ecosystem.workflow.model import Definition
from ecosystem.workflow.passes import TASK as PASS
from tests.kernel.db.fixtures import Platform
from tests.support.poll import PATIENCE_SECONDS, eventually
from tests.tidy.tree import ROOT

Behaviour = Callable[[dict[str, Any]], Awaitable[Any]]
COMPANY, OTHER = uuid4(), uuid4()
INGESTION = "compliance_document_ingestion"
FIVE = ["validate_document", "extract_metadata", "check_compliance", "store_document", "publish_event"]
"""What is asked about a document whose pages all have text."""

ANSWERS: dict[str, Any] = {
    "validate_document": {"status": "validated", "validated": True, "errors": [], "page_batches": []},
    "read_pages": {"pages": [1], "characters": 40, "mean_confidence": 0.93, "engine": "rapidocr"},
    "extract_metadata": {"kind": "invoice", "pages": 1},
    "check_compliance": {
        "outcome": "approved", "compliance_score": "92.50", "rule_set": "kyc_aml_v2", "rule_set_version": 1,
    },
    "store_document": {"outcome": "approved", "terms": 7},
    "publish_event": {"event_id": str(uuid4()), "event_type": "compliance_document_processed"},
    "fail_document": {"outcome": "review"},
}  # fmt: skip


BROKEN = AgentFailed(
    Failure("rule_set_unknown", "There is no such rule set.", Kind.PERMANENT, Severity.LOW, "", 422), "creditx"
)


@dataclass(frozen=True)
class Asked:
    """One call as the agents saw it."""

    request_type: str
    payload: dict[str, Any]
    request_id: str
    timeout_seconds: float | None
    attempt: int
    company_id: UUID | None
    sender: str


class Agents:
    """Answers with `ANSWERS`, unless `behave[request_type]` says otherwise."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.behave: dict[str, Behaviour] = {}

    def types(self) -> list[str]:
        return [asked.request_type for asked in self.asked]

    async def call_raw(
        self, to: str, request_type: str, payload: dict[str, Any], *, sender: str,
        timeout_seconds: float | None = None, attempts: int = 1, request_id: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        context.refuse_in_unit_of_work("An agent")
        now = context.current()
        self.asked.append(
            Asked(request_type, payload, request_id or "", timeout_seconds, now.attempt, now.company_id, sender)
        )
        behaviour = self.behave.get(request_type)
        answer: dict[str, Any] = ANSWERS[request_type] if behaviour is None else await behaviour(payload)
        return answer


def failing(error: Exception, *, times: int = 1000) -> Behaviour:
    """Raise `error` the first `times`, then answer `{}`."""
    left = [times]

    async def behaviour(_: dict[str, Any]) -> dict[str, Any]:
        left[0] -= 1
        if left[0] >= 0:
            raise error
        return {}

    return behaviour


def a_scan(batches: int) -> Behaviour:
    """The validation of a document whose pages are all pictures, four in a batch."""
    pages = [list(range(4 * n + 1, 4 * n + 5)) for n in range(batches)]

    async def behaviour(_: dict[str, Any]) -> dict[str, Any]:
        return ANSWERS["validate_document"] | {"page_batches": pages}

    return behaviour


@dataclass
class Harness:
    platform: Platform
    database: Database
    service: WorkflowService
    agents: Agents
    waiting: WaitingCalls | None = None
    workers: list[tuple[asyncio.Event, asyncio.Task[None]]] = field(default_factory=list)

    def work(self) -> tuple[asyncio.Event, asyncio.Task[None]]:
        """Start a worker; setting the event stops it in peace, cancelling the task is its sudden death."""
        pace = DurableSettings(poll_seconds=0.1, watch_seconds=0.1, drain_seconds=0.05)
        worker = DurableWorker(
            self.database, QUEUE, {TASK: self.service.carry, PASS: self.service.carry_pass}, concurrency=8,
            rooms={PASS: 2}, lease_seconds=60, on_failure=self.service.failed, settings=pace,
        )  # fmt: skip
        stop = asyncio.Event()
        pair = (stop, asyncio.create_task(worker.run(stop)))
        self.workers.append(pair)
        return pair

    def bring(self, cache: Cache | None = None) -> Redelivery:
        """Start to bring waiting calls again, as one more replica would; it ends with the harness."""
        assert self.waiting is not None
        redelivery = Redelivery(
            self.database, self.waiting, self.agents, dict(AGENTS), cache or Cache(CacheSettings()), lambda _: True
        )  # type: ignore[arg-type]  # what it needs of a client
        stop = asyncio.Event()
        self.workers.append((stop, asyncio.create_task(redelivery.run(stop))))
        return redelivery

    async def start(self, document_id: UUID | None = None, *, key: str | None = None) -> UUID:
        value = {"document_id": str(document_id or uuid4()), "rule_set": "kyc_aml_v2"}
        with context.scope(company_id=COMPANY):
            return await self.service.start(INGESTION, value, key or value["document_id"])

    async def begin(self, workflow: str, value: dict[str, Any]) -> UUID:
        with context.scope(company_id=COMPANY):
            return await self.service.start(workflow, value, str(uuid4()))

    async def show(self, run_id: UUID) -> Run:
        with context.scope(company_id=COMPANY):
            return await self.service.show(run_id)

    async def in_state(self, run_id: UUID, state: str) -> Run:
        """The run once it shows `state`: a call may be under way while the answer before it is still being kept."""

        async def look() -> Run | None:
            run = await self.show(run_id)
            return run if run.state == state else None

        found = await eventually(look)
        assert found is not None
        return found

    async def ended(self, run_id: UUID, *status: str) -> Run:
        """The run once its status is one of those (else completed, failed or cancelled)."""
        wanted = status or ("completed", "failed", "cancelled")

        async def look() -> Run | None:
            run = await self.show(run_id)
            return run if run.status in wanted else None

        found = await eventually(look)
        assert found is not None
        return found

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """The log past every fence, in order."""
        return [(row[0], row[1]) for row in self.platform.rows("select type, data from kernel.log order by id")]

    async def close(self) -> None:
        for stop, _ in self.workers:
            stop.set()
        await asyncio.gather(*(task for _, task in self.workers), return_exceptions=True)


async def killed_at(
    flow: Harness, request_type: str, number: int = 1, *, when: Callable[[], Awaitable[Any]] | None = None
) -> None:
    """Have a process of its own work on what there is, until it is killed in the middle of that call, after `when`."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.services.orchestrator.child", flow.platform.url("eco_orchestrator"), request_type,
        str(number), stdout=asyncio.subprocess.PIPE, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    try:
        assert child.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (line := await child.stdout.readline()) != b"reached\n":
                assert line, "the child ended before it came there"
        if when is not None:
            await when()
    finally:
        child.kill()
        await child.wait()


@asynccontextmanager
async def a_harness(
    platform: Platform, definitions: Sequence[Definition] = (), *, waiting_calls_max: int | None = None
) -> Any:
    """The shipped definitions and `definitions`, kept as at the start of the service.

    Calls to absent agents wait in a queue only with `waiting_calls_max`.
    """
    database, agents, clock = platform.database("orchestrator"), Agents(), SystemClock()
    outbox = Outbox(database, source="orchestrator-agent")
    durable, waiting = Durable(database), None
    if waiting_calls_max is not None:
        waiting = WaitingCalls(database, durable, dict(AGENTS), waiting_calls_max)
    parts = Parts(database, durable, outbox, Audit(outbox), clock, agents, dict(AGENTS), waiting)
    service = WorkflowService(Runs(database), parts, (*shipped(), *definitions))
    harness = Harness(platform, database, service, agents, waiting)
    await service.keep_definitions()
    try:
        yield harness
    finally:
        await harness.close()
