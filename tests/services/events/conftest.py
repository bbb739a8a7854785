"""events-service on a database of its own, with an archive in a folder."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from ecosystem.contracts.creditx import DocumentFailed
from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.kernel import context
from ecosystem.kernel.messaging.log import EventLog
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.events.app import build
from ecosystem.services.events.repository import ArchiveRepository
from ecosystem.services.events.service import ArchiveService
from ecosystem.services.events.settings import ServiceSettings
from tests.kernel.db.fixtures import Platform
from tests.support.poll import eventually

ZURICH, GENEVA = UUID(int=0xA1), UUID(int=0xB2)


@pytest.fixture
async def harness(platform: Platform, tmp_path: Path) -> AsyncIterator[KernelHarness]:
    overrides = {
        "events": {"file_events_max": 3, "streams_max": 3, "company_streams_max": 2}, "keys": {"cache_seconds": 0},
    }  # fmt: skip
    async with KernelHarness(platform, tmp_path, ContractIndex(AGENTS, EVENTS), overrides=overrides) as harness:
        yield harness


@pytest.fixture
async def events(harness: KernelHarness) -> ServiceHarness:
    return await harness.service(build, "events-service", "events")


def turn_a_bit_of_the_key(platform: Platform, company: UUID) -> None:
    """Nothing can be encrypted for the company any more; the second time all is as before."""
    platform.rows(
        "update events.data_keys set wrapped = set_bit(wrapped, 240, 1 - get_bit(wrapped, 240)) where company_id = %s",
        company,
    )


async def archived(events: ServiceHarness) -> list[dict[str, dict[str, str]]]:
    """Every event in the archive of ZURICH, in its order, out of its files."""
    kernel = events.kernel
    archive = ArchiveService(
        kernel.database, ArchiveRepository(kernel.database, "archive"), kernel.objects, kernel.clock, kernel.ids,
        ServiceSettings(),
    )  # fmt: skip
    files = await archive.files(ZURICH, None, 10)
    contents = [gzip.decompress(await archive.content(file)) for file in reversed(files)]
    return [orjson.loads(line) for content in contents for line in content.splitlines()]


async def publish(events: ServiceHarness, *codes: str, company: UUID | None = ZURICH, **about: Any) -> UUID:
    """One DocumentFailed for each code, about one document; the document's id, when all can be read."""
    document_id: UUID = about.get("document_id") or uuid4()
    kernel = events.kernel
    for code in codes:
        with context.scope(company_id=company, user_id="client-1"):
            await kernel.database.run(
                lambda code=code: kernel.outbox.add(DocumentFailed(document_id=document_id, code=code))
            )
    log = EventLog(kernel.database)

    async def readable() -> bool:
        with context.scope(company_id=company):
            return [one.envelope.data["code"] for one in await log.events(newest=True, limit=1)] == [codes[-1]]

    # An open transaction anywhere in the cluster hides what came after it for a moment.
    await eventually(readable)
    return document_id
