"""Goal: logging-agent and monitoring-agent answer from what is kept. Method: asked as other agents would ask."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from ecosystem.contracts.monitoring import (
    AuditEntriesFound,
    AuditVerified,
    DescribeHealth,
    DescribeIncident,
    FindAuditEntries,
    HealthDescribed,
    IncidentDescribed,
    VerifyAudit,
)
from ecosystem.kernel import context
from ecosystem.kernel.agent.message import AgentFailed
from ecosystem.kernel.http.scraping import samples
from ecosystem.kernel.registry.instance import Instance
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.monitoring.adapters import InstanceMetrics, counted
from ecosystem.services.monitoring.model import Counted, Seen, health_of, told
from tests.services.monitoring.conftest import GENEVA, ZURICH, cleared, fault, repair, tell

METRICS = b"""# TYPE http_requests_total counter
http_requests_total{method="GET",route="/v1/x",status="200"} 7.0
http_requests_total{method="GET",route="/v1/x",status="503"} 2.0
http_requests_created{method="GET"} 1.0
"""
INSTANCE = Instance(
    UUID(int=5), "creditx-service", "127.0.0.1", 0, 0, 1, 1, "0.1.0", "ready", 100, datetime(2026, 3, 2, tzinfo=UTC),
    datetime(2026, 3, 2, tzinfo=UTC),
)  # fmt: skip


class TestLoggingAgent:
    async def test_it_finds_and_proves_the_trail_of_who_asks(
        self, harness: KernelHarness, monitoring: ServiceHarness
    ) -> None:
        async def deeds() -> None:
            for number in range(3):
                await monitoring.kernel.audit.record("thing_made", f"t-{number}", before=None, after=None)

        with context.scope(company_id=ZURICH, user_id="amy"):
            await monitoring.kernel.database.run(deeds)
        await harness.settle()

        async def ask(company: UUID) -> tuple[AuditEntriesFound, AuditVerified]:
            asked = FindAuditEntries(actor="amy", limit=2)
            who: dict[str, Any] = {"to": "logging-agent", "sender": "orchestrator-agent", "company_id": company}
            found, proof = await harness.call(asked, **who), await harness.call(VerifyAudit(), **who)
            assert isinstance(found, AuditEntriesFound)
            assert isinstance(proof, AuditVerified)
            return found, proof

        found, proof = await ask(ZURICH)
        others, nothing = await ask(GENEVA)

        assert ({one.action for one in found.entries}, len(found.entries), found.more) == ({"thing_made"}, 2, True)
        assert (proof.whole, proof.entries, proof.problems) == (True, 3, ())
        assert (others.entries, nothing.entries) == ((), 0)


class TestMonitoringAgent:
    async def test_it_tells_an_incident_in_sentences(
        self, harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock
    ) -> None:
        episode, now = uuid4(), clock.now()
        await tell(
            monitoring,
            fault(now, episode, companies=(ZURICH,)),
            repair(now, episode),
            cleared(now, episode, by="restart by supervisor"),
        )
        await harness.settle()
        asked = DescribeIncident(incident="1")
        whole = await harness.call(asked, to="monitoring-agent", sender="orchestrator-agent", company_id=None)
        mine = await harness.call(asked, to="monitoring-agent", sender="orchestrator-agent", company_id=ZURICH)

        assert isinstance(whole, IncidentDescribed)
        assert isinstance(mine, IncidentDescribed)
        assert whole.sentences == (
            "Incident 1 (P2): creditx-service: instance dead. Cause: ended by SIGKILL.",
            "It began at 2026-03-02 12:00:00.000Z and was noticed at once; the fault was seen once in 1 episode.",
            "Processes: creditx-1.",
            "It affects 1 company.",
            "It was over at 2026-03-02 12:00:00.000Z, 0.0 s after it began: restart by supervisor.",
            "2026-03-02 12:00:00.000Z: creditx-service: instance dead: ended by SIGKILL.",
            "2026-03-02 12:00:00.000Z: restart_instance: done, attempt 1, 4 left. it was dead",
            "2026-03-02 12:00:00.000Z: The fault was over after 1.5 s: restart by supervisor.",
            "2026-03-02 12:00:00.000Z: It is over: every fault was cleared.",
        )
        # What a company may know ends with the time: who or what repaired it is the platform's.
        over = whole.sentences[4].replace(": restart by supervisor", "")
        assert mine.sentences == (*whole.sentences[:2], whole.sentences[3], over)
        for company, named in ((GENEVA, "1"), (None, "2"), (None, "9" * 40), (None, "nonsense")):
            with pytest.raises(AgentFailed, match="no incident"):
                await harness.call(
                    DescribeIncident(incident=named), to="monitoring-agent", sender="orchestrator-agent",
                    company_id=company,
                )  # fmt: skip

    async def test_it_says_what_is_missing(self, harness: KernelHarness, monitoring: ServiceHarness) -> None:
        found = await harness.call(
            DescribeHealth(service="creditx-service"), to="monitoring-agent", sender="orchestrator-agent",
            company_id=None,
        )  # fmt: skip

        assert isinstance(found, HealthDescribed)
        assert not found.healthy
        assert found.sentences[0] == "creditx-service: 0 of 0 ready; no instance is in the registry."
        with pytest.raises(AgentFailed, match="operators"):
            await harness.call(DescribeHealth(), to="monitoring-agent", sender="orchestrator-agent", company_id=ZURICH)


class TestMetrics:
    def test_requests_and_errors_are_counted(self) -> None:
        assert counted(samples(METRICS.decode(), ("http_requests_total",))) == Counted(9.0, 2.0)

    def test_a_service_is_well_when_all_of_it_answers(self) -> None:
        well = health_of("x", [Seen("x", "ready", "", Counted(9, 2)), Seen("y", "unready", "no cache", None)])
        ill = health_of("y", [Seen("y", "unready", "no cache", None), Seen("y", "ready", "", Counted(1, 0))])

        assert (well.well, well.counted, ill.well) == (True, Counted(9, 2), False)
        assert told([well, ill], {"P1": 1, "P2": 0}) == (
            "y: 1 of 2 ready; no cache; /metrics did not answer.",
            "Well: 1 of 2 services.",
            "Since they began they answered 10 requests, 2 of them with an error.",
            "Open incidents: 1 of P1.",
        )

    @pytest.fixture
    async def answering(self, request: pytest.FixtureRequest) -> AsyncIterator[Instance]:
        """An instance whose plain port gives this answer."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(request.param)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            yield replace(INSTANCE, plain_port=server.sockets[0].getsockname()[1])

    @pytest.mark.parametrize(
        ("answering", "expected"),
        [
            (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + METRICS, Counted(9.0, 2.0)),
            (b"HTTP/1.1 503 No\r\nconnection: close\r\n\r\n", None),
            (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b"x" * 10_000_000, None),
            (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhttp_requests_total{broken 1", None),
            (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\xff\xfe", None),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\nconnection: close\r\n\r\n" + METRICS, None),
            (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + METRICS, None),
            (b"", None),
            (b"nonsense", None),
        ],
        indirect=["answering"],
    )
    async def test_whatever_answers_is_read_within_bounds(self, answering: Instance, expected: Counted | None) -> None:
        assert await InstanceMetrics().counted(answering) == expected

    async def test_nobody_there_is_no_failure(self) -> None:
        assert await InstanceMetrics().counted(INSTANCE) is None
