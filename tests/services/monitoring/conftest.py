"""monitoring-service on a database of its own, and the facts that it lives from."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.contracts.recovery import (
    FaultCleared,
    FaultKind,
    FaultObserved,
    HelpNeeded,
    RepairOutcome,
    RepairRecorded,
)
from ecosystem.kernel import context
from ecosystem.kernel.errors import Severity
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.messaging.event import Event
from ecosystem.kernel.messaging.runner import ConsumerRunner
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.monitoring.app import build
from tests.kernel.db.fixtures import Platform
from tests.support.poll import eventually

ZURICH, GENEVA = UUID(int=0xA1), UUID(int=0xB2)
EVERYTHING = frozenset({"audit:read", "incidents:read", "incidents:write"})
OPERATOR = Principal("ops", None, EVERYTHING)
ZURICHER = Principal("amy", ZURICH, EVERYTHING)
GENEVAN = Principal("zoe", GENEVA, EVERYTHING)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def harness(platform: Platform, tmp_path: Path, clock: FrozenClock) -> AsyncIterator[KernelHarness]:
    async with KernelHarness(platform, tmp_path, ContractIndex(AGENTS, EVENTS), clock=clock) as harness:
        yield harness


@pytest.fixture
async def monitoring(harness: KernelHarness) -> ServiceHarness:
    return await harness.service(build, "monitoring-service", "monitoring")


async def at_work(replicas: Sequence[ConsumerRunner], is_done: Callable[[], bool]) -> None:
    """Replicas of a consumer side by side, as processes run them, until all is done."""
    stop = asyncio.Event()
    works = [asyncio.create_task(replica.run(stop)) for replica in replicas]

    async def look() -> bool:
        return is_done()

    await eventually(look)
    stop.set()
    await asyncio.gather(*works)


async def tell(service: ServiceHarness, *events: Event, company: UUID | None = None) -> None:
    """Publish facts as another service would, in one unit of work."""
    kernel = service.kernel

    async def work() -> None:
        for event in events:
            await kernel.outbox.add(event)

    with context.scope(company_id=company):
        await kernel.database.run(work)


def fault(at: datetime, episode_id: UUID | None = None, **about: Any) -> FaultObserved:
    """creditx-1 was killed, unless `about` says otherwise."""
    told = {
        "fault": FaultKind.INSTANCE_DEAD, "component": "creditx-service", "instance": "creditx-1",
        "cause": "ended by SIGKILL", "severity": Severity.HIGH, "observed_at": at,
    }  # fmt: skip
    return FaultObserved.model_validate({"episode_id": episode_id or uuid4(), **told, **about})


def repair(at: datetime, episode_id: UUID, reason: str = "it was dead", left: int | None = 4) -> RepairRecorded:
    return RepairRecorded(
        episode_id=episode_id, action_id=uuid4(), action="restart_instance", outcome=RepairOutcome.DONE, reason=reason,
        by="supervisor", attempt=1, budget_left=left, at=at,
    )  # fmt: skip


def cleared(at: datetime, episode_id: UUID, seconds: float = 1.5, by: str | None = None) -> FaultCleared:
    return FaultCleared(
        episode_id=episode_id, cleared_at=at, by_itself=by is None, repaired_by=by, repair_seconds=seconds
    )


def help_needed(episode_id: UUID, reason: str = "no restart is left") -> HelpNeeded:
    return HelpNeeded(episode_id=episode_id, reason=reason)
