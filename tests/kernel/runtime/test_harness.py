"""Goal: an agent's effect, its record and its event are one. Method: the small service on a real database."""

import asyncio
from uuid import UUID

import pytest

from ecosystem.kernel.agent.message import AgentFailed
from tests.kernel.runtime.conftest import SmallHarness
from tests.kernel.runtime.small import COMPANY, OTHER, Measure, Measured, Note, Noted

ONE = UUID(int=1)


async def note(small: SmallHarness, request_id: str, *, ask: str = "", company: UUID | None = COMPANY) -> Noted:
    task = Note(note_id=ONE, ask=ask)
    answer = await small.harness.call(
        task, to="small-agent", sender="asking-agent", company_id=company, request_id=request_id
    )
    assert isinstance(answer, Noted)
    return answer


class TestReading:
    async def test_answers(self, small: SmallHarness) -> None:
        task = Measure(text_id="four")

        answer = await small.harness.call(task, to="small-agent", sender="asking-agent", company_id=COMPANY)

        assert answer == Measured(length=4)


class TestEffect:
    async def test_same_request_is_done_once(self, small: SmallHarness) -> None:
        first = await note(small, "r1")
        second = await note(small, "r1")

        assert second == first
        assert len(small.harness.events("note_taken")) == 1

    async def test_two_at_once_are_done_once(self, small: SmallHarness) -> None:
        both = asyncio.Barrier(2)

        async def meet(place: str) -> None:
            if place == "before":
                await both.wait()

        small.small.hook = meet
        first, second = await asyncio.gather(note(small, "r1"), note(small, "r1"))

        assert first == second
        assert len(small.harness.events("note_taken")) == 1

    async def test_lost_answer_is_found_again(self, small: SmallHarness) -> None:
        """As after a crash between the commit of the effect and the answer."""

        async def crash(place: str) -> None:
            if place == "after":
                small.small.hook = lambda _: asyncio.sleep(0)
                raise ConnectionError

        small.small.hook = crash
        with pytest.raises(AgentFailed):
            await note(small, "r1")

        assert (await note(small, "r1")).count == 1
        assert len(small.harness.events("note_taken")) == 1

    async def test_failed_effect_leaves_nothing_and_may_be_tried_again(self, small: SmallHarness) -> None:
        async def crash(place: str) -> None:
            if place == "inside":
                small.small.hook = lambda _: asyncio.sleep(0)
                raise ConnectionError

        small.small.hook = crash
        with pytest.raises(AgentFailed):
            await note(small, "r1")
        assert small.harness.events("note_taken") == []

        await note(small, "r1")
        assert len(small.harness.events("note_taken")) == 1

    async def test_one_request_id_is_one_question(self, small: SmallHarness) -> None:
        await note(small, "r1")

        with pytest.raises(AgentFailed) as refused:
            await note(small, "r1", ask="other")

        assert refused.value.code == "request_id_reused"

    async def test_companies_do_not_share_request_ids(self, small: SmallHarness) -> None:
        await note(small, "r1")
        await note(small, "r1", company=OTHER)

        assert len(small.harness.events("note_taken")) == 2

    async def test_effect_without_a_company_is_refused(self, small: SmallHarness) -> None:
        with pytest.raises(AgentFailed) as refused:
            await note(small, "r1", company=None)

        assert refused.value.code == "request_invalid"

    async def test_handler_that_forgets_to_commit_is_told_so(self, small: SmallHarness) -> None:
        with pytest.raises(AgentFailed) as refused:
            await note(small, "r1", ask="forgets")

        assert refused.value.code == "answer_unrecorded"

    async def test_old_answers_are_forgotten(self, small: SmallHarness) -> None:
        await note(small, "r1")
        small.harness.platform.rows("update events.answers set recorded_at = now() - interval '15 days'")
        await note(small, "r2")

        await small.hosted.job("forget-recorded-answers")

        assert small.harness.platform.rows("select request_id from events.answers") == [("r2",)]

    async def test_its_event_reaches_the_consumer_once(self, small: SmallHarness) -> None:
        await note(small, "r1")
        await note(small, "r1")

        await small.harness.settle()

        assert small.small.consumed == [ONE]
