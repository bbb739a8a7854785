"""The use cases of the queue: what comes into it, who takes it up, and how it ends."""

import hashlib
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid5

import orjson

from ecosystem.contracts.orchestrator import ORCHESTRATOR_AGENT, RetryRun, RunFailed, RunStarted
from ecosystem.contracts.recovery import RECOVERY_AGENT, HelpNeeded
from ecosystem.kernel import context
from ecosystem.kernel.agent.card import Result, Task
from ecosystem.kernel.audit.audit import Audit
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.services.recovery.errors import WorkClaimed, WorkClosed, WorkNotClaimed, WorkNotRetried, WorkUnknown
from ecosystem.services.recovery.queueing.model import agent_of
from ecosystem.services.recovery.queueing.service import QueueService
from ecosystem.services.recovery.working.model import LEASE, PLATFORM, Item, WorkKind, item_id
from ecosystem.services.recovery.working.repository import Work

_AROUND = timedelta(minutes=1)


class Agents(Protocol):
    async def call(self, task: Task, *, to: str, sender: str, request_id: str | None = None) -> Result: ...


class WorkService:
    """Callers without a company work on the items of the platform itself."""

    def __init__(
        self, database: Database, work: Work, agents: Agents, audit: Audit, clock: Clock, queue: QueueService
    ) -> None:
        self._database, self._work, self._agents = database, work, agents
        self._audit, self._clock, self._queue = audit, clock, queue

    async def run_failed(self, envelope: Envelope) -> None:
        """A run stays in ERROR: in the unit of work of the consumer."""
        failed = envelope.read(RunFailed)
        episodes = await self._work.episodes_around(envelope.time, _AROUND)
        about = {
            "input": failed.input, "trace_id": envelope.trace_id, "episodes": [str(one) for one in episodes],
            "story": f"/v1/runs/{failed.run_id}/story",
        }  # fmt: skip
        await self._work.open(WorkKind.RUN, failed.run_id, failed.workflow, failed.code, about, envelope.time)

    async def help_needed(self, envelope: Envelope) -> None:
        """A fault needs a person: in the unit of work of the consumer."""
        needed = envelope.read(HelpNeeded)
        component, fault = await self._work.fault_of(needed.episode_id) or ("platform", "unknown")
        about = {
            "reason": needed.reason, "trace_id": envelope.trace_id,
            "story": f"/v1/recovery/episodes/{needed.episode_id}",
        }  # fmt: skip
        async with self._database.as_company(PLATFORM):
            await self._work.open(WorkKind.FAULT, needed.episode_id, component, fault, about, envelope.time)

    async def is_over(self, envelope: Envelope, reason: str) -> None:
        """Its subject needs nobody any more: in the unit of work of the consumer."""
        async with self._database.as_company(envelope.company_id or PLATFORM):
            await self._work.close(item_id(UUID(envelope.subject)), envelope.source, reason, envelope.time)

    async def page(self, state: str, after: datetime | None, after_id: UUID | None, limit: int) -> list[Item]:
        """Items of that state, the oldest first."""
        with _owner():
            return await self._database.read(lambda: self._work.page(state, after, after_id, limit))

    async def show(self, id_: UUID) -> Item:
        """Raises WorkUnknown: also for another company's."""
        with _owner():
            return await self._database.read(lambda: self._known(id_))

    async def claim(self, id_: UUID, by: str) -> Item:
        """Hold an item for 30 minutes, or longer. Raises WorkUnknown, WorkClosed, WorkClaimed."""

        async def work() -> Item:
            now = self._clock.now()
            claimed = await self._work.claim(id_, by, now, now + LEASE)
            item = await self._known(id_)
            if not claimed:
                raise WorkClosed if not item.is_open else WorkClaimed
            await self._record("work_claimed", item, by)
            return item

        with _owner():
            return await self._database.run(work)

    async def retry(self, id_: UUID, by: str, value: dict[str, Any] | None) -> Item:
        """Let the run of a held item go on, or, with `value`, start it anew with that input.

        The orchestrator is asked with an id that follows from the item: asking again retries nothing twice. Calls that
        wait for an agent are brought as soon as it is their turn; their item stays open until the queue is well again.
        Raises WorkUnknown, WorkClosed, WorkNotClaimed, WorkNotRetried, AgentFailed.
        """
        item = await self._held(id_, by)
        if item.kind is not WorkKind.RUN:
            return await self._hurry(item, by)
        digest = hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
        answer = await self._agents.call(
            RetryRun(run_id=item.subject, input=value), to=ORCHESTRATOR_AGENT.id, sender=RECOVERY_AGENT.id,
            request_id=str(uuid5(id_, f"{item.failures}/{digest}")),
        )  # fmt: skip
        assert isinstance(answer, RunStarted)
        reason = "retried" if answer.run_id == item.subject else f"run {answer.run_id} was started instead"
        return await self._end(item, by, reason, "work_retried")

    async def _hurry(self, item: Item, by: str) -> Item:
        agent = agent_of(item.what)
        if agent is None:
            raise WorkNotRetried

        async def work() -> Item:
            await self._queue.hurry_all(agent)
            await self._record("work_retried", item, by)
            return item

        with _owner():
            return await self._database.run(work)

    async def close(self, id_: UUID, by: str, reason: str) -> Item:
        """End a held item with a reason. Raises WorkUnknown, WorkClosed, WorkNotClaimed."""
        return await self._end(await self._held(id_, by), by, reason, "work_closed")

    async def _held(self, id_: UUID, by: str) -> Item:
        item = await self.show(id_)
        if not item.is_open:
            raise WorkClosed
        if item.claimed_by != by:
            raise WorkClaimed if item.holder(self._clock.now()) else WorkNotClaimed
        return item

    async def _end(self, item: Item, by: str, reason: str, action: str) -> Item:
        async def work() -> Item:
            # Where the event of the retry was faster, the item is closed, or has failed again: then it stays so.
            await self._work.close(item.item_id, by, reason, self._clock.now(), held=item)
            await self._record(action, item, by)
            return await self._known(item.item_id)

        with _owner():
            return await self._database.run(work)

    async def _record(self, action: str, item: Item, by: str) -> None:
        owner = context.current().company_id
        async with self._database.as_company(None if owner == PLATFORM else owner):
            after = {"claimed_by": by, "failures": item.failures}
            await self._audit.record(action, str(item.item_id), before={"subject": str(item.subject)}, after=after)

    async def _known(self, id_: UUID) -> Item:
        item = await self._work.find(id_)
        if item is None:
            raise WorkUnknown
        return item


def _owner() -> Any:
    return context.scope(company_id=context.current().company_id or PLATFORM)
