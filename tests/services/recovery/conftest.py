"""recovery-agent on a real database, with a journal that the fleet's own writer fills."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.fleet.journal import Journal, What
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.recovery.app import build
from ecosystem.services.recovery.jobs import JOURNAL, LOOK
from tests.kernel.db.fixtures import Platform

ROUTE = "/v1/recovery"
OPERATOR = Principal("operator", None, frozenset({"platform:read", "platform:write"}))
LIFE = "2026-11-26T03:00:00.000+00:00"


@dataclass
class Watched:
    """A platform that recovery-agent watches: `journal` writes what happens to its processes."""

    harness: KernelHarness
    agent: ServiceHarness
    platform: Platform
    journal: Journal
    clock: FrozenClock

    def happens(self, process: str, what: What, *, planned: bool = False, **more: Any) -> None:
        kind = "service" if process[-1].isdigit() else "engine"
        service = {"creditx": "creditx-service", "recovery": "recovery-agent"}.get(process.partition("-")[0], process)
        self.journal.write(process, kind, what, service=service, planned=planned, **more)

    async def follow(self) -> None:
        await self.agent.job(JOURNAL)

    async def look(self) -> None:
        await self.agent.job(LOOK)

    def told(self, *event_types: str) -> list[dict[str, Any]]:
        """The data of these events, or of all about faults, in the order of the log."""
        kinds = event_types or ("fault_observed", "repair_recorded", "fault_cleared", "help_needed")
        return [data for kind, _, _, data in self.harness.events() if kind in kinds]

    def story(self) -> list[str]:
        """The types of all events about faults, in the order of the log; of a repair its outcome."""
        return [
            data.get("outcome", kind)
            for kind, _, _, data in self.harness.events()
            if kind in ("fault_observed", "repair_recorded", "fault_cleared", "help_needed")
        ]

    async def get(self, path: str = "") -> Any:
        answer = await self.agent.client(OPERATOR).get(ROUTE + path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, **body: Any) -> Any:
        answer = await self.agent.client(OPERATOR).post(ROUTE + path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def settings() -> dict[str, Any]:
    """Settings of recovery-agent; a test's module may replace this."""
    return {}


@pytest.fixture
def limits() -> dict[str, Any]:
    """Settings of agent calls; a test's module may replace this."""
    return {}


@pytest.fixture
async def watched(
    platform: Platform, tmp_path: Path, settings: dict[str, Any], limits: dict[str, Any]
) -> AsyncIterator[Watched]:
    file = tmp_path / "journal.jsonl"
    clock = FrozenClock(datetime.now(UTC))
    overrides = {"recovery": {"journal_file": str(file), **settings}, "agents": limits}
    contracts = ContractIndex(AGENTS, EVENTS)
    async with KernelHarness(platform, tmp_path, contracts, overrides=overrides, clock=clock) as harness:
        agent = await harness.service(build, "recovery-agent", "recovery")
        yield Watched(harness, agent, platform, Journal(file, 10**6, LIFE), clock)
