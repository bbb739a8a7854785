"""Goal: a crowd of long tasks waits for room, and leaves the others their places. Method: more of them than places."""

import asyncio

from ecosystem.kernel import context
from ecosystem.kernel.durable.task import TaskContext
from tests.kernel.durable.conftest import ZURICH, Tasks
from tests.support.poll import eventually


class Crowd:
    """A handler that says how many were in it at once, and leaves when it may."""

    def __init__(self) -> None:
        self.inside, self.most, self.came = 0, 0, list[str]()
        self.may_leave = asyncio.Event()

    async def __call__(self, task: TaskContext) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.came.append(task.params["name"])
        try:
            await task.step("stay", self.may_leave.wait)
        finally:
            self.inside -= 1


async def at_once(task: TaskContext) -> str:
    return "done"


async def test_who_waits_for_room_takes_no_place(tasks: Tasks) -> None:
    crowd = Crowd()
    async with tasks.working({"long": crowd, "short": at_once}, concurrency=3, rooms={"long": 2}):
        names = [f"n{number}" for number in range(9)]
        long = [await tasks.start("long", {"name": name}) for name in names]

        async def all_claimed() -> bool:
            return {(await tasks.state(one)).state for one in long} == {"running"}

        await eventually(all_claimed)
        assert (await tasks.ended(await tasks.start("short"))).result == "done"
        assert crowd.inside == 2
        crowd.may_leave.set()
        ended = [await tasks.ended(one) for one in long]

    assert ({state.state for state in ended}, crowd.most) == ({"completed"}, 2)
    assert crowd.came == names, "in the order in which they came"
    assert {state.attempts for state in ended} == {1}


async def test_a_task_that_is_cancelled_while_it_waits_gives_nothing_up(tasks: Tasks) -> None:
    crowd = Crowd()
    async with tasks.working({"long": crowd, "short": at_once}, concurrency=2, rooms={"long": 1}):
        first, second, third = [await tasks.start("long", {"name": name}) for name in ("first", "second", "third")]

        async def claimed() -> bool:
            return {(await tasks.state(one)).state for one in (first, second, third)} == {"running"}

        await eventually(claimed)
        with context.scope(company_id=ZURICH):
            await tasks.database.run(lambda: tasks.durable.cancel(second))
        crowd.may_leave.set()
        states = [(await tasks.ended(one)).state for one in (first, second, third)]

    assert states == ["completed", "cancelled", "completed"]
    assert crowd.came == ["first", "third"]


async def test_a_stopped_worker_gives_back_who_waits_as_well(tasks: Tasks) -> None:
    crowd = Crowd()
    async with tasks.working({"long": crowd}, rooms={"long": 1}, drain_seconds=0.05):
        long = [await tasks.start("long", {"name": name}) for name in ("first", "second")]

        async def claimed() -> bool:
            return {(await tasks.state(one)).state for one in long} == {"running"}

        await eventually(claimed)
    crowd.may_leave.set()
    async with tasks.working({"long": crowd}, rooms={"long": 1}):
        ended = [await tasks.ended(one) for one in long]

    assert [(state.state, state.attempts) for state in ended] == [("completed", 1)] * 2
