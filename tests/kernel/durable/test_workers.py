"""Goal: any worker goes on where a dead, frozen or stopped one ended. Method: real processes, killed and frozen."""

import asyncio
import signal
from datetime import datetime
from uuid import UUID

import pytest

from ecosystem.kernel import context
from ecosystem.kernel.durable.task import TaskContext
from tests.kernel.durable.conftest import GENEVA, ZURICH, Tasks
from tests.kernel.durable.workers import mark, three_steps
from tests.support.poll import PATIENCE_SECONDS, eventually


async def test_killed_worker_is_followed_without_repeating_the_finished_step(tasks: Tasks) -> None:
    """Long before its lease is over: the end of its process is seen."""
    victim = tasks.process("work", name="victim", lease_seconds=3600)
    task_id = await tasks.start("work")
    await tasks.until_marked("victim: second")
    victim.send_signal(signal.SIGKILL)

    async with tasks.working({"work": three_steps(tasks.database, "heir")}):
        state = await tasks.ended(task_id)

    assert (state.state, state.result, state.attempts) == ("completed", "heir", 2)
    assert tasks.marks() == ["victim: first", "victim: second", "heir: second", "heir: third"]


async def test_who_comes_up_after_a_death_needs_one_pause_between_two_looks_to_be_sure(tasks: Tasks) -> None:
    victim = tasks.process("work", name="victim", lease_seconds=3600)
    task_id = await tasks.start("work")
    await tasks.until_marked("victim: second")
    victim.kill()
    victim.wait()
    began = asyncio.get_running_loop().time()

    async with tasks.working({"work": three_steps(tasks.database, "heir")}, watch_seconds=1):
        state = await tasks.ended(task_id)

    assert (state.result, state.attempts) == ("heir", 2)
    assert asyncio.get_running_loop().time() - began >= 1


async def test_thawed_worker_is_refused(tasks: Tasks) -> None:
    frozen = tasks.process("work", name="frozen", lease_seconds=1)
    task_id = await tasks.start("work")
    await tasks.until_marked("frozen: second")
    frozen.send_signal(signal.SIGSTOP)

    async with tasks.working({"work": three_steps(tasks.database, "heir")}):
        state = await tasks.ended(task_id)
    assert frozen.stdin
    frozen.stdin.close()
    frozen.send_signal(signal.SIGCONT)
    # It takes the next task only after it has given up the one it lost.
    following = await tasks.start("work")
    await tasks.ended(following)

    assert (state.result, state.attempts) == ("heir", 2)
    assert "frozen: third" not in tasks.marks()[:4]
    assert tasks.marks()[:4] == ["frozen: first", "frozen: second", "heir: second", "heir: third"]


async def test_long_step_outlives_its_lease_by_heartbeats(tasks: Tasks) -> None:
    runs, release = 0, asyncio.Event()

    async def handler(task: TaskContext) -> None:
        async def long() -> None:
            nonlocal runs
            runs += 1
            await release.wait()

        await task.step("long", long)

    async with tasks.working({"work": handler}, lease_seconds=3):
        task_id = await tasks.start("work")
        (lease,) = await eventually(lambda: leases(tasks))

        async def is_renewed() -> bool:
            return await leases(tasks) > [lease]

        await eventually(is_renewed)
        release.set()
        state = await tasks.ended(task_id)

    assert (state.state, state.attempts, runs) == ("completed", 1, 1)


async def leases(tasks: Tasks) -> list[datetime]:
    """When the claims that there are end."""
    claims = "select claim_expires_at from absurd.r_orchestrator where claim_expires_at is not null"
    return [ends_at for (ends_at,) in tasks.platform.rows(claims)]


async def test_cancel_reaches_the_handler(tasks: Tasks) -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(task: TaskContext) -> None:
        async def long() -> None:
            began.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        await task.step("long", long)

    async with tasks.working({"work": handler}):
        task_id = await tasks.start("work")
        await began.wait()
        with context.scope(company_id=ZURICH):
            await tasks.database.run(lambda: tasks.durable.cancel(task_id))
        await asyncio.wait_for(cancelled.wait(), PATIENCE_SECONDS)

    assert (await tasks.state(task_id)).state == "cancelled"


async def test_stopped_worker_gives_its_run_back_without_using_up_an_attempt(tasks: Tasks) -> None:
    began = asyncio.Event()

    async def slow(task: TaskContext) -> None:
        await task.database_step("first", lambda: mark(tasks.database, "first"))
        began.set()
        await task.step("long", asyncio.Event().wait)

    async with tasks.working({"work": slow}, drain_seconds=0.1):
        task_id = await tasks.start("work")
        await began.wait()
    assert (await tasks.state(task_id)).state == "sleeping"

    async def quick(task: TaskContext) -> int:
        await task.database_step("first", lambda: mark(tasks.database, "again"))
        return task.attempt

    async with tasks.working({"work": quick}):
        state = await tasks.ended(task_id)

    assert (state.result, tasks.marks()) == (1, ["first"])


