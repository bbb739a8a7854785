"""Goal: a document of many batches comes to its end as one of one, and holds up no other. Method: loops on a database.

The agents are fakes that answer when the test lets them; worker, durable tasks and history are real.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ecosystem.kernel import context
from ecosystem.kernel.errors import Unavailable
from tests.kernel.db.fixtures import Platform
from tests.services.orchestrator.definitions import LOOP
from tests.services.orchestrator.harness import (
    ANSWERS,
    BROKEN,
    COMPANY,
    FIVE,
    Harness,
    a_harness,
    a_scan,
    failing,
    killed_at,
)
from tests.support.poll import eventually


class Reader:
    """An ocr-agent that reads a batch when the test says so; `most` is how many it had in hand at once."""

    def __init__(self, *, waits: bool = True) -> None:
        self.asked: list[list[int]] = []
        self.given_up = 0
        self.most = 0
        self._in_hand = 0
        self._may = asyncio.Semaphore(0 if waits else 10_000)

    def let(self, batches: int) -> None:
        for _ in range(batches):
            self._may.release()

    async def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(payload["pages"])
        self._in_hand += 1
        self.most = max(self.most, self._in_hand)
        try:
            await self._may.acquire()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        finally:
            self._in_hand -= 1
        return ANSWERS["read_pages"] | {"pages": payload["pages"]}

    async def has_been_asked(self, times: int) -> bool:
        return len(self.asked) >= times


@pytest.fixture
async def loops(platform: Platform) -> AsyncIterator[Harness]:
    async with a_harness(platform, [LOOP]) as harness:
        yield harness


def read_pages_of(flow: Harness) -> list[int]:
    return [
        page for asked in flow.agents.asked if asked.request_type == "read_pages" for page in asked.payload["pages"]
    ]


class TestPasses:
    async def test_every_batch_is_read_once_before_the_document_is_extracted(self, flow: Harness) -> None:
        flow.agents.behave |= {"validate_document": a_scan(3)}
        flow.work()
        run = await flow.ended(await flow.start())

        assert (run.status, run.state, run.outcome) == ("completed", "IDLE", "approved")
        assert flow.agents.types() == [FIVE[0], *["read_pages"] * 3, *FIVE[1:]]
        assert sorted(read_pages_of(flow)) == list(range(1, 13))
        assert {asked.timeout_seconds for asked in flow.agents.asked if asked.request_type == "read_pages"} == {120}
        assert [(loop.name, loop.each, loop.ended, loop.passes) for loop in run.loops] == [
            ("read_pages", "batch", 3, 3)
        ]
        assert sorted(step.pass_number for step in run.steps if step.pass_number is not None) == [1, 2, 3]
        assert [turn.state for turn in run.transitions] == [
            "IDLE", "VALIDATING", "DISPATCHING", "EXECUTING", "AGGREGATING", "FINALIZING", "IDLE",
        ]  # fmt: skip
        assert run.transitions[2].step == "read_pages"

    async def test_a_document_with_text_pays_nothing_for_the_loop(self, flow: Harness) -> None:
        flow.work()
        run = await flow.ended(await flow.start())

        assert (flow.agents.types(), run.loops) == (FIVE, ())
        assert flow.platform.rows("select count(*) from absurd.t_orchestrator") == [(1,)]
        kept = flow.platform.rows("select checkpoint_name from absurd.c_orchestrator")
        # The last answer is written by the transaction that completes the task, and needs no checkpoint.
        assert len(kept) == len(FIVE) - 1

    async def test_at_most_two_are_under_way_and_the_run_says_how_far_it_is(self, flow: Harness) -> None:
        reader = Reader()
        flow.agents.behave |= {"validate_document": a_scan(12), "read_pages": reader}
        flow.work()
        run_id = await flow.start()
        await eventually(lambda: reader.has_been_asked(2))
        reader.let(3)
        await eventually(lambda: reader.has_been_asked(5))
        during = await flow.show(run_id)
        reader.let(9)
        run = await flow.ended(run_id)

        assert [(loop.ended, loop.passes) for loop in during.loops] == [(3, 12)]
        assert (during.state, during.status) == ("DISPATCHING", "running")
        assert [(loop.ended, loop.passes) for loop in run.loops] == [(12, 12)]
        assert (reader.most, run.outcome) == (2, "approved")


class TestFailure:
    async def test_pages_that_cannot_be_read_are_left_unread_and_the_document_goes_on(self, flow: Harness) -> None:
        flow.agents.behave |= {"validate_document": a_scan(2), "read_pages": failing(BROKEN)}
        flow.work()
        run = await flow.ended(await flow.start())

        assert run.status == "completed"
        assert flow.agents.types() == [FIVE[0], "read_pages", "read_pages", *FIVE[1:]]
        assert [step.code for step in run.steps if step.task == "read_pages"] == ["rule_set_unknown"] * 2

    async def test_passing_trouble_is_asked_again_with_the_same_request_id(self, flow: Harness) -> None:
        flow.agents.behave |= {"validate_document": a_scan(1), "read_pages": failing(Unavailable(), times=1)}
        flow.work()
        run = await flow.ended(await flow.start())

        asked = [one for one in flow.agents.asked if one.request_type == "read_pages"]
        assert [one.attempt for one in asked] == [1, 2]
        assert asked[0].request_id == asked[1].request_id
        assert run.status == "completed"

    async def test_the_first_in_the_text_is_the_error_and_a_retry_repeats_failed_passes_only(
        self, loops: Harness
    ) -> None:
        """The third batch fails at once, the second a while later: the error is that of the second."""
        late = asyncio.Event()

        async def behaviour(payload: dict[str, Any]) -> dict[str, Any]:
            first = payload["pages"][0]
            if first == 5 and healthy not in payload:
                await late.wait()
            if first == 9:
                late.set()
            if first in (5, 9) and not broken.is_set():
                raise BROKEN
            return dict(ANSWERS["read_pages"])

        healthy, broken = "healthy", asyncio.Event()
        loops.agents.behave |= {"validate_document": a_scan(4), "read_pages": behaviour}
        loops.work()
        run = await loops.ended(await loops.begin("loop", {}))
        before = len(loops.agents.asked)
        broken.set()
        with context.scope(company_id=COMPANY):
            await loops.service.retry(run.run_id)
        done = await loops.ended(run.run_id, "completed")

        assert (run.state, run.code) == ("ERROR", "rule_set_unknown")
        assert (run.reason or "").startswith("batch 2 of 4: There is no such rule set.")
        assert [(loop.ended, loop.passes) for loop in run.loops] == [(1, 4)]
        again = loops.agents.asked[before:]
        assert sorted(one.payload["pages"][0] for one in again if one.request_type == "read_pages") == [5, 9, 13]
        ids = [one.request_id for one in loops.agents.asked if one.payload.get("pages", [0])[0] == 5]
        assert len(set(ids)) == 1
        assert (done.outcome, done.output["passes"]) == ("joined", 4)
        assert [(loop.ended, loop.passes) for loop in done.loops] == [(4, 4)]

    async def test_cancelling_the_run_reaches_its_passes(self, flow: Harness) -> None:
        reader = Reader()
        flow.agents.behave |= {"validate_document": a_scan(5), "read_pages": reader}
        flow.work()
        run_id = await flow.start()
        await eventually(lambda: reader.has_been_asked(2))
        with context.scope(company_id=COMPANY):
            cancelled = await flow.service.cancel(run_id)

        async def given_up() -> bool:
            return reader.given_up == 2

        assert await eventually(given_up)
        assert cancelled.status == "cancelled"
        states = flow.platform.rows("select task_name, state from absurd.t_orchestrator where task_name = 'pass'")
        assert states == [("pass", "cancelled")] * 2
        assert len(reader.asked) == 2


class TestDeath:
    async def test_a_killed_process_is_followed_by_another_that_repeats_no_finished_pass(self, flow: Harness) -> None:
        run_id = await flow.start()
        await killed_at(flow, "read_pages", 3)
        ended = [
            row[0]["pass"]["number"]
            for row in flow.platform.rows("select params from absurd.t_orchestrator where state = 'completed'")
        ]
        flow.work()
        run = await flow.ended(run_id)

        assert (run.status, run.outcome) == ("completed", "approved")
        assert 1 in ended, "the third batch begins when the first has ended"
        repeated = {page for page in read_pages_of(flow) if (page - 1) // 4 + 1 in ended}
        assert repeated == set()
        assert flow.agents.types()[-4:] == FIVE[1:]
        assert [(loop.ended, loop.passes) for loop in run.loops] == [(3, 3)]
        assert sorted(step.pass_number for step in run.steps if step.pass_number is not None) == [1, 2, 3]
        assert [name for name, _ in flow.events()] == ["workflow_run_completed"]

    async def test_a_stopped_worker_gives_its_passes_back(self, flow: Harness) -> None:
        reader = Reader()
        flow.agents.behave |= {"validate_document": a_scan(3), "read_pages": reader}
        stop, task = flow.work()
        run_id = await flow.start()
        await eventually(lambda: reader.has_been_asked(2))
        stop.set()
        await task
        reader.let(3)
        flow.work()
        run = await flow.ended(run_id)

        assert run.outcome == "approved"
        assert {len(row) for row in reader.asked} == {4}
        assert flow.platform.rows("select max(attempts) from absurd.t_orchestrator") == [(1,)]


class TestFairness:
    async def test_fifty_batches_hold_up_no_other_document(self, flow: Harness) -> None:
        """More scans than the worker has places, all of them stuck in their reading: text documents pass by."""
        reader = Reader()
        flow.agents.behave |= {"validate_document": a_scan(50), "read_pages": reader}
        flow.work()
        scans = [await flow.start() for _ in range(10)]

        async def all_wait() -> bool:
            ended = "select count(*) from absurd.t_orchestrator where task_name = 'pass' and state = 'running'"
            return flow.platform.rows(ended) == [(20,)]

        assert await eventually(all_wait)
        del flow.agents.behave["validate_document"]
        texts = [await flow.ended(await flow.start()) for _ in range(3)]

        assert [run.status for run in texts] == ["completed"] * 3
        assert {run.status for run in [await flow.show(scan) for scan in scans]} == {"running"}
        assert reader.most == 2

    async def test_a_scan_of_two_hundred_pages_comes_to_its_end(self, flow: Harness) -> None:
        flow.agents.behave |= {"validate_document": a_scan(50), "read_pages": Reader(waits=False)}
        flow.work()
        run = await flow.ended(await flow.start())

        assert (run.outcome, run.loops[0].ended) == ("approved", 50)
        assert sorted(read_pages_of(flow)) == list(range(1, 201))
        assert flow.platform.rows("select max(attempts) from absurd.t_orchestrator") == [(1,)]
