"""The queue of an absent agent as one run sees it: the question stays there, the answer comes as an event.

A checkpoint says that a step waits, so that whoever takes the run over waits on and asks nobody.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid5

from ecosystem.kernel.agent.waiting import WaitingCall, answer_event
from ecosystem.kernel.errors import EcosystemError, Failure, Kind, Severity
from ecosystem.workflow.errors import Fault, fault_of, late
from ecosystem.workflow.lanes import Lanes
from ecosystem.workflow.port import Step

REFUSALS_MAX = 3
"""So often a run is told that nobody can be asked before its question goes into the queue."""


class Queue(Protocol):
    """The part of kernel/agent's WaitingCalls that is used here."""

    def takes(self, agent_id: str) -> bool: ...

    async def add(self, call: WaitingCall) -> bool:
        """In the open unit of work; False where the queue is full."""

    async def leave(self, *, call_id: UUID | None = None, run_id: UUID | None = None) -> int: ...


class Tasks(Protocol):
    @property
    def task_id(self) -> UUID: ...

    def known(self, name: str) -> Any | None: ...

    async def keep(self, states: Mapping[str, Any], work: Callable[[], Awaitable[None]]) -> None: ...

    async def wait_for(self, event_name: str, timeout_seconds: float | None = None) -> Any | None: ...


@dataclass(frozen=True)
class Answered:
    """`answer` is None where `fault` says what came instead. `via`: the backup that answered, if one did."""

    began_at: datetime
    answer: Any
    fault: Fault | None = None
    via: str | None = None


class _Full(Exception):
    """Leaves the unit of work, so that nothing says that the step waits."""


class Line:
    """`began_at`: when the run began, which is its place among others."""

    def __init__(
        self, queue: Queue | None, tasks: Tasks, lanes: Lanes, run_id: UUID, generation: int, began_at: datetime
    ) -> None:
        self._queue, self._tasks, self._lanes = queue, tasks, lanes
        self._run_id, self._generation, self._began_at = run_id, generation, began_at

    def has(self, step: Step) -> bool:
        """Whether this step waits already."""
        return self._tasks.known(self._name(step)) is not None

    async def enter(self, step: Step, request_id: str, sender: str, error: EcosystemError, now: datetime) -> bool:
        """Put the question into the queue; False where the agent has none, or it is full: then go on without it."""
        queue = self._queue
        if queue is None or not queue.takes(step.agent):
            return False
        call = WaitingCall(
            self._call_id(step), self._tasks.task_id, self._run_id, self._began_at, step.agent, step.request_type,
            request_id, step.arguments, sender, step.timeout_seconds, step.attempt, step.name, error.code,
        )  # fmt: skip

        async def add() -> None:
            if not await queue.add(call):
                raise _Full

        state = {"queued": error.code, "step": step.name, "agent": step.agent, "since": now.isoformat()}
        try:
            await self._tasks.keep({self._name(step): state}, add)
        except _Full:
            return False
        return True

    async def answer(self, step: Step, seconds_left: Callable[[], float | None]) -> Answered:
        """Wait for the answer, as long as the workflow has time. Raises Fault where that is over."""
        call_id, waits = self._call_id(step), self._tasks.known(self._name(step))
        assert waits is not None
        began_at = datetime.fromisoformat(waits["since"])

        async def listen() -> Any | None:
            # Asked for when its turn has come: the time of the workflow may have run out by then.
            left = seconds_left()
            return await self._tasks.wait_for(answer_event(call_id), None if left is None else max(0.0, left))

        value = await self._lanes.hear(step.key, listen)
        if value is None:
            await self._leave(call_id)
            raise late(step.path)
        if (failed := value.get("failure")) is not None:
            failure = Failure(**{**failed, "kind": Kind(failed["kind"]), "severity": Severity(failed["severity"])})
            return Answered(began_at, None, fault_of(failure, step.path))
        return Answered(began_at, value["answer"], via=value.get("via"))

    async def _leave(self, call_id: UUID) -> None:
        async def leave() -> None:
            if self._queue is not None:
                await self._queue.leave(call_id=call_id)

        await self._tasks.keep({}, leave)

    def _name(self, step: Step) -> str:
        return f"{step.key}/queued~{self._generation}"

    def _call_id(self, step: Step) -> UUID:
        return uuid5(self._run_id, self._name(step))
