"""One call of an agent, as its handler sees it."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from ecosystem.kernel.agent.card import Result

R = TypeVar("R", bound=Result)


class Recorder(Protocol):
    """Keeps the answer of a task with an effect in the transaction of the effect."""

    async def commit(self, work: Callable[[], Awaitable[R]]) -> R: ...


class Uncommitted:
    """The recorder of a task that declares no effect: committing one is a mistake of its handler."""

    async def commit(self, work: Callable[[], Awaitable[R]]) -> R:
        raise TypeError("The task is declared as a reading: declare it with effect=True to commit.")


_UNCOMMITTED = Uncommitted()


class Call(NamedTuple):
    """Who asks, for whom, and how long. `timeout_seconds` is what was left when the call arrived."""

    request_id: str
    from_agent_id: str
    to_agent_id: str
    company_id: UUID | None
    user_id: str | None
    attempt: int
    trace_id: str | None
    timeout_seconds: float
    recorder: Recorder = _UNCOMMITTED

    async def commit(self, work: Callable[[], Awaitable[R]]) -> R:
        """Run `work` in one unit of work and record what it returns as this request's answer, in the same one.

        Where the request was answered before (also by another replica at the same moment) nothing of `work` stays
        and that answer is returned. `work` may run more than once; slow work belongs before this call.
        """
        return await self.recorder.commit(work)
