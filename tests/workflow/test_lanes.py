"""Goal: branches of one durable task sleep only together. Method: lanes with a sleep that is written down."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ecosystem.workflow.lanes import Lanes


class Suspended(BaseException):
    """As durable execution ends a handler."""


class Sleeps:
    def __init__(self, *, suspend: bool = False) -> None:
        self.slept: list[tuple[str, float]] = []
        self.working, self.suspend = 0, suspend

    async def __call__(self, key: str, seconds: float) -> None:
        assert self.working == 0, "somebody is still at work"
        self.slept.append((key, seconds))
        if self.suspend:
            raise Suspended

    def lane(self, lanes: Lanes, name: str, seconds: list[float]) -> Callable[[], Awaitable[str]]:
        async def work() -> str:
            for turn, pause in enumerate(seconds):
                self.working += 1
                for _ in range(turn + 3):
                    await asyncio.sleep(0)
                self.working -= 1
                await lanes.wait(f"{name}{turn}", pause)
            return name

        return work


async def test_all_wait_for_the_slowest_and_sleep_the_longest_time() -> None:
    sleeps = Sleeps()
    lanes = Lanes(sleeps)
    results = await lanes.together([
        sleeps.lane(lanes, "a", [1, 5]), sleeps.lane(lanes, "b", [3]), sleeps.lane(lanes, "c", []),
    ])  # fmt: skip

    assert results == ["a", "b", "c"]
    assert sleeps.slept == [("a0+1", 3), ("a1", 5)]
    assert lanes.alone


async def test_a_suspension_ends_every_lane() -> None:
    sleeps = Sleeps(suspend=True)
    lanes = Lanes(sleeps)
    with pytest.raises(Suspended):
        await lanes.together(
            [sleeps.lane(lanes, "a", [1]), sleeps.lane(lanes, "b", [3, 4]), sleeps.lane(lanes, "c", [])]
        )

    assert sleeps.slept == [("a0+1", 3)]


async def test_a_lane_that_breaks_lets_nobody_sleep() -> None:
    sleeps = Sleeps()
    lanes = Lanes(sleeps)

    async def breaks() -> str:
        await asyncio.sleep(0)
        raise LookupError("ours")

    with pytest.raises(LookupError):
        await lanes.together([sleeps.lane(lanes, "a", [1]), breaks, sleeps.lane(lanes, "b", [2])])

    assert sleeps.slept == []


async def test_answers_are_waited_for_when_nobody_sleeps_and_each_goes_to_its_lane() -> None:
    sleeps = Sleeps()
    lanes = Lanes(sleeps)

    def hears(name: str) -> Callable[[], Awaitable[str]]:
        async def listen() -> str:
            assert sleeps.working == 0, "somebody is still at work"
            sleeps.slept.append((f"hear {name}", 0))
            return f"answer of {name}"

        return lambda: lanes.hear(name, listen)

    results = await lanes.together([hears("z"), sleeps.lane(lanes, "a", [1, 5]), hears("b")])

    assert results == ["answer of z", "a", "answer of b"]
    assert sleeps.slept == [("a0", 1), ("a1", 5), ("hear b", 0), ("hear z", 0)]


async def test_who_waits_for_an_answer_suspends_every_lane() -> None:
    lanes, ended = Lanes(Sleeps()), list[str]()

    async def listen() -> str:
        raise Suspended

    async def hears(name: str) -> None:
        try:
            await lanes.hear(name, listen)
        except Suspended:
            ended.append(name)
            raise

    with pytest.raises(Suspended):
        await lanes.together([lambda: hears("a"), lambda: hears("b")])

    assert sorted(ended) == ["a", "b"]
