"""Goal: errors, exhausted pools and a log that is late are told from what instances count, and a healthy fleet tells
nothing. Method: real counters of made-up instances, read as the plain port gives them; for the pool a real one."""

import asyncio
import contextvars
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from prometheus_client import Counter

from ecosystem.contracts.recovery import FaultKind
from ecosystem.fleet.journal import What
from ecosystem.kernel.db.errors import ConnectionsExhausted
from ecosystem.kernel.http.health import Health, answer
from ecosystem.kernel.http.scraping import Sample, samples
from ecosystem.kernel.registry.instance import Instance
from ecosystem.kernel.telemetry.metrics import METRICS, Metrics
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.services.recovery.model import Sighting
from ecosystem.services.recovery.repository import Recovery
from ecosystem.services.recovery.settings import ServiceSettings
from ecosystem.services.recovery.watching.counters import Counters
from ecosystem.services.recovery.watching.detecting import Detecting
from ecosystem.services.recovery.watching.episodes import Episodes
from tests.kernel.db.fixtures import Platform
from tests.services.recovery.conftest import Watched

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LOOK_SECONDS = 5


@dataclass
class Counting:
    """Instances that count, and the detector that reads them."""

    clock: FrozenClock = field(default_factory=lambda: FrozenClock(NOW))
    instances: list[Instance] = field(default_factory=list)
    metrics: dict[UUID, Metrics] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.direct: Counter
        self.silent = False
        self.detector = Counters(lambda: self.instances, self.scrape, self.clock, ServiceSettings())

    def starts(self, service: str, metrics: Metrics | None = None) -> Metrics:
        """Another instance; it counts on its own, or what this process counts (`metrics`)."""
        instance = Instance(uuid4(), service, "127.0.0.1", 0, 0, 1, 1, "0", "ready", 100, NOW, NOW)
        if metrics is None:
            metrics = Metrics()
            self.direct = Counter(
                "events_delivered_directly_total", "-", ("consumer", "outcome"), registry=metrics.registry
            )
        self.metrics[instance.instance_id] = metrics
        self.instances.append(instance)
        return metrics

    async def scrape(self, instance: Instance, names: Sequence[str]) -> list[Sample] | None:
        if self.silent:
            return None
        health = Health(instance.service, "0", "0", NOW)
        query = "&".join(f"name[]={name}" for name in names)
        text = answer("/metrics", health, self.metrics[instance.instance_id], query).body
        return samples(bytes(text).decode(), names)

    async def looks(self, times: int = 1) -> list[tuple[FaultKind, str, str]]:
        for _ in range(times):
            found = await self.detector.look()
            self.clock.advance(LOOK_SECONDS)
        return [(one.fault, one.component, one.cause) for one in found]


@pytest.fixture
def counting() -> Counting:
    return Counting()


def answers(metrics: Metrics, status: int, times: int) -> None:
    metrics.http_requests_total.labels("GET", "/v1/documents", str(status)).inc(times)


class TestErrorRate:
    async def test_a_service_that_fails_too_often_is_told_at_the_second_look_and_until_it_is_over(
        self, counting: Counting
    ) -> None:
        creditx = counting.starts("creditx-service")
        answers(creditx, 200, 1000)
        await counting.looks()
        answers(creditx, 200, 60)
        answers(creditx, 500, 40)

        assert await counting.looks() == []
        assert await counting.looks() == [
            (
                FaultKind.ERROR_RATE_HIGH,
                "creditx-service",
                "40 of 100 requests failed within 60 s, most with 500 to GET /v1/documents",
            )
        ]
        assert await counting.looks(11) == []

    async def test_what_most_of_them_were_is_named_and_not_who_was_sent_away(self, counting: Counting) -> None:
        creditx = counting.starts("creditx-service")
        await counting.looks()
        answers(creditx, 503, 500)
        creditx.http_requests_refused_total.labels("overloaded", "bulk").inc(500)
        answers(creditx, 500, 10)
        creditx.http_requests_total.labels("GET", "/v1/documents/{document_id}", "502").inc(30)
        (told,) = await counting.looks(2)

        assert told[2] == ("40 of 40 requests failed within 60 s, most with 502 to GET /v1/documents/{document_id}")

    async def test_errors_before_the_first_look_few_errors_and_a_small_share_are_none(self, counting: Counting) -> None:
        old, few, many = counting.starts("events-service"), counting.starts("authn-service"), counting.starts("x")
        answers(old, 500, 1000)
        await counting.looks()
        answers(few, 500, 19)
        answers(many, 500, 200)
        answers(many, 200, 900)

        assert await counting.looks(3) == []

    async def test_who_is_sent_away_under_load_or_breaks_a_rule_is_no_error(self, counting: Counting) -> None:
        creditx = counting.starts("creditx-service")
        await counting.looks()
        answers(creditx, 503, 400)
        answers(creditx, 429, 400)
        answers(creditx, 422, 400)
        creditx.http_requests_refused_total.labels("overloaded", "bulk").inc(400)
        creditx.http_requests_refused_total.labels("company_too_busy", "bulk").inc(400)
        creditx.agent_calls_total.labels("ocr-agent", "read_pages", "scope_missing").inc(100)

        assert await counting.looks(3) == []

    async def test_an_agent_that_fails_stays_told_while_its_callers_leave_it_alone(self, counting: Counting) -> None:
        orchestrator = counting.starts("orchestrator-agent")
        await counting.looks()
        orchestrator.agent_calls_total.labels("ocr-agent", "read_pages", "unavailable").inc(30)
        found = await counting.looks(2)
        assert found == [
            (FaultKind.ERROR_RATE_HIGH, "ocr-agent", "30 of 30 calls failed within 60 s, most with unavailable")
        ]

        for _ in range(20):
            orchestrator.calls_not_permitted_total.labels("orchestrator-agent -> ocr-agent", "call_not_permitted").inc(
                5
            )
            found = await counting.looks()
        assert [one[:2] for one in found] == [(FaultKind.ERROR_RATE_HIGH, "ocr-agent")]
        assert await counting.looks(12) == []

    async def test_breakers_alone_and_a_process_that_is_gone_tell_nothing(self, counting: Counting) -> None:
        orchestrator = counting.starts("orchestrator-agent")
        await counting.looks()
        orchestrator.calls_not_permitted_total.labels("a -> ocr-agent", "call_not_permitted").inc(500)
        assert await counting.looks(2) == []

        counting.instances.clear()
        answers(counting.starts("orchestrator-agent"), 500, 500)
        assert await counting.looks(2) == []


