"""Goal: no company's batch keeps another's one document waiting. Method: places taken and given back by hand."""

import asyncio
from contextlib import suppress
from uuid import UUID

import pytest

from ecosystem.kernel.sandbox.places import Places
from tests.support.poll import PATIENCE_SECONDS

A, B, C = UUID(int=1), UUID(int=2), None


class Waiting:
    def __init__(self, places: Places) -> None:
        self.places, self.order = places, list[str]()
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def join(self, name: str, company: UUID | None) -> None:
        async def take() -> None:
            await self.places.take(company)
            self.order.append(name)

        self.tasks[name] = asyncio.create_task(take())
        await asyncio.sleep(0)


async def test_the_company_with_least_at_work_is_next_and_its_own_stay_in_order() -> None:
    waiting = Waiting(Places(2))
    for name, company in (("a1", A), ("a2", A), ("a3", A), ("a4", A), ("b1", B), ("c1", C), ("b2", B)):
        await waiting.join(name, company)

    for company in (A, A, B, C, B):
        waiting.places.give_back(company)
        await asyncio.sleep(0)

    assert waiting.order == ["a1", "a2", "b1", "a3", "c1", "b2", "a4"]


@pytest.mark.parametrize("granted", [False, True], ids=["while it waits", "in the moment of its turn"])
async def test_who_goes_away_leaves_its_place_to_the_next(granted: bool) -> None:
    waiting = Waiting(Places(1))
    for name, company in (("first", A), ("gone", B), ("next", A)):
        await waiting.join(name, company)
    if granted:
        waiting.places.give_back(A)
    waiting.tasks["gone"].cancel()
    with suppress(asyncio.CancelledError):
        await waiting.tasks["gone"]
    if not granted:
        waiting.places.give_back(A)
    await asyncio.wait_for(waiting.tasks["next"], PATIENCE_SECONDS)

    assert waiting.order == ["first", "next"]
