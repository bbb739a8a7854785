"""Goal: calls to an agent that is away wait, in order, and are answered once. Method: real runs, a real database and
cache, an agent that comes back when the test says so.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest

from ecosystem.contracts.index import AGENTS
from ecosystem.kernel import context
from ecosystem.kernel.agent.message import NoInstance
from ecosystem.kernel.agent.waiting import Place
from ecosystem.kernel.caching.cache import Cache
from ecosystem.kernel.caching.settings import CacheSettings
from ecosystem.kernel.errors import EcosystemError, Unavailable
from ecosystem.kernel.messaging.log import EventLog
from ecosystem.kernel.telemetry.metrics import METRICS
from ecosystem.services.orchestrator.errors import RunUnknown
from ecosystem.services.orchestrator.explaining.repository import Stories
from ecosystem.services.orchestrator.explaining.service import StoryService
from tests.kernel.db.fixtures import Platform
from tests.services.orchestrator.definitions import FORK, a_definition, call
from tests.services.orchestrator.harness import (
    ANSWERS,
    BROKEN,
    COMPANY,
    FIVE,
    OTHER,
    Harness,
    a_harness,
    a_scan,
    failing,
)
from tests.support.engines import CacheEngine
from tests.support.poll import PATIENCE_SECONDS, eventually
from tests.tidy.tree import ROOT

KEY = "calls:-:waiting"
BRIEF = a_definition("brief", f"timeout: {{after: {{seconds: 2}}}}\ndo:\n- first:\n{call('validate_document')}\n")

SPLIT = a_definition(
    "split",
    "timeout: {after: {seconds: 2}}\ndo:\n- both:\n    fork:\n      branches:\n"
    f"      - left:\n{call('validate_document', indent=10)}\n"
    f"      - right:\n{call('extract_metadata', 'metadata-extraction-agent', indent=10)}\n",
)


def nobody() -> NoInstance:
    """A refusal after which a run does not sleep for a second."""
    refusal = NoInstance()
    refusal.retry_after_seconds = 0.0  # type: ignore[misc]
    return refusal


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """After one refusal a question goes into the queue, and nobody sleeps for long between attempts."""
    monkeypatch.setattr("ecosystem.workflow.run.REFUSALS_MAX", 1)
    monkeypatch.setattr("ecosystem.workflow.run.random", SimpleNamespace(uniform=lambda least, _: least))
    monkeypatch.setattr("ecosystem.workflow.evaluate.BACKOFF_SECONDS_MAX", 0.05)
    monkeypatch.setattr("ecosystem.kernel.agent.redelivery._BUSY_SECONDS", 0.1)


class Away:
    """An agent that is away until `back()`: each of its calls is refused, or fails, before."""

    def __init__(self, flow: Harness, request_type: str, error: EcosystemError | None = None) -> None:
        self._flow, self._request_type = flow, request_type
        self._error, self.is_away = error or nobody(), True
        flow.agents.behave[request_type] = self._answer

    async def _answer(self, _: dict[str, Any]) -> Any:
        if self.is_away:
            raise self._error
        return ANSWERS[self._request_type]

    def back(self) -> int:
        """From now on it answers; how often it was asked before."""
        self.is_away = False
        return len(self._flow.agents.asked)


@pytest.fixture
async def flow(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Harness]:
    impatient(monkeypatch)
    monkeypatch.setattr("ecosystem.kernel.agent.redelivery.PAUSES", (0.01, 0.01, 0.01))
    async with a_harness(platform, waiting_calls_max=10) as harness:
        harness.work()
        yield harness


async def waiting(flow: Harness, *run_ids: UUID) -> None:
    """Once all of these runs wait for an agent."""

    async def look() -> bool:
        return all([(await flow.show(run_id)).waiting for run_id in run_ids])

    assert await eventually(look)


async def all_waiting(flow: Harness, run_id: UUID, number: int) -> tuple[Place, ...]:
    """What the run waits for, once that is so much."""

    async def look() -> tuple[Place, ...] | None:
        places = (await flow.show(run_id)).waiting
        return places if len(places) == number else None

    found = await eventually(look)
    assert found is not None
    return found


async def started(flow: Harness, number: int) -> list[UUID]:
    return [await flow.start() for _ in range(number)]


class TestOrder:
    async def test_calls_are_brought_in_the_order_in_which_their_runs_began(self, flow: Harness) -> None:
        agent = Away(flow, "validate_document")
        runs = await started(flow, 5)
        await waiting(flow, *runs)
        before = agent.back()
        flow.bring()

        ended = [await flow.ended(run_id) for run_id in runs]
        assert [run.status for run in ended] == ["completed"] * 5
        asked = [one for one in flow.agents.asked[before:] if one.request_type == "validate_document"]
        assert [one.payload["document_id"] for one in asked] == [run.input["document_id"] for run in ended]
        assert all([step.task for step in run.steps] == FIVE for run in ended)

    async def test_a_run_shows_what_it_waits_for_and_how_many_are_before_it(self, flow: Harness) -> None:
        Away(flow, "store_document")
        runs = await started(flow, 2)
        await waiting(flow, *runs)

        (place,) = (await flow.show(runs[1])).waiting
        assert (place.agent_id, place.request_type, place.step, place.before) == (
            "storage-agent", "store_document", "store", 1,
        )  # fmt: skip
        assert place.code == "unavailable"
        with context.scope(company_id=OTHER), pytest.raises(RunUnknown):
            await flow.service.show(runs[1])

    async def test_the_story_of_a_run_tells_the_queue_also_of_its_passes(self, flow: Harness) -> None:
        flow.agents.behave["validate_document"] = a_scan(1)
        Away(flow, "read_pages")
        runs = await started(flow, 2)
        await waiting(flow, *runs)
        stories = StoryService(
            flow.database, Stories(flow.database), flow.service, EventLog(flow.database), dict(AGENTS)
        )
        with context.scope(company_id=COMPANY):
            told = [moment.sentence for moment in (await stories.tell(runs[1])).moments]

        assert any("Step read went into the queue of ocr-agent, which was away (unavailable)" in one for one in told), (
            told
        )
        assert "Since then the run waits, behind 1 other call, for ocr-agent to answer step read." in told

    async def test_an_agent_that_fails_all_attempts_has_the_call_waiting_and_the_same_question_is_asked(
        self, flow: Harness
    ) -> None:
        agent = Away(flow, "store_document", Unavailable())
        (run_id,) = await started(flow, 1)
        await waiting(flow, run_id)
        agent.back()
        flow.bring()

        run = await flow.ended(run_id)
        asked = [one for one in flow.agents.asked if one.request_type == "store_document"]
        assert run.status == "completed"
        assert [one.attempt for one in asked] == [1, 2, 3, 4]
        assert len({one.request_id for one in asked}) == 1

    async def test_passes_of_a_loop_wait_each_for_itself(self, flow: Harness) -> None:
        flow.agents.behave["validate_document"] = a_scan(3)
        agent = Away(flow, "read_pages")
        (run_id,) = await started(flow, 1)
        await waiting(flow, run_id)
        agent.back()
        flow.bring()

        run = await flow.ended(run_id)
        assert run.status == "completed"
        assert sorted(step.pass_number or 0 for step in run.steps if step.task == "read_pages") == [1, 2, 3]
        assert {step.code for step in run.steps} == {None}

    async def test_another_company_sees_and_takes_out_nothing(self, flow: Harness, platform: Platform) -> None:
        Away(flow, "validate_document")
        (run_id,) = await started(flow, 1)
        await waiting(flow, run_id)
        queue = flow.waiting
        assert queue is not None
        with context.scope(company_id=OTHER):
            assert await flow.database.read(lambda: queue.of_run(run_id)) == []
            assert await flow.database.run(lambda: queue.leave(run_id=run_id)) == 0

        assert len((await flow.show(run_id)).waiting) == 1
        with psycopg.connect(platform.url("eco_orchestrator")) as session:
            for statement in (
                "select * from kernel.waiting_calls", "select * from kernel.list_waiting_calls(null, null, null, 10)",
            ):  # fmt: skip
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(statement)
                session.rollback()


class TestOnce:
    async def test_replicas_share_the_calls_and_ask_each_once(self, flow: Harness) -> None:
        agent = Away(flow, "validate_document")
        runs = await started(flow, 6)
        await waiting(flow, *runs)
        before = agent.back()
        flow.bring()
        flow.bring()

        assert {(await flow.ended(run_id)).status for run_id in runs} == {"completed"}
        asked = [one.request_id for one in flow.agents.asked[before:] if one.request_type == "validate_document"]
        assert len(asked) == len(set(asked)) == 6

    async def test_a_process_killed_while_it_brings_a_call_leaves_it_to_the_others_at_once(
        self, flow: Harness, platform: Platform
    ) -> None:
        agent = Away(flow, "validate_document")
        runs = await started(flow, 3)
        await waiting(flow, *runs)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.services.orchestrator.bringing", platform.url("eco_orchestrator"),
            stdout=asyncio.subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert child.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await child.stdout.readline() == b"reached\n"
        before = agent.back()
        flow.bring()
        child.kill()
        await child.wait()

        ended = [await flow.ended(run_id) for run_id in runs]
        asked = [one for one in flow.agents.asked[before:] if one.request_type == "validate_document"]
        assert [one.payload["document_id"] for one in asked] == [run.input["document_id"] for run in ended]

    async def test_a_run_that_a_person_ends_is_not_asked_for_any_more(self, flow: Harness) -> None:
        agent = Away(flow, "extract_metadata")
        first, second = await started(flow, 2)
        await waiting(flow, first, second)
        with context.scope(company_id=COMPANY):
            await flow.service.cancel(first)
        before = agent.back()
        flow.bring()

        assert (await flow.ended(second)).status == "completed"
        asked = [one for one in flow.agents.asked[before:] if one.request_type == "extract_metadata"]
        assert [one.payload for one in asked] == [{"document_id": (await flow.show(second)).input["document_id"]}]


class TestBounds:
    async def test_past_the_bound_a_run_fails_as_without_a_queue(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        impatient(monkeypatch)
        async with a_harness(platform, waiting_calls_max=1) as flow:
            flow.work()
            Away(flow, "store_document", Unavailable())
            runs = await started(flow, 1)
            await waiting(flow, *runs)
            run = await flow.ended(await flow.start())

            assert (run.status, run.code) == ("failed", "unavailable")
            assert "fail_document" in flow.agents.types()

    async def test_a_call_that_its_agent_keeps_failing_does_not_hold_up_those_behind_it(self, flow: Harness) -> None:
        first = Away(flow, "store_document")
        poisoned, sound = await started(flow, 2)
        await waiting(flow, poisoned, sound)
        first.back()
        document_id = (await flow.show(poisoned)).input["document_id"]

        async def answer(payload: dict[str, Any]) -> Any:
            if payload["document_id"] == document_id:
                raise Unavailable
            return ANSWERS["store_document"]

        flow.agents.behave["store_document"] = answer
        flow.bring()

        assert (await flow.ended(sound)).status == "completed"
        failed = await flow.ended(poisoned)
        assert (failed.status, failed.code) == ("failed", "unavailable")

    async def test_who_waits_past_the_time_of_its_workflow_leaves_the_queue(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ecosystem.workflow.run.REFUSALS_MAX", 0)
        async with a_harness(platform, [BRIEF], waiting_calls_max=10) as flow:
            flow.work()
            Away(flow, "validate_document")
            run = await flow.ended(await flow.begin("brief", {}))

            assert (run.status, run.code, run.waiting) == ("failed", "workflow_timeout", ())


class TestBranches:
    """Of a `fork`: validation, extraction, and judgement with storage after it, beside each other."""

    @pytest.fixture
    async def flow(self, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Harness]:
        impatient(monkeypatch)
        async with a_harness(platform, [FORK, SPLIT], waiting_calls_max=10) as harness:
            harness.work()
            yield harness

    async def test_each_waits_for_its_agent_while_the_others_go_on_to_their_end(self, flow: Harness) -> None:
        away = [Away(flow, "validate_document"), Away(flow, "extract_metadata")]
        run_id = await flow.begin("fork", {})
        places = await all_waiting(flow, run_id, 2)
        before = max(agent.back() for agent in away)
        types = flow.agents.types()
        flow.bring()

        run = await flow.ended(run_id)
        assert {place.request_type for place in places} == {"validate_document", "extract_metadata"}
        assert types.count("store_document") == 1
        assert (run.status, run.outcome, len(run.output["parts"])) == ("completed", "joined", 3)
        # Each question once after its agent was back, and nothing of what was answered before.
        assert sorted(flow.agents.types()[before:]) == ["extract_metadata", "validate_document"]

    @pytest.mark.parametrize("first", ["validate_document", "extract_metadata"])
    async def test_answers_come_in_any_order(self, flow: Harness, first: str) -> None:
        agents = {name: Away(flow, name) for name in ("validate_document", "extract_metadata")}
        run_id = await flow.begin("fork", {})
        await all_waiting(flow, run_id, 2)
        agents.pop(first).back()
        flow.bring()
        (left,) = await all_waiting(flow, run_id, 1)
        (other,) = agents.values()
        other.back()

        assert (await flow.ended(run_id)).status == "completed"
        assert left.request_type != first

    async def test_a_worker_that_takes_the_run_over_waits_on_and_asks_nobody(self, flow: Harness) -> None:
        away = [Away(flow, "validate_document"), Away(flow, "extract_metadata")]
        run_id = await flow.begin("fork", {})
        await all_waiting(flow, run_id, 2)
        _, work = flow.workers.pop()
        work.cancel()
        flow.work()
        before = max(agent.back() for agent in away)
        flow.bring()

        assert (await flow.ended(run_id)).status == "completed"
        assert sorted(flow.agents.types()[before:]) == ["extract_metadata", "validate_document"]

    async def test_a_call_that_its_agent_refuses_at_last_fails_the_run_when_all_branches_have_ended(
        self, flow: Harness
    ) -> None:
        Away(flow, "validate_document")
        agent = Away(flow, "extract_metadata")
        run_id = await flow.begin("fork", {})
        await all_waiting(flow, run_id, 2)
        flow.agents.behave["validate_document"] = failing(BROKEN)
        agent.back()
        flow.bring()

        run = await flow.ended(run_id)
        assert (run.status, run.code, run.waiting) == ("failed", "rule_set_unknown", ())
        assert {step.task for step in run.steps if step.code is None} >= {"extract_metadata", "store_document"}

    async def test_who_waits_past_the_time_of_the_workflow_leaves_the_queue(self, flow: Harness) -> None:
        for name in ("validate_document", "extract_metadata"):
            Away(flow, name)
        run = await flow.ended(await flow.begin("split", {}))

        assert (run.status, run.code, run.waiting) == ("failed", "workflow_timeout", ())


class TestAnnounced:
    async def test_the_cache_says_what_waits_also_after_it_was_flushed(
        self, flow: Harness, cache_engine: CacheEngine
    ) -> None:
        cache = Cache(CacheSettings.model_validate({"url": cache_engine.url}))
        assert cache.client is not None
        await cache.client.flushdb()
        Away(flow, "publish_event")
        runs = await started(flow, 2)
        await waiting(flow, *runs)
        flow.bring(cache)
        try:
            for _ in range(2):
                said = await eventually(lambda: cache.get(KEY))
                assert orjson.loads(said or b"")["event-bus-agent"]["calls"] == 2
                assert 0 < await cache.client.pttl(KEY) <= 10_000
                await cache.client.flushdb()
            shown = METRICS.registry.get_sample_value("agent_waiting_calls", {"agent": "event-bus-agent"})
            assert shown == 2
        finally:
            await cache.client.flushdb()
            await cache.close()
