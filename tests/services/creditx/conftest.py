"""A creditx-service in this process, with one company that it knows, and the other that must never see it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from ecosystem.contracts.authn import CompanyCreated
from ecosystem.contracts.creditx import (
    CheckCompliance,
    ExtractMetadata,
    FailDocument,
    ReadPages,
    StoreDocument,
    ValidateDocument,
)
from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.kernel import context
from ecosystem.kernel.agent.card import Task
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.kernel.sandbox.settings import SandboxSettings
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.creditx.app import build
from ecosystem.services.creditx.reading import extraction, inspection
from ecosystem.services.creditx.receiving.arrivals import ARRIVAL
from ecosystem.services.creditx.repository import Documents
from ecosystem.services.creditx.service import DocumentService, Parts
from ecosystem.services.creditx.settings import ServiceSettings
from tests.kernel.db.fixtures import Platform, PlatformCluster, a_platform
from tests.support.engines import CacheEngine

AS_OF = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
_AGENTS: dict[type[Task], str] = {
    ValidateDocument: "validation-agent",
    ReadPages: "ocr-agent",
    ExtractMetadata: "metadata-extraction-agent",
    CheckCompliance: "creditx-compliance-agent",
    StoreDocument: "storage-agent",
    FailDocument: "storage-agent",
}


@dataclass
class Creditx:
    """The service, two companies, and its agents as the orchestrator asks them."""

    harness: KernelHarness
    service: ServiceHarness
    clock: FrozenClock
    ours: UUID = field(default_factory=uuid4)
    theirs: UUID = field(default_factory=uuid4)

    async def with_new_companies(self) -> "Creditx":
        self.clock.advance(NOW - self.clock.now())
        creditx = replace(self, ours=uuid4(), theirs=uuid4())
        await creditx.company(creditx.ours)
        await creditx.company(creditx.theirs)
        return creditx

    def caller(self, *scopes: str, company_id: UUID | None = None, client_id: str = "client-1") -> httpx.AsyncClient:
        """A client of our company, or of another."""
        granted = frozenset(scopes or ("documents:read", "documents:write", "documents:decide", "documents:erase"))
        return self.service.client(Principal(client_id, company_id or self.ours, granted))

    @cached_property
    def client(self) -> httpx.AsyncClient:
        return self.caller()

    @cached_property
    def stranger(self) -> httpx.AsyncClient:
        return self.caller(company_id=self.theirs, client_id="client-2")

    async def company(self, company_id: UUID, *, locale: str = "en_GB", time_zone: str = "Europe/Zurich") -> None:
        """The event that authn publishes, and what creditx makes of it."""
        kernel = self.service.kernel

        async def publish() -> None:
            await kernel.outbox.add(
                CompanyCreated(company_id=company_id, region="eu", time_zone=time_zone, locale=locale, currency="CHF")
            )

        with context.scope(company_id=company_id):
            await kernel.database.run(publish)
        await self.service.consume()

    async def upload(self, content: bytes, name: str = "document.pdf", **more: Any) -> httpx.Response:
        """Through the door, with an Idempotency-Key of its own unless one is given; `prefer`, `client`."""
        headers = {"Idempotency-Key": more.pop("key", None) or str(uuid4())}
        if prefer := more.pop("prefer", None):
            headers["Prefer"] = prefer
        client: httpx.AsyncClient = more.pop("client", self.client)
        return await client.post("/v1/documents", files={"file": (name, content)}, headers=headers, **more)

    async def ask(self, task: Task, *, company_id: UUID | None = None, request_id: str | None = None) -> Any:
        return await self.harness.call(
            task,
            to=_AGENTS[type(task)],
            sender="orchestrator-agent",
            company_id=company_id or self.ours,
            request_id=request_id,
        )

    async def ingest(self, content: bytes, name: str = "document.pdf", rules: str = "kyc_aml_v2") -> UUID:
        """Upload, and what the workflow does, without the workflow: pages without text are really read."""
        answer = await self.upload(content, name)
        assert answer.status_code == 202, answer.text
        document_id = UUID(answer.json()["document_id"])
        await self.work(document_id, rules)
        return document_id

    async def work(self, document_id: UUID, rules: str = "kyc_aml_v2") -> None:
        first, *others = self.steps(document_id, rules)
        validated = await self.ask(first)
        pages = [ReadPages(document_id=document_id, pages=batch) for batch in validated.page_batches]
        for task in (*pages, *others):
            await self.ask(task)

    @staticmethod
    def steps(document_id: UUID, rules: str = "kyc_aml_v2") -> list[Task]:
        return [
            ValidateDocument(document_id=document_id),
            ExtractMetadata(document_id=document_id),
            CheckCompliance(document_id=document_id, rule_set=rules),
            StoreDocument(document_id=document_id),
        ]

    @contextmanager
    def as_ours(self) -> Iterator[None]:
        """The context in which a service works for our company."""
        with context.scope(company_id=self.ours, user_id="client-1"):
            yield

    @property
    def documents(self) -> DocumentService:
        """The use cases themselves, for those that have no door in this slice."""
        return self.documents_with()

    def documents_with(self, **settings: Any) -> DocumentService:
        """The same with other settings."""
        kernel = self.service.kernel
        parts = Parts(
            kernel.database, Documents(kernel.database), kernel.keyring, kernel.objects, kernel.cache, kernel.sandbox,
            kernel.outbox, kernel.audit, kernel.clock, kernel.ids, kernel.heavy_sandbox,
        )  # fmt: skip
        return DocumentService(parts, kernel.source.get(ServiceSettings).model_copy(update=settings))

    async def get(self, path: str) -> Any:
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def events(self) -> list[str]:
        """The types of our events of documents, without audit entries."""
        ours = [row for row in self.harness.events() if row[2] == self.ours]
        return [row[0] for row in ours if row[0].startswith("compliance_")]

    def audit(self) -> list[str]:
        return [row[3]["action"] for row in self.harness.events("audit_recorded") if row[2] == self.ours]

    def stored(self) -> tuple[int, int]:
        """How many documents the database has and how many objects the storage."""
        rows = self.harness.platform.rows("select count(*) from creditx.documents where company_id = %s", self.ours)
        folder = self.service.kernel.objects.settings.folder
        files = [path for path in folder.rglob("*") if path.is_file()] if folder else []
        return rows[0][0], sum(str(self.ours) in str(path) for path in files)


@pytest.fixture(scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """One for all tests: its workers are forked anew for each job anyway, its parsers are loaded once."""
    sandbox = Sandbox(SandboxSettings(start_timeout_seconds=60))
    await sandbox.warm(ARRIVAL)
    yield sandbox
    await sandbox.close()


async def started(platform: Platform, cache: CacheEngine, folder: Path, sandbox: Sandbox) -> AsyncIterator[Creditx]:
    clock = FrozenClock(NOW)
    index = ContractIndex(AGENTS, EVENTS)
    async with KernelHarness(platform, folder, index, cache_url=cache.url, clock=clock) as harness:

        def build_with_shared_sandbox(kernel: Kernel) -> Service:
            return build(replace(kernel, sandbox=sandbox, heavy_sandbox=sandbox))

        service = await harness.service(build_with_shared_sandbox, "creditx-service", "creditx")
        yield Creditx(harness, service, clock)


@pytest.fixture(scope="session")
async def running(
    platform_cluster: PlatformCluster, cache_engine: CacheEngine, tmp_path_factory: pytest.TempPathFactory,
    sandbox: Sandbox,
) -> AsyncIterator[Creditx]:  # fmt: skip
    """One service for all tests: each test has companies of its own."""
    async with a_platform(platform_cluster) as platform:
        async for creditx in started(platform, cache_engine, tmp_path_factory.mktemp("creditx"), sandbox):
            yield creditx


@pytest.fixture
async def creditx(running: Creditx) -> Creditx:
    return await running.with_new_companies()


@pytest.fixture
async def fresh_creditx(
    platform: Platform, cache_engine: CacheEngine, tmp_path: Path, sandbox: Sandbox
) -> AsyncIterator[Creditx]:
    """A service and a database of its own, for what would change those of the others."""
    async for creditx in started(platform, cache_engine, tmp_path, sandbox):
        yield await creditx.with_new_companies()


@pytest.fixture(scope="session", autouse=True)
def _parsers_prepared() -> None:
    """Unit tests of the reading call it in this process, where the sandbox would have prepared it."""
    inspection.prepare_sandbox()
    extraction.prepare_sandbox()
