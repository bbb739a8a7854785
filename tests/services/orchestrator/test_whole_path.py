"""Goal: an uploaded document reaches its outcome through five real agents. Method: three services in one process."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest

from ecosystem.contracts.authn import CompanyCreated
from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.kernel import context
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.harness import KernelHarness
from ecosystem.services.creditx.app import build as build_creditx
from ecosystem.services.events.app import build as build_events
from ecosystem.services.orchestrator.app import build
from specimens.maker import make
from specimens.model import Kind, Quality
from tests.kernel.db.fixtures import Platform
from tests.services.orchestrator.harness import COMPANY
from tests.support.engines import CacheEngine


@pytest.fixture
async def platform_of_three(
    platform: Platform, cache_engine: CacheEngine, tmp_path: Path
) -> AsyncIterator[KernelHarness]:
    contracts = ContractIndex(AGENTS, EVENTS)
    async with KernelHarness(platform, tmp_path, contracts, cache_url=cache_engine.url) as harness:
        yield harness


async def test_from_the_upload_to_the_published_outcome(platform_of_three: KernelHarness) -> None:
    harness = platform_of_three
    creditx = await harness.service(build_creditx, "creditx-service", "creditx")
    await harness.service(build_events, "events-service", "events")
    orchestrator = await harness.service(build, "orchestrator-agent", "orchestrator")
    created = CompanyCreated(company_id=COMPANY, region="eu", time_zone="Europe/Zurich", locale="en_GB", currency="CHF")
    with context.scope(company_id=COMPANY):
        await creditx.kernel.database.run(lambda: creditx.kernel.outbox.add(created))
    await harness.settle()
    principal = Principal("c", COMPANY, frozenset({"documents:read", "documents:write", "runs:read"}))
    specimen = make(Kind.PASSPORT, seed=7, as_of=date.today(), quality=Quality.PHOTO)
    answer = await creditx.client(principal).post(
        "/v1/documents", files={"file": (specimen.name, specimen.content)}, headers={"Idempotency-Key": str(uuid4())}
    )
    assert answer.status_code == 202, answer.text
    await harness.settle()

    document = (await creditx.client(principal).get(f"/v1/documents/{answer.json()['document_id']}")).json()
    runs = (await orchestrator.client(principal).get("/v1/runs")).json()["items"]
    assert [(run["status"], run["state"], run["outcome"]) for run in runs] == [("completed", "IDLE", "approved")]
    assert (document["status"], document["outcome"]) == ("completed", "approved")
    published = [data for _, _, _, data in harness.events("compliance_document_processed")]
    assert [data["outcome"] for data in published] == ["approved"]
    assert len(harness.events("workflow_run_completed")) == 1
