"""Goal: the story of a run is what is recorded, told to its company alone. Method: use cases on a real database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from ecosystem.contracts.creditx import DocumentCreated
from ecosystem.contracts.index import AGENTS
from ecosystem.contracts.recovery import (
    FaultCleared,
    FaultKind,
    FaultObserved,
    HelpNeeded,
    RepairOutcome,
    RepairRecorded,
)
from ecosystem.kernel import context
from ecosystem.kernel.errors import Severity, Unavailable
from ecosystem.kernel.messaging.event import Event
from ecosystem.kernel.messaging.log import EventLog
from ecosystem.kernel.messaging.outbox import Outbox
from ecosystem.services.orchestrator.errors import RunUnknown
from ecosystem.services.orchestrator.explaining.repository import Stories
from ecosystem.services.orchestrator.explaining.service import Story, StoryService
from tests.services.orchestrator.harness import BROKEN, COMPANY, OTHER, Harness, failing, killed_at
from tests.support.poll import eventually


async def readable(flow: Harness) -> bool:
    """Whether no transaction, of whatever database of the server, holds the readers of the log back any more."""
    late = "select 1 from kernel.log where xid >= pg_snapshot_xmin(pg_current_snapshot()) limit 1"
    return not flow.platform.rows(late)


async def story(flow: Harness, item_id: UUID, company: UUID = COMPANY) -> Story:
    service = StoryService(flow.database, Stories(flow.database), flow.service, EventLog(flow.database), dict(AGENTS))
    await eventually(lambda: readable(flow))
    with context.scope(company_id=company):
        return await service.tell(item_id)


async def sentences(flow: Harness, item_id: UUID) -> list[str]:
    return [moment.sentence for moment in (await story(flow, item_id)).moments]


async def published(flow: Harness, source: str, events: Sequence[Event], company: UUID | None = COMPANY) -> None:
    outbox = Outbox(flow.database, source=source)

    async def work() -> None:
        for event in events:
            await outbox.add(event)

    with context.scope(company_id=company):
        await flow.database.run(work)


def created(document_id: UUID) -> DocumentCreated:
    return DocumentCreated(
        document_id=document_id, media_type="application/pdf", size_bytes=4711, rule_set="kyc_aml_v2",
        uploaded_at=datetime.now(UTC),
    )  # fmt: skip


def an_episode(component: str, **changes: Any) -> list[Event]:
    """A fault that was seen a moment ago, repaired and over."""
    id_, now = uuid4(), datetime.now(UTC)
    seen: dict[str, Any] = {
        "episode_id": id_, "fault": FaultKind.INSTANCE_DEAD, "component": component, "instance": "creditx-1",
        "cause": "ended by SIGKILL", "severity": Severity.MEDIUM, "observed_at": now,
    }  # fmt: skip
    repaired = RepairRecorded(
        episode_id=id_, action_id=uuid4(), action="restart", outcome=RepairOutcome.DONE, reason="creditx-1 is ready",
        by="supervisor", attempt=1, budget_left=9, at=now + timedelta(milliseconds=1),
    )  # fmt: skip
    over = FaultCleared(episode_id=id_, cleared_at=now + timedelta(milliseconds=2), by_itself=True, repair_seconds=0.4)
    return [FaultObserved(**seen | changes), repaired, HelpNeeded(episode_id=id_, reason="r"), over]


class TestStory:
    async def test_a_document_is_told_from_its_upload_to_its_outcome(self, flow: Harness) -> None:
        document_id = uuid4()
        await published(flow, "creditx-service", [created(document_id)])
        run_id = await flow.start(document_id)
        flow.work()
        await flow.ended(run_id)
        told = await story(flow, document_id)
        text = [moment.sentence for moment in told.moments]

        assert text[0].startswith(f"creditx-service took document {document_id}: application/pdf, 4711 bytes")
        assert text[1] == f"Run {run_id} of compliance_document_ingestion, version 1.1.0, was started."
        assert any(one.startswith("Step extract, attempt 1: metadata-extraction-agent was asked to") for one in text)
        assert "The run ended and is in IDLE: approved." in text
        assert f"Run {run_id} was announced as completed." in text
        assert [moment.at for moment in told.moments] == sorted(moment.at for moment in told.moments)
        assert told.is_whole
        assert (await story(flow, run_id)).moments == told.moments

    async def test_faults_waits_and_attempts_of_a_step_are_told(self, flow: Harness) -> None:
        flow.agents.behave["store_document"] = failing(Unavailable(), times=1)
        run_id = await flow.start()
        flow.work()
        await flow.ended(run_id)
        text = await sentences(flow, run_id)

        assert any("storage-agent was asked to store_document and failed with unavailable" in one for one in text)
        assert any(one.startswith("The run went to sleep until") and "another attempt" in one for one in text)
        assert any(one.startswith("Step store, attempt 2: storage-agent") for one in text)

    async def test_the_death_of_a_worker_and_its_successor_are_told(self, flow: Harness) -> None:
        run_id = await flow.start()
        await killed_at(flow, "store_document")
        flow.work()
        await flow.ended(run_id)
        text = await sentences(flow, run_id)

        workers = [one for one in text if one.startswith("Worker ")]
        assert [one.rpartition(", ")[2] for one in workers] == ["in attempt 1.", "in attempt 2."]
        assert "The run broke off in attempt 1, with worker_died." in text

    async def test_who_retried_and_what_followed_a_cancellation_are_told(self, flow: Harness) -> None:
        flow.agents.behave["check_compliance"] = failing(BROKEN)
        flow.work()
        run_id = await flow.start()
        await flow.ended(run_id)
        with context.scope(company_id=COMPANY, user_id="client-7"):
            await flow.service.retry(run_id)
        await flow.ended(run_id, "failed")
        text = await sentences(flow, run_id)

        assert "The audit trail says: run retried, by client-7." in text
        assert f"Run {run_id} was announced as failed, with rule_set_unknown." in text
        assert sum("went to ERROR at step check" in one for one in text) == 2

    async def test_a_run_that_followed_belongs_to_the_story(self, flow: Harness) -> None:
        run_id = await flow.start()
        with context.scope(company_id=COMPANY):
            await flow.service.cancel(run_id)
        told = await story(flow, run_id)

        assert len(told.runs) == 2
        assert told.runs[1].workflow == "compliance_document_withdrawal"

    @pytest.mark.parametrize(
        ("component", "changes", "is_told"),
        [
            ("creditx-service", {}, True),
            ("gateway-service", {}, False),
            ("creditx-service", {"companies": (OTHER,)}, False),
            ("postgresql", {"companies": (COMPANY,)}, True),
        ],
    )
    async def test_only_faults_of_what_the_run_needs_are_told(
        self, flow: Harness, component: str, changes: dict[str, Any], is_told: bool
    ) -> None:
        run_id = await flow.start()
        await published(flow, "recovery-agent", an_episode(component, **changes), company=None)
        text = [one for one in await sentences(flow, run_id) if "instance_dead" in one]

        expected = [
            f"Meanwhile a fault was seen, instance_dead of {component} (creditx-1): ended by SIGKILL.",
            f"Repair restart for instance_dead of {component}, attempt 1: done, by the supervisor.",
            f"The fault instance_dead of {component} was over after 0.4 s.",
            f"A person was called for instance_dead of {component}.",
        ]
        assert sorted(text) == (sorted(expected) if is_told else [])

    @pytest.mark.parametrize(("companies", "told"), [((), "."), ((COMPANY,), ": session 7 (second, role eco_x).")])
    async def test_a_company_is_told_no_cause_that_names_what_others_do(
        self, flow: Harness, companies: tuple[UUID, ...], told: str
    ) -> None:
        run_id = await flow.start()
        seen = an_episode(
            "postgresql", fault=FaultKind.HORIZON_HELD, instance=None, cause="session 7 (second, role eco_x)",
            companies=companies,
        )  # fmt: skip
        await published(flow, "recovery-agent", seen, company=None)

        said = [one for one in await sentences(flow, run_id) if "Meanwhile" in one]
        assert said == [f"Meanwhile a fault was seen, horizon_held of postgresql{told}"]

    async def test_what_was_over_before_is_not_told(self, flow: Harness) -> None:
        past = datetime.now(UTC) - timedelta(minutes=1)
        seen, *_, over = an_episode("creditx-service", observed_at=past)
        over = over.model_copy(update={"cleared_at": past})
        await published(flow, "recovery-agent", [seen, over], company=None)
        run_id = await flow.start()

        assert not [one for one in await sentences(flow, run_id) if "instance_dead" in one]

    async def test_another_company_is_told_nothing(self, flow: Harness) -> None:
        document_id = uuid4()
        await published(flow, "creditx-service", [created(document_id)])
        run_id = await flow.start(document_id)

        for item_id in (run_id, document_id, uuid4()):
            with pytest.raises(RunUnknown):
                await story(flow, item_id, OTHER)
