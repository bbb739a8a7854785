"""Goal: a task reaches its end once, step by step, whatever fails. Method: a real database and a real worker."""

import asyncio
from typing import Any

import psycopg
import pytest

from ecosystem.kernel import context
from ecosystem.kernel.durable.errors import StartedOutside, TaskUnknown
from ecosystem.kernel.durable.task import TaskContext, TaskFailure
from ecosystem.kernel.errors import Invalid, Unavailable
from tests.kernel.durable.conftest import GENEVA, QUEUE, ZURICH, Tasks
from tests.kernel.durable.workers import mark, three_steps


class TestStarting:
    async def test_task_starts_with_the_unit_of_work_or_not_at_all(self, tasks: Tasks) -> None:
        async def breaks() -> None:
            await tasks.durable.start(QUEUE, "work", {})
            raise ValueError("after all, no")

        with context.scope(company_id=ZURICH), pytest.raises(ValueError, match="after all"):
            await tasks.database.run(breaks)

        assert tasks.platform.rows("select count(*) from absurd.t_orchestrator") == [(0,)]

    async def test_starting_outside_of_a_unit_of_work_is_refused(self, tasks: Tasks) -> None:
        with pytest.raises(StartedOutside):
            await tasks.durable.start(QUEUE, "work", {})

    async def test_same_key_starts_once_and_only_within_its_company(self, tasks: Tasks) -> None:
        first, again = await tasks.start("work", key="k"), await tasks.start("work", key="k")
        other = await tasks.start("work", key="k", company=GENEVA)

        assert first == again
        assert other != first

    async def test_another_company_finds_no_task(self, tasks: Tasks) -> None:
        task_id = await tasks.start("work")
        with pytest.raises(TaskUnknown):
            await tasks.state(task_id, GENEVA)
        with context.scope(company_id=GENEVA), pytest.raises(TaskUnknown):
            await tasks.database.run(lambda: tasks.durable.cancel(task_id))
        with context.scope(company_id=GENEVA), pytest.raises(TaskUnknown):
            await tasks.database.run(lambda: tasks.durable.retry(task_id))

        assert (await tasks.state(task_id)).state == "pending"

    async def test_another_service_may_start_but_not_work_off(self, tasks: Tasks) -> None:
        with psycopg.connect(tasks.platform.url("eco_creditx"), autocommit=True) as stranger:
            stranger.execute("select kernel.start_task('orchestrator', 'work', '{}', '{}', null, 5, '{}')")
            for claim in ("orchestrator_claim(", "claim_tasks('orchestrator', "):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    stranger.execute(f"select * from kernel.{claim}'me', 30, 1)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                stranger.execute("select * from absurd.t_orchestrator")


class TestSteps:
    async def test_steps_run_once_with_company_user_and_trace(self, tasks: Tasks) -> None:
        seen: list[context.Context] = []

        async def handler(task: TaskContext) -> dict[str, Any]:
            async def look() -> str:
                seen.append(context.current())
                return "seen"

            first = await task.step("look", look)
            second = await task.database_step("mark", lambda: mark(tasks.database, "done"))
            return {"first": first, "second": second, "document": task.params["document"]}

        async with tasks.working({"work": handler}):
            state = await tasks.ended(await tasks.start("work", {"document": "d1"}))

        assert (state.state, state.result) == ("completed", {"first": "seen", "second": "done", "document": "d1"})
        assert (seen[0].company_id, seen[0].user_id, seen[0].trace_id) == (ZURICH, "client-1", "ab" * 16)
        assert tasks.marks() == ["done"]

    async def test_neither_a_start_nor_a_step_waits_for_a_poll(self, tasks: Tasks) -> None:
        async with tasks.working({"work": three_steps(tasks.database, "a")}, poll_seconds=3600):
            for _ in range(3):
                state = await tasks.ended(await tasks.start("work"))
                assert state.state == "completed"

    async def test_failed_attempt_keeps_its_finished_steps(self, tasks: Tasks) -> None:
        attempts = []

        async def handler(task: TaskContext) -> None:
            await task.database_step("first", lambda: mark(tasks.database, "first"))
            attempts.append(task.attempt)
            if task.attempt < 3:
                raise Unavailable

        async with tasks.working({"work": handler}):
            state = await tasks.ended(await tasks.start("work"))

        assert (state.state, attempts, tasks.marks()) == ("completed", [1, 2, 3], ["first"])

    async def test_failed_database_step_leaves_nothing(self, tasks: Tasks) -> None:
        async def breaks() -> None:
            await mark(tasks.database, "half")
            raise Invalid

        async def handler(task: TaskContext) -> None:
            await task.database_step("half", breaks)

        async with tasks.working({"work": handler}):
            state = await tasks.ended(await tasks.start("work"))

        assert (state.state, state.attempts, tasks.marks()) == ("failed", 1, [])


class TestFailing:
    async def test_what_nobody_knows_is_tried_three_times_whatever_else_failed_between(self, tasks: Tasks) -> None:
        raised = [KeyError("odd"), Unavailable(), KeyError("odd"), Unavailable(), KeyError("odd"), KeyError("odd")]

        async def handler(_: TaskContext) -> None:
            raise raised.pop(0)

        async with tasks.working({"work": handler}):
            state = await tasks.ended(await tasks.start("work", max_attempts=20))

        assert (state.state, state.attempts, state.failure["kind"]) == ("failed", 5, "unknown")

    async def test_retries_with_delay_then_failure_in_the_same_transaction(self, tasks: Tasks) -> None:
        failures: list[TaskFailure] = []
        times: list[float] = []

        async def handler(_: TaskContext) -> None:
            times.append(asyncio.get_running_loop().time())
            raise Unavailable

        async def told(failure: TaskFailure) -> None:
            failures.append(failure)
            await mark(tasks.database, f"failed with {failure.failure.code}")

        async with tasks.working({"work": handler}, on_failure=told):
            state = await tasks.ended(await tasks.start("work", {"n": 1}, max_attempts=3))

        assert (state.state, state.attempts, state.failure["code"]) == ("failed", 3, "unavailable")
        assert times[1] - times[0] >= 0.045
        assert times[2] - times[1] >= 0.09
        assert [(failure.attempt, failure.params, failure.company_id) for failure in failures] == [
            (3, {"n": 1}, ZURICH)
        ]
        assert tasks.marks() == ["failed with unavailable"]
        found = tasks.platform.rows(
            "select r.xmin = m.xmin from absurd.t_orchestrator r, orchestrator.marks m where r.state = 'failed'"
        )
        assert found == [(True,)]

    async def test_task_whose_failure_cannot_be_told_ends_and_keeps_nobody_waiting(self, tasks: Tasks) -> None:
        async def bad(_: TaskContext) -> None:
            raise Invalid

        async def good(_: TaskContext) -> str:
            return "done"

        async def told(failure: TaskFailure) -> None:
            await mark(tasks.database, "half of what is to be told")
            raise Invalid

        async with tasks.working({"bad": bad, "good": good}, on_failure=told, lease_seconds=1):
            failed = await tasks.ended(await tasks.start("bad"))
            done = await tasks.ended(await tasks.start("good"))

        assert (failed.state, failed.failure["code"], done.result) == ("failed", "invalid", "done")
        assert tasks.marks() == []

    async def test_permanent_error_is_not_tried_again(self, tasks: Tasks) -> None:
        async def handler(_: TaskContext) -> None:
            raise Invalid

        async with tasks.working({"work": handler}):
            state = await tasks.ended(await tasks.start("work"))

        assert (state.state, state.attempts) == ("failed", 1)

    async def test_unknown_task_fails_by_name(self, tasks: Tasks) -> None:
        async with tasks.working({}):
            state = await tasks.ended(await tasks.start("nobody-knows"))

        assert (state.state, state.failure["code"]) == ("failed", "handler_unknown")

    async def test_retried_task_goes_on_from_its_last_finished_step(self, tasks: Tasks) -> None:
        mended = False

        async def handler(task: TaskContext) -> str:
            await task.database_step("first", lambda: mark(tasks.database, "first"))
            if not mended:
                raise Invalid
            return "mended"

        async with tasks.working({"work": handler}):
            task_id = await tasks.start("work")
            assert (await tasks.ended(task_id)).state == "failed"
            mended = True
            with context.scope(company_id=ZURICH):
                assert await tasks.database.run(lambda: tasks.durable.retry(task_id))

            state = await tasks.ended(task_id)

        assert (state.state, state.result, tasks.marks()) == ("completed", "mended", ["first"])


class TestWaiting:
    async def test_sleep_gives_the_worker_back_and_wakes_in_time(self, tasks: Tasks) -> None:
        loop = asyncio.get_running_loop()

        async def handler(task: TaskContext) -> str:
            await task.sleep("nap", 0.3)
            return "rested"

        async with tasks.working({"work": handler}, concurrency=1, poll_seconds=3600):
            began = loop.time()
            state = await tasks.ended(await tasks.start("work"))

        assert (state.result, state.attempts) == ("rested", 1)
        assert loop.time() - began >= 0.3

    async def test_event_reaches_who_waits_before_and_after(self, tasks: Tasks) -> None:
        async def handler(task: TaskContext) -> Any:
            return await task.wait_for(f"decided/{task.params['case']}", 3600)

        async with tasks.working({"work": handler}):
            late = await tasks.start("work", {"case": "1"})
            with context.scope(company_id=GENEVA):
                await tasks.database.run(lambda: tasks.durable.emit(QUEUE, "decided/1", "foreign"))
            with context.scope(company_id=ZURICH):
                await tasks.database.run(lambda: tasks.durable.emit(QUEUE, "decided/1", {"yes": True}))
                await tasks.database.run(lambda: tasks.durable.emit(QUEUE, "decided/2", None))
            early = await tasks.start("work", {"case": "2"})

            assert (await tasks.ended(late)).result == {"yes": True}
            assert (await tasks.ended(early)).result is None

    async def test_wait_ends_with_nothing_when_its_time_is_over(self, tasks: Tasks) -> None:
        async def handler(task: TaskContext) -> str:
            return "nothing" if await task.wait_for("never", 0.5) is None else "something"

        async with tasks.working({"work": handler}):
            assert (await tasks.ended(await tasks.start("work"))).result == "nothing"

    async def test_parent_gets_what_its_children_return(self, tasks: Tasks) -> None:
        async def child(task: TaskContext) -> int:
            await task.sleep("nap", 0.05 * task.params["n"])
            return task.params["n"] * 2

        async def parent(task: TaskContext) -> list[int]:
            children = [await task.child(f"branch-{n}", "child", {"n": n}) for n in (3, 1, 2)]
            return await task.results(children)

        async with tasks.working({"parent": parent, "child": child}):
            state = await tasks.ended(await tasks.start("parent"))

        assert (state.result, state.attempts) == ([6, 2, 4], 1)
        assert tasks.platform.rows("select count(*) from absurd.t_orchestrator") == [(4,)]

    async def test_failed_child_fails_its_parent(self, tasks: Tasks) -> None:
        async def child(_: TaskContext) -> None:
            raise Invalid

        async def parent(task: TaskContext) -> Any:
            return await task.results([await task.child("branch", "child", {})])

        async with tasks.working({"parent": parent, "child": child}):
            state = await tasks.ended(await tasks.start("parent"))

        assert (state.state, state.failure["code"]) == ("failed", "child_failed")