async def test_one_slow_task_holds_nobody_up(tasks: Tasks) -> None:
    release = asyncio.Event()

    async def slow(task: TaskContext) -> None:
        await task.step("wait", release.wait)

    async with tasks.working({"slow": slow, "work": three_steps(tasks.database, "a")}, concurrency=2):
        held = await tasks.start("slow")
        for _ in range(3):
            assert (await tasks.ended(await tasks.start("work"))).state == "completed"
        assert (await tasks.state(held)).state == "running"
        release.set()
        await tasks.ended(held)


async def test_task_of_a_dead_worker_at_its_last_attempt_fails_with_notice(tasks: Tasks) -> None:
    victim = tasks.process("work", name="victim")
    task_id = await tasks.start("work", max_attempts=1)
    await tasks.until_marked("victim: second")
    victim.kill()
    told = asyncio.Event()

    async def on_failure(_: object) -> None:
        told.set()

    async with tasks.working({}, on_failure=on_failure):
        state = await tasks.ended(task_id)

    assert (state.state, state.failure["code"]) == ("failed", "worker_died")
    assert told.is_set()


async def test_heartbeats_are_one_statement_for_all_runs(tasks: Tasks) -> None:
    release = asyncio.Event()

    async def slow(task: TaskContext) -> None:
        await task.step("wait", release.wait)

    async with tasks.working({"slow": slow}, lease_seconds=3600) as worker:
        started = [await tasks.start("slow") for _ in range(5)]

        async def all_running() -> bool:
            return all([(await tasks.state(task_id)).state == "running" for task_id in started])

        await eventually(all_running)
        before = await leases(tasks)
        await worker._beat()
        after = await leases(tasks)
        release.set()
        for task_id in started:
            assert (await tasks.ended(task_id)).attempts == 1

    assert len(before) == len(after) == 5
    assert min(after) > max(before)


class TestTakingUp:
    async def test_what_a_unit_of_work_started_begins_after_it_without_a_claim_of_its_own(
        self, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with tasks.working({"work": at_once}) as worker:
            await tasks.ended(await tasks.start("work"))
            woken = list[str]()
            monkeypatch.setattr(tasks.database.wakeups, "send", lambda name, key="": woken.append(name))
            task_id = await tasks.start_and("work", worker.take_up)

            assert (await tasks.ended(task_id)).result == "done"
        assert woken == []

    async def test_nothing_is_begun_of_a_unit_that_was_rolled_back(self, tasks: Tasks) -> None:
        begun = list[UUID]()

        async def handler(task: TaskContext) -> None:
            begun.append(task.task_id)

        async with tasks.working({"work": handler}) as worker:

            async def failing() -> None:
                await worker.take_up()
                raise LookupError

            with pytest.raises(LookupError):
                await tasks.start_and("work", failing)
            kept = await tasks.start("work")
            await tasks.ended(kept)

            assert begun == [kept]

    async def test_where_there_is_no_room_others_are_woken(self, tasks: Tasks) -> None:
        resting = tasks.worker({})
        task_id = await tasks.start_and("work", resting.take_up)
        assert (await tasks.state(task_id)).state == "pending"

        async with tasks.working({"work": at_once}):
            assert (await tasks.ended(task_id)).attempts == 1

    async def test_a_worker_that_stops_meanwhile_gives_the_run_back(self, tasks: Tasks) -> None:
        stopping, stop = tasks.worker({"work": at_once}), asyncio.Event()
        running = asyncio.create_task(stopping.run(stop))

        async def take_up_and_stop() -> None:
            await stopping.take_up()
            stop.set()
            await running

        await asyncio.sleep(0)
        task_id = await tasks.start_and("work", take_up_and_stop)

        async with tasks.working({"work": at_once}):
            state = await tasks.ended(task_id)
        assert (state.result, state.attempts) == ("done", 1)


async def at_once(task: TaskContext) -> str:
    return "done"


@pytest.mark.parametrize("places", [1, 4])
async def test_a_company_with_a_long_queue_does_not_keep_another_waiting(tasks: Tasks, places: int) -> None:
    ended: list[UUID | None] = []
    both = asyncio.Event()

    async def handler(task: TaskContext) -> None:
        ended.append(context.current().company_id)
        if len(ended) == 30:
            both.set()

    for _ in range(25):
        await tasks.start("note")
    for _ in range(5):
        await tasks.start("note", company=GENEVA)
    async with tasks.working({"note": handler}, concurrency=places):
        await asyncio.wait_for(both.wait(), PATIENCE_SECONDS)

    # In order of their coming none of Geneva's would be among the first 25. What is shared is the places: whose tasks
    # take longer, for a connection that has to be made, begins fewer of them.
    assert ended[:20].count(GENEVA) >= 4
    assert ended.count(ZURICH) == 25
