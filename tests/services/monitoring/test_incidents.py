"""Goal: one episode is one incident, told in full, and pages once if at all. Method: facts on a real log."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel.errors import Severity, Unavailable
from ecosystem.kernel.messaging.runner import ConsumerRunner
from ecosystem.kernel.messaging.settings import MessagingSettings
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.monitoring.incidents.reading import IncidentReading
from ecosystem.services.monitoring.incidents.repository import Incidents
from ecosystem.services.monitoring.incidents.status import How
from tests.services.monitoring.conftest import (
    GENEVA,
    GENEVAN,
    OPERATOR,
    ZURICH,
    ZURICHER,
    at_work,
    cleared,
    fault,
    help_needed,
    repair,
    tell,
)


async def all_of(service: ServiceHarness, **asked: Any) -> list[dict[str, Any]]:
    answer = await service.client(OPERATOR).get("/v1/incidents", params=asked)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def the_one(service: ServiceHarness) -> dict[str, Any]:
    listed = await all_of(service)
    assert len(listed) == 1
    shown: dict[str, Any] = (await service.client(OPERATOR).get(f"/v1/incidents/{listed[0]['number']}")).json()
    return shown


def whats(shown: dict[str, Any]) -> list[str]:
    return [line["what"] for line in shown["timeline"]]


def published(harness: KernelHarness) -> list[str]:
    return [row[0] for row in harness.events() if row[0].startswith("incident_")]


class TestEpisodes:
    async def test_a_repaired_fault_is_one_incident_with_its_story(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        episode = uuid4()
        now = clock.now()
        seen = fault(now, episode, companies=(ZURICH,), trace_id="ab" * 16, runbook="service_unavailable")
        await tell(monitoring, seen, repair(now, episode), cleared(now, episode))
        await harness.settle()
        shown = await the_one(monitoring)

        assert (shown["state"], shown["priority"], shown["title"]) == (
            "closed", "P2", "creditx-service: instance dead",
        )  # fmt: skip
        assert whats(shown) == ["opened", "repair", "cleared", "closed"]
        assert shown["timeline"][1]["said"] == "restart_instance: done, attempt 1, 4 left. it was dead"
        assert (shown["closed_by"], shown["companies"], shown["trace_ids"], shown["runbook"]) == (
            None, [str(ZURICH)], ["ab" * 16], "service_unavailable",
        )  # fmt: skip
        assert published(harness) == ["incident_opened", "incident_closed"]

    async def test_nothing_of_an_incident_stands_in_the_public_status(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        hostile = "\x1b[2J<script>alert(1)</script>\u202e{{7*7}}"
        await tell(monitoring, fault(clock.now(), cause=hostile, component=hostile, instance=hostile, runbook=hostile))
        await harness.settle()
        answer = await monitoring.client().get("/v1/status")

        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert set(answer.json()) == {"status", "parts", "since", "as_of"}
        assert not any(part in answer.text for part in ("script", "x1b", "\x1b", "7*7", "\u202e", "creditx"))

    @pytest.mark.parametrize("storm", [800, pytest.param(10_000, marks=pytest.mark.long)])
    async def test_a_storm_of_equal_faults_is_one_incident_with_a_count(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock, storm: int
    ) -> None:
        """Half of it one episode seen again and again, half of it episodes of their own."""
        half = storm // 2
        episodes = [uuid4()] * half + [uuid4() for _ in range(half)]
        for start in range(0, storm, 100):
            await tell(monitoring, *(fault(clock.now(), one) for one in episodes[start : start + 100]))
        await harness.settle()
        shown = await the_one(monitoring)

        assert (shown["faults"], shown["episodes"]) == (storm, half + 1)
        assert (shown["lines"], len(shown["timeline"])) == (300, 50)
        assert published(harness) == ["incident_opened"]

    async def test_other_faults_of_the_same_part_are_incidents_of_their_own(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        await tell(monitoring, fault(clock.now()), fault(clock.now(), fault=FaultKind.POOL_EXHAUSTED))
        await harness.settle()

        assert {one["fault"] for one in await all_of(monitoring)} == {"instance_dead", "pool_exhausted"}

    async def test_an_incident_is_over_when_its_last_episode_is(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        first, second = uuid4(), uuid4()
        await tell(monitoring, fault(clock.now(), first), fault(clock.now(), second, instance="creditx-2"))
        await tell(monitoring, cleared(clock.now(), first))
        await harness.settle()
        before = await the_one(monitoring)
        await tell(monitoring, cleared(clock.now(), second))
        await harness.settle()

        assert (before["state"], before["instances"]) == ("open", ["creditx-1", "creditx-2"])
        assert (await the_one(monitoring))["state"] == "closed"

    async def test_a_fault_that_comes_back_soon_goes_on_with_its_incident(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        for _ in range(2):
            episode = uuid4()
            await tell(monitoring, fault(clock.now(), episode))
            await harness.settle()
            await tell(monitoring, cleared(clock.now(), episode))
            await harness.settle()
            clock.advance(599)
        clock.advance(2)
        await tell(monitoring, fault(clock.now()))
        await harness.settle()
        newest, former = await all_of(monitoring)

        assert (former["episodes"], former["state"], newest["episodes"], newest["state"]) == (2, "closed", 1, "open")

    async def test_what_gets_worse_is_escalated(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        episode = uuid4()
        await tell(monitoring, fault(clock.now(), episode, severity=Severity.MEDIUM))
        await tell(monitoring, fault(clock.now(), episode, severity=Severity.CRITICAL))
        await harness.settle()
        shown = await the_one(monitoring)

        assert (shown["priority"], whats(shown)) == ("P1", ["opened", "escalated"])
        assert published(harness) == ["incident_opened", "incident_escalated"]

    async def test_replicas_that_hear_of_one_fault_at_once_make_one_incident(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        for _ in range(8):
            await tell(monitoring, *(fault(clock.now(), companies=(ZURICH, GENEVA)) for _ in range(8)))
        consumer = next(one for one in monitoring.service.consumers if one.name == "monitoring-incidents")
        replicas = [ConsumerRunner(monitoring.kernel.database, consumer, MessagingSettings()) for _ in range(3)]
        await at_work(replicas, lambda: harness.platform.rows("select count(*) from monitoring.episodes") == [(64,)])
        shown = await the_one(monitoring)

        assert (shown["faults"], shown["episodes"], published(harness)) == (64, 64, ["incident_opened"])

    async def test_what_follows_an_episode_nobody_knows_is_no_failure(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        await tell(monitoring, repair(clock.now(), uuid4()), cleared(clock.now(), uuid4()), help_needed(uuid4()))
        await harness.settle()

        assert await all_of(monitoring) == []
        assert harness.platform.rows("select 1 from monitoring.parked") == []


class TestPages:
    async def test_what_heals_itself_in_time_pages_nobody(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        episode = uuid4()
        await tell(monitoring, fault(clock.now(), episode))
        await harness.settle()
        clock.advance(59)
        await monitoring.job("look-after-incidents")
        await tell(monitoring, cleared(clock.now(), episode))
        await harness.settle()
        clock.advance(60)
        await monitoring.job("look-after-incidents")

        assert "paged" not in whats(await the_one(monitoring))

    async def test_what_was_heard_of_late_has_its_time_to_be_over(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        """This service was away; the end of the fault stands in the log behind its beginning."""
        began, episode = clock.now(), uuid4()
        clock.advance(3600)
        await tell(monitoring, fault(began, episode))
        await harness.settle()
        await monitoring.job("look-after-incidents")
        await tell(monitoring, cleared(began, episode))
        await harness.settle()
        shown = await the_one(monitoring)

        assert (shown["opened_at"], "paged" in whats(shown)) == ("2026-03-02T12:00:00Z", False)

    async def test_a_clock_that_runs_ahead_delays_no_page(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        await tell(monitoring, fault(clock.now() + timedelta(days=400)))
        await harness.settle()
        clock.advance(60)
        await monitoring.job("look-after-incidents")

        assert "paged" in whats(await the_one(monitoring))

    async def test_an_urgent_fault_that_stays_pages_once(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        episode = uuid4()
        await tell(monitoring, fault(clock.now(), episode))
        await harness.settle()
        for _ in range(3):
            clock.advance(60)
            await monitoring.job("look-after-incidents")
        await tell(monitoring, help_needed(episode), fault(clock.now(), episode))
        await harness.settle()

        assert whats(await the_one(monitoring)).count("paged") == 1

    async def test_help_pages_at_once_whatever_the_priority_was(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        episode = uuid4()
        await tell(monitoring, fault(clock.now(), episode, severity=Severity.LOW), help_needed(episode))
        await harness.settle()
        shown = await the_one(monitoring)

        assert (shown["priority"], whats(shown)) == ("P2", ["opened", "help_needed", "escalated", "paged"])

    async def test_nobody_is_paged_for_what_somebody_looks_at(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        episode = uuid4()
        await tell(monitoring, fault(clock.now(), episode))
        await harness.settle()
        await monitoring.client(OPERATOR).post("/v1/incidents/1/acknowledge")
        clock.advance(3600)
        await monitoring.job("look-after-incidents")
        await tell(monitoring, help_needed(episode))
        await harness.settle()

        assert "paged" not in whats(await the_one(monitoring))

    async def test_what_nobody_answers_climbs_until_it_pages(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        await tell(monitoring, fault(clock.now(), severity=Severity.MEDIUM))
        await harness.settle()
        clock.advance(3599)
        await monitoring.job("look-after-incidents")
        before = await the_one(monitoring)
        clock.advance(1)
        await monitoring.job("look-after-incidents")
        shown = await the_one(monitoring)

        assert before["priority"] == "P3"
        assert (shown["priority"], whats(shown)) == ("P2", ["opened", "unanswered", "escalated", "paged"])


class TestPeople:
    async def test_an_incident_is_acknowledged_and_ended_by_hand(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        await tell(monitoring, fault(clock.now()))
        await harness.settle()
        ops = monitoring.client(OPERATOR)
        first = (await ops.post("/v1/incidents/1/acknowledge")).json()
        again = (await ops.post("/v1/incidents/1/acknowledge")).json()
        unseen = [await ops.post("/v1/incidents/1/resolve", json={"reason": one}) for one in ("  ", "\u202e")]
        over = (await ops.post("/v1/incidents/1/resolve", json={"reason": "replaced the disk"})).json()
        late = await ops.post("/v1/incidents/1/acknowledge")

        assert (first["state"], first["acknowledged_by"], again["timeline"]) == (
            "acknowledged", "ops", first["timeline"],
        )  # fmt: skip
        assert [answer.status_code for answer in unseen] == [422, 422]
        assert (over["state"], over["closed_by"], over["closed_reason"]) == ("closed", "ops", "replaced the disk")
        assert (late.status_code, late.json()["code"]) == (409, "incident_over")
        assert published(harness) == ["incident_opened", "incident_acknowledged", "incident_closed"]
        await harness.settle()
        trail = (await ops.get("/v1/audit")).json()["items"]
        assert {(one["action"], one["user_id"]) for one in trail} == {
            ("incident_acknowledged", "ops"), ("incident_resolved", "ops"),
        }  # fmt: skip

    async def test_a_company_reads_what_affects_it_and_nothing_more(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        await tell(monitoring, fault(clock.now(), companies=(ZURICH, GENEVA)))
        await tell(monitoring, fault(clock.now(), fault=FaultKind.STUCK_RUN), company=GENEVA)
        await harness.settle()
        amy, zoe = monitoring.client(ZURICHER), monitoring.client(GENEVAN)
        mine = (await amy.get("/v1/incidents")).json()["items"]
        shown = (await amy.get(f"/v1/incidents/{mine[0]['incident_id']}")).json()

        assert [one["companies"] for one in mine] == [[str(ZURICH)]]
        assert (shown["timeline"], shown["instances"], shown["episodes_shown"]) == ([], [], [])
        assert len((await zoe.get("/v1/incidents")).json()["items"]) == 2
        stranger = [await amy.get(f"/v1/incidents/{one['number']}") for one in await all_of(monitoring)]
        assert sorted(answer.status_code for answer in stranger) == [200, 404]

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [("POST", "acknowledge", None), ("POST", "resolve", {"reason": "x"}), ("GET", "postmortem", None),
         ("PUT", "postmortem", {}), ("GET", "ticket", None)],
    )  # fmt: skip
    async def test_a_company_does_nothing_to_an_incident(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock, method: str, path: str, body: Any
    ) -> None:
        await tell(monitoring, fault(clock.now(), companies=(ZURICH,)))
        await harness.settle()
        answer = await monitoring.client(ZURICHER).request(method, f"/v1/incidents/1/{path}", json=body)

        assert (answer.status_code, answer.json()["code"]) == (403, "operators_only")

    @pytest.mark.parametrize("which", ["0", "99999", "nonsense", str(UUID(int=1)), "1" * 40, "²"])
    async def test_an_incident_that_is_none_is_not_found(self, monitoring: ServiceHarness, which: str) -> None:
        answer = await monitoring.client(OPERATOR).get(f"/v1/incidents/{which}")

        assert (answer.status_code, answer.json()["code"]) == (404, "incident_unknown")


class TestStatus:
    async def test_everybody_reads_how_it_goes_and_nothing_from_inside(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        anyone = monitoring.client()
        well = (await anyone.get("/v1/status")).json()
        await tell(monitoring, fault(clock.now(), companies=(ZURICH,)))
        await harness.settle()
        kept = (await anyone.get("/v1/status")).json()
        clock.advance(5)
        answer = await anyone.get("/v1/status")

        assert (well["status"], kept) == ("operational", well)
        assert answer.json() == {
            "status": "degraded", "since": "2026-03-02T12:00:00Z", "as_of": "2026-03-02T12:00:05Z",
            "parts": {"documents": "degraded", "sign_in": "operational", "events": "operational", "api": "operational"},
        }  # fmt: skip
        assert answer.headers["cache-control"] == "public, max-age=5"

    async def test_while_the_database_is_away_everything_is(self, clock: FrozenClock) -> None:
        class Away:
            async def read(self, _: Any) -> Any:
                raise Unavailable

        away: Any = Away()
        found = await IncidentReading(away, Incidents(away), clock, 5).status()

        assert (found.status, set(found.parts.values())) == (How.OUTAGE, {How.OUTAGE})
