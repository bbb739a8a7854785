"""A workflow on durable execution: calls become steps, waits durable sleeps, passes of a loop tasks of their own.

The answer of a step is kept when the evaluator has said what comes next, so that one transaction holds the
checkpoint, the end of this step and the beginning of the next. An answer that its agent would give again (it has
recorded it, or reads what never changes) is kept while the next call is under way already; any other before it. A
process that dies meanwhile asks again, with the request ids of before.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID, uuid5

from ecosystem.kernel import context
from ecosystem.kernel.agent.client import backups_heard
from ecosystem.kernel.agent.message import NoInstance
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.errors import EcosystemError, Kind, describe
from ecosystem.kernel.resilience.errors import NotTried
from ecosystem.workflow.errors import ErrorValue, Fault, fault_of, late
from ecosystem.workflow.lanes import Lanes
from ecosystem.workflow.line import REFUSALS_MAX, Answered, Line, Queue
from ecosystem.workflow.passes import Passes
from ecosystem.workflow.port import Loop, Step

T = TypeVar("T")

_PAUSES = (0.1, 0.3, 1.0, 2.0)


@dataclass(frozen=True)
class Done:
    """A finished step; `error` is None where it was answered."""

    step: Step
    began_at: datetime
    ended_at: datetime
    error: ErrorValue | None


class Journal(Protocol):
    """What a run's history is written to; called inside of the unit of work that keeps the checkpoint."""

    async def turn(self, done: Sequence[Done], coming: Step | Loop | None) -> None: ...

    async def finish(self, done: Sequence[Done], output: Any) -> None: ...

    def is_news(self, coming: Step) -> bool:
        """Whether beginning this step must be written down at once."""


