"""Goal: runs can be steered, and definitions cannot hurt them. Method: small definitions on the real service."""

import asyncio
from typing import Any

import pytest

from ecosystem.contracts.index import AGENTS
from ecosystem.contracts.orchestrator import RunState
from ecosystem.kernel import context
from ecosystem.kernel.durable.task import TaskContext
from ecosystem.kernel.errors import Unavailable
from ecosystem.services.orchestrator.adapters import shipped
from ecosystem.services.orchestrator.errors import (
    DefinitionChanged,
    DefinitionUnfit,
    RunEnded,
    RunForgotten,
    RunNotFailed,
    RunUnknown,
    WorkflowUnknown,
)
from ecosystem.services.orchestrator.model import ALLOWED, sources, unfit
from tests.kernel.db.fixtures import Platform
from tests.services.orchestrator.definitions import ENDLESS, FORK, PAIR, SHORT, a_definition, call
from tests.services.orchestrator.harness import ANSWERS, BROKEN, COMPANY, FIVE, OTHER, Harness, a_harness, failing
from tests.support.poll import PATIENCE_SECONDS


class TestHistory:
    async def test_a_commit_that_nobody_heard_of_is_repeated_and_no_step_stands_there_twice(
        self, flow: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep, unheard = TaskContext.keep, list[str]()

        async def heard_the_second_time(task: TaskContext, results: Any, work: Any) -> None:
            await keep(task, results, work)
            if len(unheard) < 3 and results:
                unheard.append("the answer was lost")
                raise Unavailable

        monkeypatch.setattr(TaskContext, "keep", heard_the_second_time)
        flow.work()
        run = await flow.ended(await flow.start())

        assert (run.status, len(unheard)) == ("completed", 3)
        assert [step.task for step in run.steps] == FIVE


class TestGivenUp:
    async def test_a_run_without_attempts_left_hands_its_document_to_a_person(
        self, flow: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ecosystem.services.orchestrator.service.RUN_ATTEMPTS_MAX", 2)
        flow.agents.behave["extract_metadata"] = failing(RuntimeError("no error that a definition could catch"))
        flow.work()
        run = await flow.ended(await flow.start())
        with context.scope(company_id=COMPANY):
            following = (await flow.service.page(None, "compliance_document_withdrawal", None, 1))[0]

        assert (run.status, run.state) == ("failed", "ERROR")
        assert (await flow.ended(following.run_id)).outcome == "withdrawn"
        assert flow.agents.asked[-1].payload == {
            "document_id": flow.agents.asked[0].payload["document_id"], "reason": run.code,
        }  # fmt: skip

    async def test_a_run_whose_follower_this_version_does_not_have_ends_all_the_same(
        self, flow: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ecosystem.services.orchestrator.service.RUN_ATTEMPTS_MAX", 1)
        flow.agents.behave["extract_metadata"] = failing(RuntimeError("no error that a definition could catch"))
        failing_run, cancelled = await flow.start(), await flow.start()
        monkeypatch.delitem(flow.service._newest, "compliance_document_withdrawal")
        with context.scope(company_id=COMPANY):
            assert (await flow.service.cancel(cancelled)).status == "cancelled"
        flow.work()

        assert (await flow.ended(failing_run)).state == "ERROR"
        with context.scope(company_id=COMPANY):
            assert await flow.service.page(None, "compliance_document_withdrawal", None, 1) == []


class TestCancel:
    async def test_a_running_call_is_given_up_and_nothing_follows(self, flow: Harness) -> None:
        reached, given_up = asyncio.Event(), asyncio.Event()

        async def hangs(_: dict[str, Any]) -> dict[str, Any]:
            reached.set()
            try:
                await asyncio.Event().wait()
            finally:
                given_up.set()
            return {}

        flow.agents.behave["extract_metadata"] = hangs
        flow.work()
        run_id = await flow.start()
        await reached.wait()
        with context.scope(company_id=COMPANY):
            cancelled = await flow.service.cancel(run_id)
        await asyncio.wait_for(given_up.wait(), PATIENCE_SECONDS)

        assert (cancelled.status, cancelled.state, cancelled.outcome) == ("cancelled", "IDLE", "cancelled")
        with context.scope(company_id=COMPANY):
            following = (await flow.service.page(None, "compliance_document_withdrawal", None, 1))[0]
        assert (await flow.ended(following.run_id)).outcome == "withdrawn"
        assert flow.agents.types() == ["validate_document", "extract_metadata", "fail_document"]
        assert flow.agents.asked[-1].payload["document_id"] == flow.agents.asked[0].payload["document_id"]
        assert [name for name, _ in flow.events()] == [
            "audit_recorded",
            "workflow_run_cancelled",
            "workflow_run_completed",
        ]

    @pytest.mark.parametrize("last", ["extract_metadata", "publish_event"])
    async def test_an_answer_that_comes_after_the_cancellation_changes_nothing(self, flow: Harness, last: str) -> None:
        async def cancelled_meanwhile(_: dict[str, Any]) -> dict[str, Any]:
            await flow.service.cancel(run_id)
            return dict(ANSWERS[last])

        flow.agents.behave[last] = cancelled_meanwhile
        run_id = await flow.start()
        flow.work()
        await flow.ended(run_id)
        with context.scope(company_id=COMPANY):
            following = (await flow.service.page(None, "compliance_document_withdrawal", None, 1))[0]
        await flow.ended(following.run_id)
        run = await flow.show(run_id)

        assert (run.status, run.outcome) == ("cancelled", "cancelled")
        assert [data["run_id"] for name, data in flow.events() if name == "workflow_run_completed"] == [
            str(following.run_id)
        ]
        assert last not in [step.task for step in run.steps]

    async def test_ended_runs_are_neither_cancelled_nor_retried(self, flow: Harness) -> None:
        flow.work()
        run = await flow.ended(await flow.start())
        with context.scope(company_id=COMPANY):
            with pytest.raises(RunEnded):
                await flow.service.cancel(run.run_id)
            with pytest.raises(RunNotFailed):
                await flow.service.retry(run.run_id)

        assert await flow.show(run.run_id) == run

    async def test_a_run_in_error_can_be_given_up(self, flow: Harness) -> None:
        flow.agents.behave["validate_document"] = failing(BROKEN)
        flow.work()
        run = await flow.ended(await flow.start())
        with context.scope(company_id=COMPANY):
            cancelled = await flow.service.cancel(run.run_id)

        assert (run.state, cancelled.state, cancelled.status) == ("ERROR", "IDLE", "cancelled")
        assert flow.platform.rows("select count(*) from orchestrator.runs") == [(1,)]

    async def test_a_run_whose_steps_are_forgotten_is_given_up_not_retried(self, flow: Harness) -> None:
        flow.agents.behave["validate_document"] = failing(BROKEN)
        flow.work()
        run = await flow.ended(await flow.start())
        flow.platform.rows("delete from absurd.t_orchestrator")
        with context.scope(company_id=COMPANY):
            with pytest.raises(RunForgotten):
                await flow.service.retry(run.run_id)
            assert (await flow.service.cancel(run.run_id)).status == "cancelled"


class TestFence:
    async def test_another_company_finds_nothing(self, flow: Harness) -> None:
        run_id = await flow.start()
        with context.scope(company_id=OTHER):
            for ask in (flow.service.show, flow.service.cancel, flow.service.retry):
                with pytest.raises(RunUnknown):
                    await ask(run_id)
            assert await flow.service.page(None, None, None, 10) == []

        assert (await flow.show(run_id)).status == "running"

    async def test_pages_are_newest_first_and_filtered(self, flow: Harness) -> None:
        runs = [await flow.start() for _ in range(5)]
        with context.scope(company_id=COMPANY):
            first = await flow.service.page(None, None, None, 2)
            after = (first[-1].created_at.isoformat(), str(first[-1].run_id))
            rest = await flow.service.page(RunState.VALIDATING, "compliance_document_ingestion", after, 10)
            none = await flow.service.page(RunState.ERROR, None, None, 10)

        assert [run.run_id for run in (*first, *rest)] == runs[::-1]
        assert none == []


class TestDefinitions:
    async def test_fork_joins_in_the_order_of_the_text(self, platform: Platform) -> None:
        async with a_harness(platform, [FORK]) as flow:
            flow.agents.behave["validate_document"] = trouble(ANSWERS["validate_document"], times=2)
            flow.agents.behave["extract_metadata"] = trouble(ANSWERS["extract_metadata"], times=2)
            flow.work()
            run = await flow.ended(await flow.begin("fork", {}))

            assert (run.status, run.outcome) == ("completed", "joined")
            parts = [ANSWERS[name] for name in ("validate_document", "extract_metadata", "store_document")]
            assert run.output["parts"] == parts
            asked = flow.agents.types()
            assert {name: asked.count(name) for name in asked} == {
                "validate_document": 3, "extract_metadata": 3, "check_compliance": 1, "store_document": 1,
            }  # fmt: skip

    async def test_a_branch_that_fails_fails_the_fork_when_the_others_have_ended(self, platform: Platform) -> None:
        async with a_harness(platform, [FORK]) as flow:
            flow.agents.behave["validate_document"] = failing(BROKEN)
            flow.work()
            run = await flow.ended(await flow.begin("fork", {}))

            assert (run.status, run.code) == ("failed", "rule_set_unknown")
            assert {step.task for step in run.steps if step.code is None} == {
                "extract_metadata", "check_compliance", "store_document",
            }  # fmt: skip

    async def test_uncaught_failure_stays_in_error_until_retried(self, platform: Platform) -> None:
        async with a_harness(platform, [PAIR]) as flow:
            flow.agents.behave["extract_metadata"] = trouble(ANSWERS["extract_metadata"], times=1)
            flow.work()
            run = await flow.ended(await flow.begin("pair", {}))
            with context.scope(company_id=COMPANY):
                await flow.service.retry(run.run_id)
            done = await flow.ended(run.run_id, "completed")

            assert (run.state, run.code) == ("ERROR", "unavailable")
            assert flow.agents.types() == [
                "validate_document", "extract_metadata", "extract_metadata", "store_document",
            ]  # fmt: skip
            assert [turn.state for turn in done.transitions] == [
                "IDLE", "VALIDATING", "EXECUTING", "ERROR", "VALIDATING", "EXECUTING", "FINALIZING", "IDLE",
            ]  # fmt: skip

    async def test_the_workflows_own_time_cannot_be_caught(self, platform: Platform) -> None:
        async with a_harness(platform, [SHORT]) as flow:
            flow.work()
            run = await flow.ended(await flow.begin("short", {}))

            assert (run.state, run.code, flow.agents.asked) == ("ERROR", "workflow_timeout", [])

    async def test_a_loop_without_end_ends(self, platform: Platform) -> None:
        async with a_harness(platform, [ENDLESS]) as flow:
            flow.work()
            run = await flow.ended(await flow.begin("endless", {}))

            assert (run.state, run.code) == ("ERROR", "run_too_long")

    async def test_unknown_workflow_is_refused(self, flow: Harness) -> None:
        with pytest.raises(WorkflowUnknown):
            await flow.begin("no_such_thing", {})

    async def test_a_used_text_stays_as_it_is(self, platform: Platform) -> None:
        changed = a_definition("pair", f"do:\n- only:\n{call('validate_document')}\n")
        async with a_harness(platform, [PAIR]):
            pass
        async with a_harness(platform, [changed]) as flow:
            await flow.begin("pair", {})
        with pytest.raises(DefinitionChanged, match=r"pair 1\.0\.0"):
            async with a_harness(platform, [PAIR]):
                pass
        newer = a_definition("pair", f"do:\n- other:\n{call('validate_document')}\n", version="1.1.0")
        async with a_harness(platform, [changed, newer]) as flow:
            assert [one.version for one in flow.service.workflows() if one.workflow == "pair"] == ["1.1.0"]

    async def test_a_run_keeps_the_text_it_began_with(self, platform: Platform) -> None:
        async with a_harness(platform, [PAIR]) as flow:
            run_id = await flow.begin("pair", {})
        newer = a_definition("pair", f"do:\n- only:\n{call('validate_document')}\n", version="2.0.0")
        async with a_harness(platform, [newer]) as flow:
            flow.work()
            run = await flow.ended(run_id)

            assert (run.version, run.status, len(run.steps)) == ("1.0.0", "completed", 3)

    async def test_a_poisoned_text_fails_its_run_only(self, platform: Platform) -> None:
        async with a_harness(platform, [PAIR]) as flow:
            poisoned, healthy = await flow.begin("pair", {}), await flow.start()
        platform.rows("update orchestrator.definitions set body = 'do: [' where workflow = 'pair'")
        async with a_harness(platform) as flow:
            flow.work()
            run, other = await flow.ended(poisoned), await flow.ended(healthy)

            assert (run.state, run.code, other.status) == ("ERROR", "definition_refused", "completed")
            with context.scope(company_id=COMPANY):
                assert (await flow.service.cancel(poisoned)).status == "cancelled"

    def test_what_no_agent_could_do_is_refused_with_its_line(self) -> None:
        body = "do:\n" + "".join(f"- {name}:\n{lines}\n" for name, lines in {
            "a": call("validate_document", "nobody"), "b": call("approve_everything"),
            "c": call("validate_document", timeout="PT1M"), "d": call("start_run", "orchestrator-agent"),
            "e": call("validate_document") + "\n    metadata: {state: ERROR}",
        }.items())  # fmt: skip
        problems = unfit(a_definition("unfit", body), dict(AGENTS), "orchestrator-agent")

        assert [problem.split(": ", 1)[1].split(" ")[0] for problem in problems] == [
            "there", "validation-agent", "validation-agent", "orchestrator-agent", "`metadata.state`",
        ]  # fmt: skip
        assert all(problem.startswith("line ") for problem in problems)

    async def test_service_does_not_start_with_an_unfit_definition(self, platform: Platform) -> None:
        unfitting = a_definition("unfit", f"do:\n- a:\n{call('validate_document', 'nobody')}\n")
        with pytest.raises(DefinitionUnfit, match="there is no agent nobody"):
            async with a_harness(platform, [unfitting]):
                pass

    def test_shipped_definitions_fit_the_agents(self) -> None:
        assert [unfit(definition, dict(AGENTS), "orchestrator-agent") for definition in shipped()] == [[], []]


class TestStates:
    def test_every_state_can_be_left_and_none_is_left_for_itself(self) -> None:
        assert set(ALLOWED) == set(RunState)
        assert all(targets and state not in targets for state, targets in ALLOWED.items())

    def test_error_is_reached_by_work_and_left_by_a_person(self) -> None:
        assert set(sources(RunState.ERROR)) == {
            "VALIDATING", "DISPATCHING", "EXECUTING", "AGGREGATING", "FINALIZING",
        }  # fmt: skip
        assert ALLOWED[RunState.ERROR] == {RunState.VALIDATING, RunState.IDLE}


def trouble(answer: dict[str, Any], *, times: int) -> Any:
    left = [times]

    async def behaviour(_: dict[str, Any]) -> dict[str, Any]:
        left[0] -= 1
        if left[0] >= 0:
            raise Unavailable
        return dict(answer)

    return behaviour
