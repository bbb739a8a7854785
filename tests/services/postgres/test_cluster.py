"""Goal: an operator sees what the cluster is and what is wrong with it. Method: the service on a real server."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.postgres.app import build
from ecosystem.services.postgres.model import Measures, Server, warnings
from tests.kernel.db.fixtures import SETS, Platform

ROUTE = "/v1/engines/postgres"
OPERATOR = Principal("operator", None, frozenset({"platform:read"}))
ANALYST = Principal("analyst", None, frozenset({"documents:read"}))


@pytest.fixture
async def service(platform: Platform, tmp_path: Path) -> AsyncIterator[ServiceHarness]:
    async with KernelHarness(platform, tmp_path, ContractIndex(AGENTS, EVENTS)) as harness:
        yield await harness.service(build, "postgres-service", "postgres")


async def shown(service: ServiceHarness, path: str = "") -> dict[str, Any]:
    answer = await service.client(OPERATOR).get(ROUTE + path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


class TestOverview:
    async def test_server_statistics_and_settings(self, service: ServiceHarness) -> None:
        found = await shown(service)

        assert found["healthy"]
        assert found["server"]["version_number"] >= 170000
        assert found["server"]["settings"]["fsync"] == "on"
        assert found["statistics"]["connections"] >= 1
        assert found["statistics"]["connections_by_role"]["eco_postgres"] >= 1
        assert found["statistics"]["database_bytes"] > 1_000_000
        assert found["statistics"]["tables_bytes"]["kernel"] > 0
        assert found["warnings"] == []

    async def test_capabilities_are_found_by_asking(self, service: ServiceHarness, platform: Platform) -> None:
        on_server = {name for (name,) in platform.rows("select name from pg_available_extensions")}
        found = {one["name"]: one for one in (await shown(service, "/capabilities"))["items"]}

        assert found.keys() == {"postgis", "timescaledb"}
        for name, capability in found.items():
            assert (capability["available"] is not None) == (name in on_server)
            assert not capability["used"]

    async def test_migrations_of_all_services(self, service: ServiceHarness) -> None:
        found = (await shown(service, "/migrations"))["items"]

        assert {one["service"] for one in found} == {"kernel"} | {item.name for item in SETS if item.versions()}
        assert {"service": "postgres-service", "schema_name": "postgres", "revision": "0001_measures"} in found

    async def test_open_write_transaction_is_seen_and_measured(
        self, service: ServiceHarness, platform: Platform
    ) -> None:
        with psycopg.connect(platform.admin_url) as writer:
            writer.execute("select pg_current_xact_id()")
            await service.job("measure-postgres")
            found = await shown(service)

        assert found["statistics"]["horizon_seconds"] > 0
        metrics = service.kernel.metrics.render().decode()
        assert "postgres_horizon_age_seconds " in metrics
        assert "postgres_horizon_age_seconds 0.0\n" not in metrics

    async def test_no_statement_of_others_is_shown(self, service: ServiceHarness, platform: Platform) -> None:
        with psycopg.connect(platform.admin_url) as other:
            other.execute("select 'amy@example.org'")

            assert "amy@example.org" not in str(await shown(service))


class TestRefusals:
    @pytest.mark.parametrize("path", ["", "/capabilities", "/migrations"])
    async def test_needs_a_token_and_the_scope(self, service: ServiceHarness, path: str) -> None:
        assert (await service.client().get(ROUTE + path)).status_code == 401
        refused = await service.client(ANALYST).get(ROUTE + path)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")

    async def test_absent_database_is_a_clear_problem(self, service: ServiceHarness, platform: Platform) -> None:
        await service.kernel.database.close()
        platform.rows("alter role eco_postgres nologin")
        platform.rows("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'eco_postgres'")
        try:
            refused = await service.client(OPERATOR).get(ROUTE)
        finally:
            platform.rows("alter role eco_postgres login")

        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")


class TestWarnings:
    SERVER = Server("17.2", 170002, datetime(2026, 11, 24, tzinfo=UTC), False, {"fsync": "on"})
    MEASURES = Measures(10, 100, {}, 0, 0.1, 1, {}, 1, 0, 0, 0, 0.99, True)

    def found(self, server: Server = SERVER, measures: Measures = MEASURES) -> list[str]:
        return warnings(server, measures, 5.0, 0.8)

    def test_nothing_wrong_says_nothing(self) -> None:
        assert self.found() == []

    def test_each_fault_has_its_sentence(self) -> None:
        server = replace(self.SERVER, version_number=160004, settings={"fsync": "off", "synchronous_commit": "off"})
        measures = replace(self.MEASURES, horizon_seconds=9, connections=81, sees_everything=False)

        found = self.found(server, measures)

        for word in ("PostgreSQL 17", "open for 9 s", "81 of 100", "fsync is off", "synchronous_commit", "pg_monitor"):
            assert any(word in sentence for sentence in found)
        assert len(found) == 6