class Tasks(Protocol):
    """The part of kernel/durable's TaskContext that is used here."""

    @property
    def task_id(self) -> UUID: ...

    @property
    def attempt(self) -> int: ...

    def known(self, name: str) -> Any | None:
        """The checkpoint of that name, or None."""

    async def keep(self, states: Mapping[str, Any], work: Callable[[], Awaitable[None]]) -> None:
        """`work` and these checkpoints in one unit of work, fenced against whoever took this task over."""

    def at_end(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` in the transaction that completes the task."""

    async def sleep(self, name: str, seconds: float) -> None: ...

    async def wait_for(self, event_name: str, timeout_seconds: float | None = None) -> Any | None: ...

    async def child(self, name: str, task: str, params: dict[str, Any]) -> UUID:
        """Start a task of its own, once."""

    async def results(self, children: Sequence[UUID]) -> list[Any]:
        """What they returned; suspends until all have ended. Raises ChildFailed."""


class Agents(Protocol):
    async def call_raw(
        self, to: str, request_type: str, payload: dict[str, Any], *, sender: str,
        timeout_seconds: float | None = None, attempts: int = 1, request_id: str | None = None,
    ) -> dict[str, Any]: ...  # fmt: skip


class DurablePort:
    """The port of one run, or of one pass of a loop, in one process.

    `deadline` is the end of the workflow's own timeout, `about` what a pass must know about its run.
    `is_repeatable`: whether the agent, asked again, gives the same answer to this step. `queue`: where questions to
    absent agents wait, each in the place that `began_at` of its run gives it.
    """

    def __init__(
        self, run_id: UUID, generation: int, tasks: Tasks, agents: Agents, journal: Journal, clock: Clock, *,
        sender: str, deadline: datetime | None = None, about: Mapping[str, Any] | None = None,
        is_repeatable: Callable[[Step], bool] = lambda _: False, queue: Queue | None = None,
        began_at: datetime | None = None,
    ) -> None:  # fmt: skip
        self._is_repeatable = is_repeatable
        self._run_id, self._generation, self._tasks = run_id, generation, tasks
        self._agents, self._journal, self._clock = agents, journal, clock
        self._sender, self._deadline = sender, deadline
        self._passes = Passes(tasks, generation, about or {})
        self._lanes = Lanes(tasks.sleep)
        self._line = Line(queue, tasks, self._lanes, run_id, generation, began_at or clock.now())
        self._kept: list[tuple[Done, str, dict[str, Any]]] = []
        self._writing = asyncio.Lock()

    async def call(self, step: Step) -> Any:
        failed = f"{step.key}!{self._generation}"
        if (answered := self._tasks.known(step.key)) is not None:
            return answered["answer"]
        if (before := self._tasks.known(failed)) is not None:
            raise Fault(ErrorValue(**before["error"]))
        answered = None if self._line.has(step) else await self._asked(step)
        if answered is None:
            await self.keep(None)
            answered = await self._line.answer(step, self._seconds_to_deadline)
        caught = answered.fault
        done = Done(step, answered.began_at, self._clock.now(), caught.error if caught else None)
        if caught is None:
            told = {"via": answered.via, "step": step.name, "agent": step.agent} if answered.via else {}
            self._kept.append((done, step.key, {"answer": answered.answer, **told}))
        else:
            self._kept.append((done, failed, {"error": caught.error.as_json()}))
        if not self._lanes.alone:
            await self.keep(None)
        if caught is not None:
            raise caught
        return answered.answer

    async def _asked(self, step: Step) -> Answered | None:
        """What came of asking; None where the question went into the queue of an absent agent."""
        refused = 0
        while True:
            asking, began = await self._begin(step, self._seconds_left(step))
            try:
                answer, via = await asking
                return Answered(began, answer, None, via)
            except (NotTried, NoInstance) as refusal:
                # Nobody was asked, so no attempt is spent: the run sleeps until asking may help.
                refused, least = refused + 1, refusal.retry_after_seconds
                if refused > REFUSALS_MAX and await self._queued(step, refusal):
                    return None
                await self.wait(f"{step.key}/let-in~{self._generation}~{refused}", least, least + 1)
            except EcosystemError as error:
                if error.kind is Kind.TRANSIENT and step.is_last and await self._queued(step, error):
                    return None
                return Answered(began, None, fault_of(describe(error), step.path))

    async def _queued(self, step: Step, error: EcosystemError) -> bool:
        """Whether the question waits in the queue now."""
        await self.keep(None)
        async with self._writing:
            return await self._line.enter(step, self._request_id(step), self._sender, error, self._clock.now())

    async def _begin(self, step: Step, seconds: float) -> tuple[Awaitable[tuple[Any, str | None]], datetime]:
        """Keep what was answered, and ask: at the same time where the answers in hand can be had again."""
        repeatable = all(done.error is None and self._is_repeatable(done.step) for done, *_ in self._kept)
        if not (self._kept and repeatable and self._lanes.alone):
            await self.keep(step)
            return self._ask(step, seconds), self._clock.now()
        began, asking = self._clock.now(), asyncio.create_task(self._ask(step, seconds))
        try:
            # The question first, which takes a task of ours and one of gRPC's: nobody waits for what is written.
            for _ in range(2):
                await asyncio.sleep(0)
            await self.keep(step)
        except BaseException:
            # The run is not ours any more, or cannot be written: then nobody waits for this answer.
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            raise
        return asking, began

    async def wait(self, key: str, least_seconds: float, most_seconds: float) -> None:
        await self.keep(None)
        await self._lanes.wait(key, random.uniform(least_seconds, most_seconds))  # noqa: S311 spreads, keeps no secret

    async def passes(self, loop: Loop) -> list[Any]:
        begun = f"{loop.key}!{self._generation}"
        if self._tasks.known(begun) is None:
            await self._write(loop, {begun: {"passes": len(loop.passes)}})
        return await self._passes.outputs(loop)

    async def together(self, branches: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        await self.keep(None)
        return await self._lanes.together(branches)

    async def keep(self, coming: Step | None) -> None:
        """Write down what was answered, and that `coming` begins."""
        async with self._writing:
            if self._kept or (coming is not None and self._journal.is_news(coming)):
                await self._write(coming, {})

    async def _write(self, coming: Step | Loop | None, states: Mapping[str, Any]) -> None:
        kept, self._kept = self._kept, []
        done = [done for done, *_ in kept]
        states = {**states, **{name: state for _, name, state in kept}}
        await self._patiently(lambda: self._tasks.keep(states, lambda: self._journal.turn(done, coming)))

    async def _patiently(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write again where the database is away for a moment: an answer in hand is not given up for that.

        A commit that went through unseen is found out by the fence or repeats the same checkpoints.
        """
        for pause in _PAUSES:
            try:
                return await write()
            except EcosystemError as error:
                if not error.retryable:
                    raise
                await self._clock.sleep(pause)
        return await write()

    def finish(self, output: Any) -> None:
        """Have the last answer and the end of the run written down in the transaction that completes the task."""
        done = [done for done, *_ in self._kept]
        self._tasks.at_end(lambda: self._journal.finish(done, output))

    async def _ask(self, step: Step, seconds: float) -> tuple[Any, str | None]:
        """The answer, and the backup that gave it, if one did."""
        attempt = step.attempt + self._tasks.attempt - 1 + self._generation
        with context.scope(attempt=attempt), backups_heard() as heard:
            answer = await self._agents.call_raw(
                step.agent, step.request_type, step.arguments, sender=self._sender, timeout_seconds=seconds,
                request_id=self._request_id(step),
            )  # fmt: skip
        return answer, heard[-1] if heard else None

    def _request_id(self, step: Step) -> str:
        """The question keeps its id over attempts, crashes and retries, so that an effect happens once."""
        return str(uuid5(self._run_id, step.identity))

    def _seconds_left(self, step: Step) -> float:
        left = self._seconds_to_deadline()
        if left is None:
            return step.timeout_seconds
        if left <= 0:
            raise late(step.path)
        return min(left, step.timeout_seconds)

    def _seconds_to_deadline(self) -> float | None:
        return None if self._deadline is None else (self._deadline - self._clock.now()).total_seconds()
