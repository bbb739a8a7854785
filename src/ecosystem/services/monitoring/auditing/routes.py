"""The door for HTTP to the audit trail: of the caller's company, or the platform's own where the token names none."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from ecosystem.kernel.http.pagination import Cursor, Limit, Page, moment_and_id, page_of
from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.services.monitoring.auditing.model import Asked, trail_of
from ecosystem.services.monitoring.auditing.schemas import (
    ChainShown,
    EntryShown,
    HeadShown,
    HeadsShown,
    ProofShown,
    read_cursor,
)
from ecosystem.services.monitoring.auditing.service import AuditService

Reader = Annotated[Principal, Depends(requires("audit:read"))]
Word = Annotated[str | None, Query(max_length=200)]
Moment = Annotated[datetime | None, Query(description="ISO 8601; UTC where no offset is given.")]


def router(service: AuditService) -> APIRouter:
    routes = APIRouter(prefix="/v1/audit", tags=["audit"])

    @routes.get("")
    async def listing(
        caller: Reader, actor: Word = None, action: Word = None, target: Word = None, since: Moment = None,
        until: Moment = None, limit: Limit = 50, cursor: Cursor = None,
    ) -> Page[EntryShown]:  # fmt: skip
        """Who did what, newest first. `actor` is the id of a user or of an agent."""
        at, event_id = moment_and_id(cursor)
        asked = Asked(actor, action, target, _utc(since), _utc(until))
        found = await service.page(caller.company_id, asked, at, event_id, limit + 1)
        kept, following = page_of(found, limit, lambda entry: (entry.happened_at, entry.event_id))
        return Page(items=[EntryShown.of(entry) for entry in kept], next_cursor=following)

    @routes.get("/proof")
    async def prove(caller: Reader, cursor: Annotated[str | None, Query(max_length=20_000)] = None) -> ProofShown:
        """Prove that the trail is whole: one step of it, to be asked again with `next_cursor`."""
        return ProofShown.of(await service.prove(caller.company_id, read_cursor(cursor)))

    @routes.get("/chains")
    async def heads(caller: Reader) -> HeadsShown:
        """The end of each chain of the trail."""
        found = await service.heads(caller.company_id)
        return HeadsShown(company_id=trail_of(caller.company_id), items=[HeadShown.of(head) for head in found])

    @routes.get("/chains/{chain}")
    async def chain(
        caller: Reader, chain: Annotated[int, Path(ge=0, le=15)], after: Annotated[int, Query(ge=0, le=2**62)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> ChainShown:  # fmt: skip
        """The entries of one chain, behind number `after`, in its order: what an export is made of."""
        found = await service.chain(caller.company_id, chain, after, limit + 1)
        kept = found[:limit]
        return ChainShown(
            items=[EntryShown.of(entry) for entry in kept],
            next_after=kept[-1].number if len(found) > limit else None,
        )

    @routes.get("/{event_id}")
    async def one(caller: Reader, event_id: UUID) -> EntryShown:
        return EntryShown.of(await service.entry(caller.company_id, event_id))

    return routes


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
