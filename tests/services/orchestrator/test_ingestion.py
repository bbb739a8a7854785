"""Goal: a document's run comes to its end once, whatever fails. Method: real use cases and worker on a real database."""

from uuid import uuid4

from tests.services.orchestrator.harness import ANSWERS, COMPANY, Harness


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
        assert [step.task for step in run.steps] == list(ANSWERS)[:5]
        assert [name for name, _ in flow.events()] == ["workflow_run_completed"]
