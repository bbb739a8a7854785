"""authn on a real kernel and database, with a clock that stands still."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ecosystem.contracts.authn import ROLES
from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.authn.app import build
from tests.kernel.db.fixtures import Platform

COMPANY = {"name": "Alpha AG", "region": "eu", "time_zone": "Europe/Zurich", "locale": "de-CH", "currency": "CHF"}


@dataclass
class Authn:
    harness: KernelHarness
    running: ServiceHarness
    clock: FrozenClock
    credential_file: Path

    def anyone(self) -> httpx.AsyncClient:
        return self.running.client()

    def administrator(self, *scopes: str, company_id: Any = None) -> httpx.AsyncClient:
        """A platform administrator; with `scopes`, one whose token was narrowed to them."""
        role = "platform-administrator"
        given = frozenset(scopes) or ROLES[role]
        return self.running.client(Principal("client-root", company_id, given, frozenset({role})))

    def member(self, company_id: Any, role: str = "company-administrator") -> httpx.AsyncClient:
        return self.running.client(Principal("client-member", company_id, ROLES[role], frozenset({role})))

    async def company(self, **changes: Any) -> dict[str, Any]:
        answer = await self.administrator().post("/v1/companies", json={**COMPANY, **changes})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def made_client(self, company_id: Any = None, *roles: str, **changes: Any) -> dict[str, Any]:
        body = {"name": "A client", "roles": list(roles or ("analyst",)), "company_id": company_id, **changes}
        if company_id is None:
            body["roles"] = ["platform-administrator"]
        answer = await self.administrator().post("/v1/clients", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def token(self, client: dict[str, Any], **form: str) -> httpx.Response:
        data = {"grant_type": "client_credentials", **form}
        return await self.anyone().post(
            "/oauth/token", data=data, auth=(client["client_id"], client["client_secret"])
        )  # fmt: skip


@pytest.fixture
async def authn(platform: Platform, tmp_path: Path) -> AsyncIterator[Authn]:
    clock, file = FrozenClock(), tmp_path / "secrets" / "first.credential"
    overrides = {"authn": {"first_credential_file": str(file)}}
    contracts = ContractIndex(AGENTS, EVENTS)
    async with KernelHarness(platform, tmp_path, contracts, overrides=overrides, clock=clock) as harness:
        running = await harness.service(build, "authn-service", "authn")
        yield Authn(harness, running, clock, file)
