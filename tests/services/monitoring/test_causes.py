"""Goal: what follows from a failed engine names its incident and calls nobody while that is open; a long story comes in
pages. Method: pure rules, then facts on a real log."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from ecosystem.catalog import CATALOG
from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel.errors import Severity
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.monitoring.incidents import causes, model
from ecosystem.services.monitoring.incidents.model import Incident, Responding
from tests.kernel.db.fixtures import Platform
from tests.services.monitoring.conftest import GENEVAN, OPERATOR, cleared, fault, help_needed, repair, tell

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ENGINE = {"fault": FaultKind.ENGINE_DEAD, "component": "postgresql", "instance": "postgresql"}


def an_incident(seconds_ago: float, **about: Any) -> Incident:
    began = NOW - timedelta(seconds=seconds_ago)
    seen = fault(began, **{**ENGINE, **about})
    return replace(model.begun(seen, (), uuid4(), began, Responding(ZoneInfo("UTC"))), number=7)


class TestRules:
    @pytest.mark.parametrize(
        ("component", "cause", "known"),
        [
            ("creditx-service", {}, True), ("consumer:counting", {}, True), ("ocr-agent", {}, True),
            ("cache", {}, False), ("creditx-service", {"component": "cache"}, False),
            ("dragonfly-service", {"component": "cache"}, True), ("creditx-service", {"component": "edge"}, False),
            ("postgresql", {"component": "disk", "fault": FaultKind.DISK_FULL}, True),
            ("edge", {"component": "supervisor", "fault": FaultKind.SUPERVISOR_RESTARTED}, True),
            ("creditx-service", {"component": "authn-service", "fault": FaultKind.INSTANCE_DEAD}, False),
            ("creditx-service", {"component": "authn-service", "fault": FaultKind.CRASH_LOOP}, False),
            ("creditx-service", {"fault": FaultKind.CRASH_LOOP}, True),
        ],
    )  # fmt: skip
    def test_a_cause_is_what_a_component_stands_on(self, component: str, cause: dict[str, Any], known: bool) -> None:
        found = causes.cause_of("instance_dead", component, NOW, [an_incident(20, **cause)])

        assert (found is not None) is known

    def test_it_began_shortly_before_and_is_open_or_only_just_over(self) -> None:
        def is_cause(**about: Any) -> bool:
            one = replace(an_incident(100), **about)
            return causes.cause_of("instance_dead", "creditx-service", NOW, [one]) is not None

        assert is_cause()
        assert not is_cause(faulty_since=NOW - timedelta(minutes=6))
        assert is_cause(closed_at=NOW - timedelta(seconds=50))
        assert not is_cause(closed_at=NOW - timedelta(seconds=70))

    def test_an_engine_is_not_the_cause_of_its_own_death_but_of_what_is_counted_of_it(self) -> None:
        dead = an_incident(20)

        assert causes.cause_of("engine_frozen", "postgresql", NOW, [dead]) is None
        assert causes.cause_of("database_restarted", "postgresql", NOW, [dead]) is dead

    def test_of_several_the_first_is_named(self) -> None:
        disk = an_incident(60, component="disk", fault=FaultKind.DISK_FULL)

        assert causes.cause_of("instance_dead", "x-service", NOW, [an_incident(20), disk]) is disk

    def test_the_catalog_says_the_same(self) -> None:
        engines = {"database": causes.DATABASE, "cache": causes.CACHE}
        for entry in CATALOG:
            needed = {engines[part] for part in entry.needs if part in engines}
            assert causes.stands_on(entry.name) & causes.ENGINES == needed, entry.name


async def shown(monitoring: ServiceHarness, number: int, **asked: Any) -> dict[str, Any]:
    answer = await monitoring.client(OPERATOR).get(f"/v1/incidents/{number}", params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def pages(platform: Platform) -> int:
    ((count,),) = platform.rows("select count(*) from monitoring.pages")
    return int(count)


class TestPaging:
    async def test_what_an_engine_caused_names_it_and_pages_nobody_while_that_is_open(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock, platform: Platform
    ) -> None:
        database, service = uuid4(), uuid4()
        await tell(monitoring, fault(clock.now(), database, **ENGINE))
        await harness.settle()
        await tell(monitoring, fault(clock.now(), service), help_needed(service))
        await harness.settle()
        clock.advance(3600)
        await monitoring.job("look-after-incidents")
        caused = await shown(monitoring, 2)

        assert caused["caused_by"] == 1
        assert caused["timeline"][0]["said"].endswith("Caused by incident 1 (postgresql: engine dead).")
        assert (await shown(monitoring, 1))["caused_by"] is None
        assert pages(platform) == 1
        assert [line["what"] for line in caused["timeline"]] == ["opened", "help_needed"]

    async def test_what_outlives_its_cause_pages_after_its_own_time(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock, platform: Platform
    ) -> None:
        database, service = uuid4(), uuid4()
        await tell(monitoring, fault(clock.now(), database, **ENGINE))
        await tell(monitoring, fault(clock.now(), service), help_needed(service))
        await harness.settle()
        clock.advance(30)
        await tell(monitoring, cleared(clock.now(), database))
        await harness.settle()
        clock.advance(50)
        await monitoring.job("look-after-incidents")
        before = pages(platform)
        clock.advance(20)
        await monitoring.job("look-after-incidents")

        assert (before, pages(platform)) == (0, 1)
        assert [line["what"] for line in (await shown(monitoring, 2))["timeline"]] == [
            "opened", "help_needed", "cause_over", "paged"
        ]  # fmt: skip

    async def test_documents_say_what_caused_it_and_a_company_is_not_told(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        company = GENEVAN.company_id
        await tell(monitoring, fault(clock.now(), **ENGINE), fault(clock.now(), companies=(company,)))
        await harness.settle()
        told = (await monitoring.client(OPERATOR).get("/v1/incidents/2/postmortem")).json()["markdown"]
        theirs = (await monitoring.client(GENEVAN).get("/v1/incidents/2")).json()

        assert "It was caused by incident 1." in told
        assert theirs["caused_by"] is None


class TestLongStories:
    async def test_timeline_and_episodes_come_in_pages_with_their_number(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        for _ in range(25):
            episode = uuid4()
            seen = fault(clock.now(), episode, severity=Severity.MEDIUM)
            await tell(monitoring, seen, repair(clock.now(), episode), cleared(clock.now(), episode))
            clock.advance(1)
        await harness.settle()
        first = await shown(monitoring, 1, limit=60)
        rest = await shown(monitoring, 1, limit=60, cursor=first["next_cursor"])
        newest = (await monitoring.client(OPERATOR).get("/v1/incidents/1/episodes?limit=20")).json()
        oldest = await monitoring.client(OPERATOR).get(
            f"/v1/incidents/1/episodes?limit=20&cursor={newest['next_cursor']}"
        )

        assert (len(first["timeline"]), len(rest["timeline"])) == (60, first["lines"] - 60)
        assert first["lines"] > 80
        assert first["timeline"][0]["what"] == "opened"
        assert rest["next_cursor"] is None
        assert (len(first["episodes_shown"]), first["episodes"]) == (20, 25)
        assert (len(newest["items"]), len(oldest.json()["items"])) == (20, 5)
        moments = [one["began_at"] for one in [*newest["items"], *oldest.json()["items"]]]
        assert moments == sorted(moments, reverse=True)

    async def test_documents_tell_how_much_they_leave_out(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock, platform: Platform
    ) -> None:
        await tell(monitoring, fault(clock.now()))
        await harness.settle()
        platform.rows(
            "insert into monitoring.timeline (incident_id, number, at, what, said) select incident_id, g, now(),"
            " 'repair', 'again' from monitoring.incidents, generate_series(2, 1500) g"
        )
        told = (await monitoring.client(OPERATOR).get("/v1/incidents/1/postmortem")).json()["markdown"]
        ticket = (await monitoring.client(OPERATOR).get("/v1/incidents/1/ticket")).text

        assert "500 further lines: eco incidents show 1." in told
        assert "901 more are in the platform." in ticket

    async def test_episodes_are_the_operators_and_of_an_incident_that_there_is(
        self, monitoring: ServiceHarness
    ) -> None:
        path = "/v1/incidents/1/episodes"
        assert (await monitoring.client().get(path)).status_code == 401
        assert (await monitoring.client(GENEVAN).get(path)).json()["code"] == "operators_only"
        assert (await monitoring.client(OPERATOR).get(path)).json()["code"] == "incident_unknown"
