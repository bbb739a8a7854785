"""Goal: a document's run comes to its end once, whatever fails. Method: use cases and worker on a real database."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from ecosystem.contracts.creditx import DocumentCreated
from ecosystem.kernel import context
from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.services.orchestrator.consumers import consumers
from ecosystem.workflow.errors import InputRefused
from tests.services.orchestrator.harness import ANSWERS, BROKEN, COMPANY, FIVE, INGESTION, Harness, failing, killed_at
from tests.support.poll import eventually

HOSTILE: list[tuple[dict[str, Any], str]] = [
    ({}, "document_id is missing"),
    ({"document_id": "1; drop table runs", "rule_set": "kyc_aml_v2"}, "document_id is not of format uuid"),
    ({"document_id": str(uuid4()), "rule_set": "../../etc"}, "rule_set is not of format name"),
    ({"document_id": str(uuid4()), "rule_set": "x" * 64}, "rule_set has more than 63"),
    ({"document_id": str(uuid4()), "rule_set": "k", "name": "Anna"}, r"1 unknown field\(s\)"),
    ({"document_id": ["${ workflow.id }"], "rule_set": "k"}, "document_id is not of type string"),
]


class TestIngestion:
    async def test_five_calls_lead_through_every_state_back_to_idle(self, flow: Harness) -> None:
        flow.work()
        document_id = uuid4()
        run = await flow.ended(await flow.start(document_id))

        assert (run.status, run.state, run.outcome) == ("completed", "IDLE", "approved")
        assert [turn.state for turn in run.transitions] == [
            "IDLE", "VALIDATING", "DISPATCHING", "EXECUTING", "AGGREGATING", "FINALIZING", "IDLE",
        ]  # fmt: skip
        assert [turn.step for turn in run.transitions[2:]] == ["extract", "check", "store", "publish", None]
        assert [asked.timeout_seconds for asked in flow.agents.asked] == [5, 30, 60, 15, 5]
        assert {asked.company_id for asked in flow.agents.asked} == {COMPANY}
        assert [step.task for step in run.steps] == FIVE
        assert [name for name, _ in flow.events()] == ["workflow_run_completed"]

    async def test_what_is_published_is_what_was_read_judged_and_stored(self, flow: Harness) -> None:
        flow.work()
        document_id = uuid4()
        await flow.ended(await flow.start(document_id))

        assert flow.agents.asked[-1].payload == {
            "event_type": "compliance_document_processed",
            "data": {
                "document_id": str(document_id), "kind": "invoice", "outcome": "approved",
                "compliance_score": "92.50", "rule_set": "kyc_aml_v2", "rule_set_version": 1,
            },
        }  # fmt: skip

    async def test_passing_trouble_is_asked_again_with_the_same_request_id(self, flow: Harness) -> None:
        flow.agents.behave["extract_metadata"] = failing(Unavailable(), times=1)
        flow.work()
        run = await flow.ended(await flow.start())

        asked = [one for one in flow.agents.asked if one.request_type == "extract_metadata"]
        assert [one.attempt for one in asked] == [1, 2]
        assert asked[0].request_id == asked[1].request_id
        assert [(step.task, step.attempt, step.code) for step in run.steps][1:3] == [
            ("extract_metadata", 1, "unavailable"), ("extract_metadata", 2, None),
        ]  # fmt: skip
        assert run.state == "ERROR", "its answer without a kind is refused by the expression that reads it"

    async def test_permanent_failure_is_asked_once_and_fails_the_document(self, flow: Harness) -> None:
        flow.agents.behave["check_compliance"] = failing(BROKEN)
        flow.work()
        run = await flow.ended(await flow.start())

        assert (run.status, run.state, run.code) == ("failed", "ERROR", "rule_set_unknown")
        assert flow.agents.types().count("check_compliance") == 1
        assert "no such rule set" in (run.reason or "")
        assert run.transitions[-1].step == "check"
        assert "rule_set_unknown at /do/0/ingest" in flow.agents.asked[-1].payload["reason"]
        assert [name for name, _ in flow.events()] == ["workflow_run_failed"]
        assert "store_document" not in flow.agents.types()

    async def test_unreadable_document_is_failed_with_its_rule(self, flow: Harness) -> None:
        async def invalid(_: dict[str, Any]) -> dict[str, Any]:
            return {"status": "invalid", "validated": False, "errors": [{"rule": "encrypted_document", "message": ""}]}

        flow.agents.behave["validate_document"] = invalid
        flow.work()
        run = await flow.ended(await flow.start())

        assert (run.code, run.state) == ("document_invalid", "ERROR")
        assert (run.reason or "").startswith("encrypted_document")
        assert flow.agents.types() == ["validate_document", "fail_document"]


class TestRetry:
    async def test_goes_on_after_the_finished_steps(self, flow: Harness) -> None:
        flow.agents.behave["check_compliance"] = failing(BROKEN)
        flow.work()
        run_id = await flow.start()
        await flow.ended(run_id)
        del flow.agents.behave["check_compliance"]
        with context.scope(company_id=COMPANY):
            retried = await flow.service.retry(run_id)
        run = await flow.ended(run_id, "completed")

        assert (retried.status, retried.state, retried.generation) == ("running", "VALIDATING", 1)
        assert flow.agents.types().count("validate_document") == flow.agents.types().count("extract_metadata") == 1
        assert flow.agents.types()[-3:] == ["check_compliance", "store_document", "publish_event"]
        assert [turn.state for turn in run.transitions].count("ERROR") == 1
        assert (run.state, run.outcome, run.reason) == ("IDLE", "approved", None)

    async def test_failing_again_tells_again(self, flow: Harness) -> None:
        flow.agents.behave["check_compliance"] = failing(BROKEN)
        flow.work()
        run_id = await flow.start()
        await flow.ended(run_id)
        with context.scope(company_id=COMPANY):
            await flow.service.retry(run_id)
        run = await flow.ended(run_id)

        assert (run.state, run.generation) == ("ERROR", 1)
        failed = [asked.request_id for asked in flow.agents.asked if asked.request_type == "fail_document"]
        assert len(set(failed)) == len(failed) == 2
        checked = [asked.request_id for asked in flow.agents.asked if asked.request_type == "check_compliance"]
        assert len(set(checked)) == 1
        assert len(checked) == 2


class TestDeath:
    async def test_another_worker_goes_on_after_the_finished_steps(self, flow: Harness) -> None:
        reached, die = asyncio.Event(), asyncio.Event()

        async def hangs(_: dict[str, Any]) -> dict[str, Any]:
            if not die.is_set():
                reached.set()
                await asyncio.Event().wait()
            return dict(ANSWERS["check_compliance"])

        flow.agents.behave["check_compliance"] = hangs
        stop, _ = flow.work()
        run_id = await flow.start()
        await reached.wait()
        during = await flow.in_state(run_id, "EXECUTING")
        die.set()
        stop.set()
        flow.work()
        run = await flow.ended(run_id)

        assert (during.state, during.status) == ("EXECUTING", "running")
        assert (run.status, run.outcome) == ("completed", "approved")
        assert flow.agents.types().count("validate_document") == flow.agents.types().count("extract_metadata") == 1
        checked = [asked.request_id for asked in flow.agents.asked if asked.request_type == "check_compliance"]
        assert len(checked) == 2
        assert len(set(checked)) == 1

    async def test_a_killed_process_is_followed_by_another(self, flow: Harness) -> None:
        run_id = await flow.start()
        await killed_at(flow, "store_document", when=lambda: flow.in_state(run_id, "AGGREGATING"))
        flow.work()
        run = await flow.ended(run_id)

        assert (run.status, run.outcome) == ("completed", "approved")
        assert flow.agents.types() == ["store_document", "publish_event"]
        assert [step.task for step in run.steps] == FIVE
        assert [name for name, _ in flow.events()] == ["workflow_run_completed"]

    async def test_sudden_death_costs_an_attempt_and_nothing_else(self, flow: Harness) -> None:
        reached = asyncio.Event()

        async def hangs(_: dict[str, Any]) -> dict[str, Any]:
            if not reached.is_set():
                reached.set()
                await asyncio.Event().wait()
            return dict(ANSWERS["store_document"])

        flow.agents.behave["store_document"] = hangs
        run_id = await flow.start()
        flow.work()
        await reached.wait()
        await flow.in_state(run_id, "AGGREGATING")
        # As a killed process leaves it: claimed by a worker that nobody is any more.
        flow.platform.rows(
            "update absurd.r_orchestrator set claimed_by = 'orchestrator/dead', claim_expires_at = now()"
        )
        run = await flow.ended(run_id)

        assert run.status == "completed"
        assert flow.agents.types().count("check_compliance") == 1
        assert [turn.state for turn in run.transitions][-2:] == ["FINALIZING", "IDLE"]
        assert [name for name, _ in flow.events()] == ["workflow_run_completed"]


class TestStart:
    async def test_the_same_key_starts_once_also_at_the_same_time(self, flow: Harness) -> None:
        document_id = uuid4()
        runs = await asyncio.gather(*(flow.start(document_id) for _ in range(8)))

        assert len(set(runs)) == 1
        assert flow.platform.rows("select count(*) from orchestrator.runs") == [(1,)]
        assert flow.platform.rows("select count(*) from absurd.t_orchestrator") == [(1,)]

    async def test_a_key_stays_used_when_its_task_is_forgotten(self, flow: Harness) -> None:
        flow.work()
        document_id = uuid4()
        run_id = await flow.start(document_id)
        await flow.ended(run_id)
        flow.platform.rows("delete from absurd.t_orchestrator")

        assert await flow.start(document_id) == run_id
        assert flow.platform.rows("select state from absurd.t_orchestrator") == [("cancelled",)]

    async def test_an_uploaded_document_starts_its_run(self, flow: Harness) -> None:
        consumer: Consumer = consumers(flow.service)[0]
        document_id = uuid4()
        envelope = an_envelope(document_id)

        async def handle() -> None:
            await consumer.handler(DocumentCreated.event_type)(envelope)

        with context.scope(company_id=COMPANY):
            await flow.database.run(handle)
            await flow.database.run(handle)
        flow.work()

        async def ended() -> bool:
            return flow.platform.rows("select status from orchestrator.runs") == [("completed",)]

        assert await eventually(ended)
        assert flow.agents.asked[0].payload == {"document_id": str(document_id)}

    async def test_hostile_input_is_refused_by_field_and_leaves_no_trace(self, flow: Harness) -> None:
        for value, rule in HOSTILE:
            with context.scope(company_id=COMPANY), pytest.raises(InputRefused, match=rule) as refused:
                await flow.service.start(INGESTION, value, "key")
            assert "Anna" not in str(refused.value)

        assert flow.platform.rows("select count(*) from orchestrator.runs") == [(0,)]
        assert flow.platform.rows("select count(*) from absurd.t_orchestrator") == [(0,)]


def an_envelope(document_id: Any) -> Envelope:
    data = {
        "document_id": str(document_id), "media_type": "application/pdf", "size_bytes": 3, "rule_set": "kyc_aml_v2",
        "uploaded_at": "2026-11-24T04:00:00Z",
    }  # fmt: skip
    return Envelope.model_validate({
        "id": uuid4(), "type": "compliance_document_created", "source": "creditx-service",
        "subject": str(document_id), "time": "2026-11-24T04:00:00Z", "company_id": COMPANY, "trace_id": None,
        "user_id": None, "data": data, "slot": 0, "xid": 1, "position": 1,
    })  # fmt: skip
