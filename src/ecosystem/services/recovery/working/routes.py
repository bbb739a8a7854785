"""The door for HTTP: the queue of the caller's company, or without one that of the platform."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends

from ecosystem.kernel.clock import Clock
from ecosystem.kernel.http.pagination import Cursor, Limit, Page, moment_and_id, page_of
from ecosystem.kernel.http.principal import Principal, ScopeMissing, requires
from ecosystem.services.recovery.working.schemas import Closing, Retry, WorkShown
from ecosystem.services.recovery.working.service import WorkService


async def _reader(principal: Annotated[Principal, Depends(requires("runs:read"))]) -> Principal:
    return _of_platform(principal, "platform:read")


async def _writer(principal: Annotated[Principal, Depends(requires("runs:write"))]) -> Principal:
    return _of_platform(principal, "platform:write")


def _of_platform(principal: Principal, scope: str) -> Principal:
    if principal.company_id is None and scope not in principal.scopes:
        raise ScopeMissing(f"The token lacks the scope {scope}.", scopes=[scope])
    return principal


Reader = Annotated[Principal, Depends(_reader)]
Writer = Annotated[Principal, Depends(_writer)]


def router(service: WorkService, clock: Clock) -> APIRouter:
    routes = APIRouter(prefix="/v1/work", tags=["work"])

    @routes.get("")
    async def list_work(
        _: Reader, state: Literal["open", "closed"] = "open", limit: Limit = 50, cursor: Cursor = None
    ) -> Page[WorkShown]:
        """What waits for a person, the oldest first."""
        found = await service.page(state, *moment_and_id(cursor), limit + 1)
        kept, following = page_of(found, limit, lambda item: (item.opened_at, item.item_id))
        return Page(items=[WorkShown.of(item, clock.now()) for item in kept], next_cursor=following)

    @routes.get("/{item_id}")
    async def show_work(item_id: UUID, _: Reader) -> WorkShown:
        """One item with all that is known of it."""
        return WorkShown.of(await service.show(item_id), clock.now())

    @routes.post("/{item_id}/claim")
    async def claim_work(item_id: UUID, by: Writer) -> WorkShown:
        """Hold an item for 30 minutes; the same holder extends it by claiming again."""
        return WorkShown.of(await service.claim(item_id, by.client_id), clock.now())

    @routes.post("/{item_id}/retry")
    async def retry_work(item_id: UUID, retry: Retry, by: Writer) -> WorkShown:
        """Let the run of a held item go on, or start it anew with another input."""
        return WorkShown.of(await service.retry(item_id, by.client_id, retry.input), clock.now())

    @routes.post("/{item_id}/close")
    async def close_work(item_id: UUID, closing: Closing, by: Writer) -> WorkShown:
        """End a held item with a reason."""
        return WorkShown.of(await service.close(item_id, by.client_id, closing.reason), clock.now())

    return routes
