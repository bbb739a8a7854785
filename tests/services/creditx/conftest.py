"""A creditx-service in this process, with one company that it knows, and the other that must never see it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
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
    StoreDocument,
    ValidateDocument,
)
from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.kernel import context
from ecosystem.kernel.agent.card import Result, Task
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.creditx.app import build
from ecosystem.services.creditx.reading import extraction, inspection
from ecosystem.services.creditx.service import EXTRACTION, INSPECTION
from tests.kernel.db.fixtures import Platform
from tests.support.engines import CacheEngine

AS_OF = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
OURS, THEIRS = UUID(int=0xA), UUID(int=0xB)
_AGENTS: dict[type[Task], str] = {
    ValidateDocument: "validation-agent",
    ExtractMetadata: "metadata-extraction-agent",
    CheckCompliance: "creditx-compliance-agent",
    StoreDocument: "storage-agent",
    FailDocument: "storage-agent",
}


def a_principal(company_id: UUID | None = OURS, *scopes: str, client_id: str = "client-1") -> Principal:
    return Principal(client_id, company_id, frozenset(scopes or ("documents:read", "documents:write")))


@dataclass
class Creditx:
    """The service, its company's client, and its agents as the orchestrator asks them."""

    harness: KernelHarness
    service: ServiceHarness
    clock: FrozenClock
    client: httpx.AsyncClient
    stranger: httpx.AsyncClient

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
        """Through the door, with an Idempotency-Key of its own unless one is given."""
        key = more.pop("key", None) or str(uuid4())
        return await self.client.post(
            "/v1/documents", files={"file": (name, content)}, headers={"Idempotency-Key": key}, **more
        )

    async def ask(self, task: Task, *, company_id: UUID = OURS, request_id: str | None = None) -> Any:
        return await self.harness.call(
            task, to=_AGENTS[type(task)], sender="orchestrator-agent", company_id=company_id, request_id=request_id
        )

    async def ingest(self, content: bytes, name: str = "document.pdf", rules: str = "kyc_aml_v2") -> UUID:
        """Upload, and what the workflow does, without the workflow."""
        answer = await self.upload(content, name)
        assert answer.status_code == 202, answer.text
        document_id = UUID(answer.json()["document_id"])
        for task in self.steps(document_id, rules):
            await self.ask(task)
        return document_id

    @staticmethod
    def steps(document_id: UUID, rules: str = "kyc_aml_v2") -> list[Task]:
        return [
            ValidateDocument(document_id=document_id),
            ExtractMetadata(document_id=document_id),
            CheckCompliance(document_id=document_id, rule_set=rules),
            StoreDocument(document_id=document_id),
        ]

    async def get(self, path: str) -> Any:
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def events(self) -> list[str]:
        """The types of the events of documents, without audit entries and companies."""
        return [row[0] for row in self.harness.events() if row[0].startswith("compliance_")]

    def stored(self) -> tuple[int, int]:
        """How many documents the database has and how many objects the storage."""
        rows = self.harness.platform.rows("select count(*) from creditx.documents")[0][0]
        folder: Path = self.service.kernel.objects.settings.folder  # type: ignore[assignment]
        return rows, sum(1 for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0


@pytest.fixture(scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """One for all tests: its workers are forked anew for each job anyway, its parsers are loaded once."""
    sandbox = Sandbox()
    await sandbox.warm(INSPECTION, EXTRACTION)
    yield sandbox
    await sandbox.close()


@pytest.fixture
async def creditx(
    platform: Platform, cache_engine: CacheEngine, tmp_path: Path, sandbox: Sandbox
) -> AsyncIterator[Creditx]:
    clock = FrozenClock(NOW)
    index = ContractIndex(AGENTS, EVENTS)
    async with KernelHarness(platform, tmp_path, index, cache_url=cache_engine.url, clock=clock) as harness:
        service = await harness.service(
            lambda kernel: build(replace(kernel, sandbox=sandbox)), "creditx-service", "creditx"
        )
        ours = service.client(a_principal())
        theirs = service.client(a_principal(THEIRS, client_id="client-2"))
        creditx = Creditx(harness, service, clock, ours, theirs)
        await creditx.company(OURS)
        await creditx.company(THEIRS)
        yield creditx


@pytest.fixture(scope="session", autouse=True)
def _parsers_prepared() -> None:
    """Unit tests of the reading call it in this process, where the sandbox would have prepared it."""
    inspection.prepare_sandbox()
    extraction.prepare_sandbox()


__all__ = ["AS_OF", "NOW", "OURS", "THEIRS", "Creditx", "Result", "a_principal"]
