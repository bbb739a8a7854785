"""The door for HTTP: the queue of absent agents, for the operators of the platform."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from ecosystem.kernel.http.pagination import Cursor, Limit, Page, moment_and_id, page_of
from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.services.recovery.queueing.schemas import WaitingShown
from ecosystem.services.recovery.queueing.service import QueueService
from ecosystem.services.recovery.schemas import Decision

Reader = Annotated[Principal, Depends(requires("platform:read"))]
Operator = Annotated[Principal, Depends(requires("platform:write"))]
Agent = Annotated[str | None, Query(max_length=100, pattern=r"^[a-z0-9-]+$", description="Only calls to this agent.")]


def router(service: QueueService) -> APIRouter:
    routes = APIRouter(prefix="/v1/recovery/queue", tags=["recovery"])

    @routes.get("")
    async def queue(_: Reader, limit: Limit = 50, cursor: Cursor = None, agent: Agent = None) -> Page[WaitingShown]:
        """Calls that wait for an agent that is away, the oldest first."""
        found = await service.page(agent, *moment_and_id(cursor), limit + 1)
        kept, following = page_of(found, limit, lambda one: (one.waiting_since, one.call_id))
        return Page(items=[WaitingShown.model_validate(one) for one in kept], next_cursor=following)

    @routes.post("/{call_id}/retry", status_code=204)
    async def retry_call(call_id: UUID, _: Operator) -> None:
        """Have a call brought as soon as it is its turn, with all its attempts again."""
        await service.hurry(call_id)

    @routes.post("/{call_id}/give-up", status_code=204)
    async def give_up_call(call_id: UUID, decision: Decision, _: Operator) -> None:
        """End the wait of a call: its run goes on as after a failure of the agent."""
        await service.give_up(call_id, decision.reason)

    return routes
