"""monitoring-service on a database of its own; what it sends goes to servers of the test."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.kernel.clock import SystemClock
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.monitoring.app import build
from tests.kernel.db.fixtures import Platform
from tests.support.poll import eventually
from tests.support.providers import MailBox, WebHook, a_mail_server, a_webhook

ZURICH, GENEVA = UUID(int=0xA1), UUID(int=0xB2)
SCOPES = frozenset({"oncall:read", "oncall:write", "notifications:read", "notifications:write"})
SETTINGS = {
    "private_networks": "127.0.0.0/8", "edge_url": "https://edge.test", "look_seconds": 0.5,
}  # fmt: skip


class MovedClock(SystemClock):
    """The real time, and as much more as a test says."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def now(self) -> datetime:

        return super().now() + timedelta(seconds=self.ahead_seconds)

    def advance(self, seconds: float) -> None:
        self.ahead_seconds += seconds


class Monitoring:
    """The service with its delivery at work, as a test speaks to it."""

    def __init__(self, harness: KernelHarness, service: ServiceHarness, clock: MovedClock) -> None:
        self.harness, self.service, self.clock = harness, service, clock

    def client(self, company_id: UUID | None = ZURICH, scopes: frozenset[str] = SCOPES) -> httpx.AsyncClient:
        return self.service.client(Principal("client-1", company_id, scopes))

    async def add(self, name: str, url: str, company_id: UUID | None = ZURICH, **more: Any) -> dict[str, Any]:
        answer = await self.client(company_id).post(
            "/v1/notifications/channels", json={"name": name, "url": url, **more}
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def ended(
        self,
        notification_id: str,
        company_id: UUID | None = ZURICH,
        *,
        hasten: bool = False,
    ) -> Any:
        """The message once it has ended. `hasten`: where it waits for its next attempt, its time comes at once."""
        client = self.client(company_id)

        async def look() -> Any:
            found = (await client.get(f"/v1/notifications/{notification_id}")).json()
            if hasten and found["state"] == "waiting" and found["attempts"]:
                self.clock.advance(10)
            return found if found["state"] in ("sent", "failed") else None

        return await eventually(look)

    async def climb(self) -> None:
        await self.service.job("climb-pages")

    def audited(self) -> list[str]:
        return [data["action"] for _, _, _, data in self.harness.events("audit_recorded")]


@pytest.fixture
def hook() -> Iterator[WebHook]:
    with a_webhook() as hook:
        yield hook


@pytest.fixture
def box() -> Iterator[MailBox]:
    with a_mail_server() as box:
        yield box


@pytest.fixture
def delivery_seconds() -> float:
    """What one attempt may take."""
    return 60


@pytest.fixture
async def kernel_harness(
    platform: Platform, tmp_path: Path, delivery_seconds: float
) -> AsyncIterator[tuple[KernelHarness, MovedClock]]:
    clock, settings = MovedClock(), SETTINGS | {"delivery_seconds": delivery_seconds}
    async with KernelHarness(
        platform, tmp_path, ContractIndex(AGENTS, EVENTS), overrides={"monitoring": settings}, clock=clock
    ) as harness:
        yield harness, clock


@pytest.fixture(scope="session")
async def couriers() -> AsyncIterator[Sandbox]:
    """One for all tests: a worker of it is forked for each message anyway, what it sends with is imported once."""
    sandbox = Sandbox()
    yield sandbox
    await sandbox.close()


@pytest.fixture
async def monitoring(
    kernel_harness: tuple[KernelHarness, MovedClock], couriers: Sandbox
) -> AsyncIterator[Monitoring]:  # fmt: skip
    harness, clock = kernel_harness
    service = await harness.service(
        lambda kernel: build(replace(kernel, heavy_sandbox=couriers)), "monitoring-service", "monitoring"
    )
    stop = asyncio.Event()
    works = [asyncio.ensure_future(run(stop)) for run in service.service.background]
    yield Monitoring(harness, service, clock)
    stop.set()
    await asyncio.gather(*works)