class TestPools:
    async def test_a_process_whose_connections_are_all_in_use_is_told(
        self, counting: Counting, platform: Platform
    ) -> None:
        counting.starts("creditx-service", METRICS)
        await counting.looks()
        database = platform.database("recovery", pool_size=1, pool_wait_seconds=0.01)

        async def hold() -> None:
            await database.driver()
            for _ in range(5):
                with pytest.raises(ConnectionsExhausted):
                    await asyncio.create_task(database.ping(), context=contextvars.Context())

        await database.read(hold)

        assert await counting.looks() == [
            (FaultKind.POOL_EXHAUSTED, "creditx-service",
             "5 units of work found all connections of its processes in use")
        ]  # fmt: skip
        assert await counting.looks(12) == []

    async def test_a_bulkhead_that_is_full_is_told_by_its_route(self, counting: Counting) -> None:
        refused = counting.starts("orchestrator-agent").calls_not_permitted_total
        await counting.looks()
        refused.labels("orchestrator-agent -> ocr-agent", "bulkhead_full").inc(4)
        assert await counting.looks() == []

        refused.labels("orchestrator-agent -> ocr-agent", "bulkhead_full").inc(4)
        (told,) = await counting.looks()
        assert told[:2] == (FaultKind.POOL_EXHAUSTED, "route:orchestrator-agent -> ocr-agent")


class TestLog:
    async def test_events_that_go_around_it_tell_that_it_is_late(self, counting: Counting) -> None:
        counting.starts("creditx-service")
        await counting.looks()
        counting.direct.labels("orchestrator-runs", "handled").inc(3)
        counting.direct.labels("monitoring-incidents", "not_now").inc()

        assert await counting.looks() == []
        assert await counting.looks() == [
            (FaultKind.LOG_LATE, "event-log",
             "events were brought past it by direct call, to monitoring-incidents, orchestrator-runs")
        ]  # fmt: skip

    async def test_an_agent_that_cannot_be_reached_is_no_fault_of_the_log(self, counting: Counting) -> None:
        counting.starts("creditx-service")
        await counting.looks()
        counting.direct.labels("orchestrator-runs", "unavailable").inc(30)

        assert await counting.looks(3) == []


class TestEpisodes:
    """What was counted becomes an episode, unless another fault is its cause."""

    @pytest.mark.parametrize(
        ("fault", "component", "runbook"),
        [
            (FaultKind.ERROR_RATE_HIGH, "creditx-service", "high_error_rate"),
            (FaultKind.LOG_LATE, "event-log", "high_error_rate"),
            (FaultKind.POOL_EXHAUSTED, "creditx-service", "database_connection_failures"),
        ],
    )
    async def test_each_has_its_page_and_ends_when_it_is_seen_no_more(
        self, watched: Watched, fault: FaultKind, component: str, runbook: str
    ) -> None:
        seen = Sighting(fault, component, "it is wrong", watched.clock.now())
        detecting = detecting_with(watched, [[seen], []], fault)
        await detecting.look()
        (observed,) = watched.told("fault_observed")
        await detecting.look()

        assert (observed["fault"], observed["component"], observed["runbook"]) == (fault, component, runbook)
        assert watched.story() == ["fault_observed", "fault_cleared"]

    @pytest.mark.parametrize("fault", [FaultKind.ERROR_RATE_HIGH, FaultKind.LOG_LATE])
    async def test_what_follows_from_a_death_has_none_of_its_own(self, watched: Watched, fault: FaultKind) -> None:
        watched.happens("postgresql", What.ENDED, reason="ended by SIGKILL")
        await watched.follow()
        seen = Sighting(fault, "creditx-service", "it is wrong", watched.clock.now())
        await detecting_with(watched, [[seen]], fault).look()

        assert [one["fault"] for one in watched.told("fault_observed")] == ["engine_dead"]

    async def test_the_servers_own_count_of_connections_is_a_cause(self, watched: Watched) -> None:
        watched.happens("postgresql", What.ENDED, reason="ended by SIGKILL")
        await watched.follow()
        seen = Sighting(FaultKind.POOL_EXHAUSTED, "postgresql", "100 of 100", watched.clock.now())
        await detecting_with(watched, [[seen]], FaultKind.POOL_EXHAUSTED).look()

        assert [one["fault"] for one in watched.told("fault_observed")] == ["engine_dead", "pool_exhausted"]


def detecting_with(watched: Watched, looks: list[list[Sighting]], fault: FaultKind) -> Detecting:
    """Looks at nothing but what is given, one after the other."""

    class Given:
        faults = frozenset({fault})

        async def look(self) -> list[Sighting]:
            return looks.pop(0)

    kernel = watched.agent.kernel
    recovery = Recovery(kernel.database)
    return Detecting(kernel.database, recovery, Episodes(recovery, kernel.outbox), [Given()], watched.clock)
