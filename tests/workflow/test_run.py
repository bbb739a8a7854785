"""Goal: an answer in hand is not lost to a short absence of the database. Method: the port on tasks in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from ecosystem.kernel import context
from ecosystem.kernel.agent.message import NoInstance
from ecosystem.kernel.errors import Conflict, EcosystemError, Unavailable
from ecosystem.kernel.resilience.errors import CallNotPermitted
from ecosystem.workflow.errors import Fault
from ecosystem.workflow.port import Step
from ecosystem.workflow.run import Done, DurablePort

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return NOW + timedelta(seconds=sum(self.slept))

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Tasks:
    """Checkpoints in memory; writing raises `errors` first."""

    def __init__(self, errors: Sequence[EcosystemError] = (), kept: Mapping[str, Any] | None = None) -> None:
        self.errors, self.kept, self.attempt = list(errors), dict(kept or {}), 1
        self.end: list[Callable[[], Awaitable[None]]] = []

    def known(self, name: str) -> Any | None:
        return self.kept.get(name)

    async def keep(self, states: Mapping[str, Any], work: Callable[[], Awaitable[None]]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        await work()
        self.kept.update(states)

    def at_end(self, work: Callable[[], Awaitable[None]]) -> None:
        self.end.append(work)

    async def sleep(self, name: str, seconds: float) -> None:
        self.kept[name] = seconds


class Journal:
    def __init__(self) -> None:
        self.lines: list[tuple[list[str], str | None]] = []

    async def turn(self, done: Sequence[Done], coming: Step | None) -> None:
        self.lines.append(([one.step.key for one in done], coming.key if coming else None))

    async def finish(self, done: Sequence[Done], output: Any) -> None:
        self.lines.append(([one.step.key for one in done], f"end {output}"))

    def is_news(self, coming: Step) -> bool:
        return False


class Agents:
    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.asked = error, list[tuple[str | None, float | None, int]]()

    async def call_raw(
        self, to: str, request_type: str, payload: dict[str, Any], *, sender: str,
        timeout_seconds: float | None = None, attempts: int = 1, request_id: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        self.asked.append((request_id, timeout_seconds, context.current().attempt))
        if self.error is not None:
            raise self.error
        return {"n": len(self.asked)}


class Shut(Agents):
    """Lets nobody in, so many times."""

    def __init__(self, *refusals: Exception) -> None:
        super().__init__()
        self.refusals = list(refusals)

    async def call_raw(self, *about: Any, **more: Any) -> dict[str, Any]:
        if self.refusals:
            raise self.refusals.pop(0)
        return await super().call_raw(*about, **more)


def a_step(key: str, *, attempt: int = 1, identity: str = "") -> Step:
    return Step(key, identity or key, "it", key, "an-agent", "a_task", {}, 5.0, attempt)


def a_port(tasks: Tasks, agents: Agents, clock: Clock, journal: Journal, **more: Any) -> DurablePort:
    return DurablePort(UUID(int=7), more.pop("generation", 0), tasks, agents, journal, clock, sender="me", **more)


async def test_answer_is_kept_with_the_beginning_of_the_next_step() -> None:
    tasks, agents, journal = Tasks(), Agents(), Journal()
    port = a_port(tasks, agents, Clock(), journal)
    await port.call(a_step("/a"))
    assert tasks.kept == {}
    await port.call(a_step("/b"))
    port.finish("done")
    await tasks.end[0]()

    assert tasks.kept == {"/a": {"answer": {"n": 1}}}
    assert journal.lines == [(["/a"], "/b"), (["/b"], "end done")]


async def test_answer_that_can_be_had_again_is_kept_while_the_next_call_is_under_way() -> None:
    tasks, agents, order = Tasks(), Agents(), list[str]()

    async def slow_keep(states: Mapping[str, Any], work: Callable[[], Awaitable[None]]) -> None:
        while len(agents.asked) < len(order) + 2:  # noqa: ASYNC110 the agents offer no event
            await asyncio.sleep(0)
        order.append("kept")
        tasks.kept.update(states)

    tasks.keep = slow_keep  # type: ignore[method-assign]
    port = a_port(tasks, agents, Clock(), Journal(), is_repeatable=lambda _: True)
    answers = [await port.call(a_step(key)) for key in ("/a", "/b", "/c")]

    assert answers == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert (order, list(tasks.kept)) == (["kept", "kept"], ["/a", "/b"])


async def test_call_under_way_is_given_up_where_the_run_is_not_ours_any_more() -> None:
    tasks, agents = Tasks([Conflict()]), Agents()
    port = a_port(tasks, agents, Clock(), Journal(), is_repeatable=lambda _: True)
    await port.call(a_step("/a"))
    with pytest.raises(Conflict):
        await port.call(a_step("/b"))

    assert tasks.kept == {}
    successor = a_port(tasks, agents, Clock(), Journal(), is_repeatable=lambda _: True)
    for key in ("/a", "/b"):
        await successor.call(a_step(key))
    # Whoever goes on asks the same two questions, and is answered from the agents' records.
    assert len({asked[0] for asked in agents.asked}) == 2


async def test_short_absence_is_waited_out_and_a_refusal_is_not() -> None:
    clock, tasks = Clock(), Tasks([Unavailable(), Unavailable()])
    port = a_port(tasks, Agents(), clock, Journal())
    await port.call(a_step("/a"))
    await port.keep(None)
    refused = a_port(Tasks([Conflict()]), Agents(), Clock(), Journal())
    await refused.call(a_step("/a"))

    assert (list(tasks.kept), clock.slept) == (["/a"], [0.1, 0.3])
    with pytest.raises(Conflict):
        await refused.keep(None)


async def test_attempts_and_retries_ask_the_same_question() -> None:
    agents = Agents()
    await a_port(Tasks(), agents, Clock(), Journal()).call(a_step("/a"))
    await a_port(Tasks(), agents, Clock(), Journal(), generation=1).call(a_step("/a@2", attempt=2, identity="/a"))
    await a_port(Tasks(), agents, Clock(), Journal()).call(a_step("/b"))

    first, again, other = agents.asked
    assert first[0] == again[0] != other[0]
    assert (first[2], again[2]) == (1, 3)


async def test_failed_answers_are_forgotten_by_the_next_generation_only() -> None:
    tasks = Tasks()
    port = a_port(tasks, Agents(Unavailable()), Clock(), Journal())
    with pytest.raises(Fault):
        await port.call(a_step("/a"))
    await port.keep(None)
    silent = Agents()
    with pytest.raises(Fault, match="unavailable"):
        await a_port(tasks, silent, Clock(), Journal()).call(a_step("/a"))

    assert silent.asked == []
    assert await a_port(tasks, silent, Clock(), Journal(), generation=1).call(a_step("/a")) == {"n": 1}


async def test_no_call_outlives_the_workflows_own_time() -> None:
    agents, clock = Agents(), Clock()
    port = a_port(Tasks(), agents, clock, Journal(), deadline=NOW + timedelta(seconds=2))
    await port.call(a_step("/a"))
    clock.slept.append(3)

    assert agents.asked[0][1] == 2
    with pytest.raises(Fault, match="run did not end") as raised:
        await port.call(a_step("/b"))
    assert not raised.value.catchable


async def test_who_is_not_let_in_sleeps_and_spends_no_attempt() -> None:
    shut = Shut(CallNotPermitted(retry_after_seconds=60), NoInstance(), CallNotPermitted(retry_after_seconds=2))
    tasks = Tasks()

    answer = await a_port(tasks, shut, Clock(), Journal()).call(a_step("/a"))

    assert answer == {"n": 1}
    assert [attempt for _, _, attempt in shut.asked] == [1]
    slept = {name: int(seconds) for name, seconds in tasks.kept.items() if "let-in" in name}
    assert slept.keys() == {f"/a/let-in~0~{number}" for number in (1, 2, 3)}
    assert [60 <= slept["/a/let-in~0~1"] <= 61, 1 <= slept["/a/let-in~0~2"] <= 2] == [True, True]
