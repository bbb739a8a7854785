"""The use cases: what waits, ask again now, give up."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from ecosystem.kernel import context
from ecosystem.kernel.agent.redelivery import failure_as_json
from ecosystem.kernel.audit.audit import Audit
from ecosystem.kernel.db.database import Database
from ecosystem.services.recovery.errors import CallGivenUp, CallUnknown
from ecosystem.services.recovery.queueing.model import Waiting
from ecosystem.services.recovery.queueing.repository import Queues


class QueueService:
    def __init__(self, database: Database, queues: Queues, audit: Audit) -> None:
        self._database, self._queues, self._audit = database, queues, audit

    async def page(self, agent: str | None, after: datetime | None, after_id: UUID | None, limit: int) -> list[Waiting]:
        """The calls that wait, of all companies, the oldest first."""
        return await self._database.read(lambda: self._queues.page(agent, after, after_id, limit))

    async def hurry(self, call_id: UUID) -> None:
        """Have it asked when its turn is there, with all its attempts again. Raises CallUnknown."""

        async def work() -> None:
            if not await self._queues.hurry(call_id=call_id):
                raise CallUnknown
            await self._audit.record("waiting_call_retried", str(call_id), before=None, after=None)

        await self._decide(work)

    async def hurry_all(self, agent: str) -> int:
        """In the caller's unit of work: the same for all calls to an agent; how many there are."""
        return await self._queues.hurry(agent=agent)

    async def give_up(self, call_id: UUID, reason: str) -> None:
        """End the wait: the run goes on as after a failure of its agent. Raises CallUnknown."""

        async def work() -> None:
            if not await self._queues.give_up(call_id, {"failure": failure_as_json(CallGivenUp())}):
                raise CallUnknown
            after = {"given_up": True, "reason": reason}
            await self._audit.record("waiting_call_given_up", str(call_id), before=None, after=after)

        await self._decide(work)

    async def _decide(self, work: Callable[[], Awaitable[None]]) -> None:
        """The queue is the platform's, whoever's token decides about it."""
        with context.scope(company_id=None):
            await self._database.run(work)
