"""Goal: work that a killed worker had done is found before it is done again, as the records alone show.

Method: real agents on a real database; a process is killed between the work of an agent and its checkpoint.
"""

import asyncio
import json
import os
import sys
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ecosystem.contracts.authn import CompanyCreated
from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.kernel import context
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.creditx.app import build as build_creditx
from ecosystem.services.events.app import build as build_events
from ecosystem.services.orchestrator.app import build
from specimens.maker import make
from specimens.model import Kind
from tests.kernel.db.fixtures import Platform
from tests.services.orchestrator.harness import COMPANY
from tests.support.poll import PATIENCE_SECONDS, eventually
from tests.tidy.tree import ROOT

READER = Principal("c", COMPANY, frozenset({"documents:read", "documents:write", "runs:read"}))


async def uploaded(harness: KernelHarness, creditx: ServiceHarness) -> str:
    """The id of a document that waits to be worked on."""
    created = CompanyCreated(company_id=COMPANY, region="eu", time_zone="Europe/Zurich", locale="en_GB", currency="CHF")
    with context.scope(company_id=COMPANY):
        await creditx.kernel.database.run(lambda: creditx.kernel.outbox.add(created))
    await harness.settle()
    specimen = make(Kind.BANK_STATEMENT, seed=7, as_of=date.today())
    answer = await creditx.client(READER).post(
        "/v1/documents", files={"file": (specimen.name, specimen.content)}, headers={"Idempotency-Key": str(uuid4())}
    )
    assert answer.status_code == 202, answer.text
    await harness.settle()
    return str(answer.json()["document_id"])


async def killed_after(platform: Platform, folder: Path, request_type: str) -> None:
    """Have a process of its own work until that agent has answered, and kill it before the answer is kept."""
    urls = {role: platform.url(role) for role in ("eco_creditx", "eco_events", "eco_orchestrator")}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.services.orchestrator.mid_air", str(folder), request_type,
        stdout=asyncio.subprocess.PIPE, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "URLS": json.dumps(urls)},
    )  # fmt: skip
    try:
        assert child.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (line := await child.stdout.readline()) != b"reached\n":
                assert line, "the child ended before it came there"
    finally:
        child.kill()
        await child.wait()


@pytest.mark.parametrize(
    ("request_type", "agent", "schema", "event"),
    [
        pytest.param("extract_metadata", "metadata-extraction-agent", "creditx", None, marks=pytest.mark.long),
        pytest.param("store_document", "storage-agent", "creditx", None, marks=pytest.mark.long),
        ("publish_event", "event-bus-agent", "events", "compliance_document_processed"),
    ],
)
async def test_what_was_done_before_the_kill_is_found_and_not_done_again(
    platform: Platform, tmp_path: Path, request_type: str, agent: str, schema: str, event: str | None
) -> None:
    async with KernelHarness(platform, tmp_path, ContractIndex(AGENTS, EVENTS)) as harness:
        creditx = await harness.service(build_creditx, "creditx-service", "creditx")
        await harness.service(build_events, "events-service", "events")
        orchestrator = await harness.service(build, "orchestrator-agent", "orchestrator", workers=False)
        document_id = await uploaded(harness, creditx)
        await killed_after(platform, tmp_path, request_type)
        before = recorded(platform, schema, agent)
        worker = asyncio.create_task(orchestrator.service.workers[0].run(asyncio.Event()))
        try:
            told = await completed(orchestrator, document_id)
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)

    text = [moment["sentence"] for moment in told]
    at = {moment["sentence"]: moment["at"] for moment in told}
    second = next(one for one in text if one.startswith("Worker ") and one.endswith("in attempt 2."))
    assert text[0].startswith(f"creditx-service took document {document_id}")
    assert "The run broke off in attempt 1, with worker_died." in text
    # The journal has one step of that name, of the second worker; its work is older than this worker: it was found.
    assert len([one for one in text if f"was asked to {request_type} and answered" in one]) == 1
    assert len(before) == 1
    assert before[0][1].isoformat() < at[second]
    assert recorded(platform, schema, agent) == before
    if event is not None:
        assert len(harness.events(event)) == 1


def recorded(platform: Platform, schema: str, agent: str) -> list[tuple[Any, ...]]:
    """The answers that an agent has recorded, each in the transaction of its effect."""
    return platform.rows(
        f"select request_id, recorded_at, xmin::text from {schema}.answers where agent_id = %s",
        agent,
    )


async def completed(orchestrator: ServiceHarness, document_id: str) -> list[dict[str, Any]]:
    client = orchestrator.client(READER)

    async def look() -> list[dict[str, Any]] | None:
        story = (await client.get(f"/v1/runs/{document_id}/story")).json()
        told: list[dict[str, Any]] = story["moments"]
        return told if any("announced as completed" in one["sentence"] for one in told) else None

    found = await eventually(look)
    assert found is not None
    return found
