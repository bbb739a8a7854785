"""The door for HTTP: the review queue of the caller's company."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from ecosystem.contracts.creditx import Outcome
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.http.admission import Priority, priority
from ecosystem.kernel.http.pagination import Cursor, Limit, Page, moment_and_id, page_of
from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.services.creditx.reviewing.schemas import Decision, ReviewListed, ReviewShown
from ecosystem.services.creditx.reviewing.service import ReviewService, Standing

Reader = Annotated[Principal, Depends(requires("documents:read", company=True))]
Decider = Annotated[Principal, Depends(requires("documents:decide", company=True))]


def router(service: ReviewService, clock: Clock) -> APIRouter:
    routes = APIRouter(tags=["reviews"])

    def shown(standing: Standing) -> ReviewShown:
        return ReviewShown.of(standing, clock.now())

    @routes.get("/v1/reviews")
    async def list_reviews(
        caller: Reader,
        claimed: Annotated[
            Literal["mine", "nobody"] | None, Query(description="Only what the caller holds, or what nobody does.")
        ] = None,
        limit: Limit = 50, cursor: Cursor = None,
    ) -> Page[ReviewListed]:  # fmt: skip
        """Documents that await a decision, the oldest first."""
        after, after_id = moment_and_id(cursor)
        found = await service.page({
            "holder": caller.client_id if claimed == "mine" else None, "free": claimed == "nobody", "after": after,
            "after_id": after_id, "limit": limit + 1,
        })  # fmt: skip
        kept, following = page_of(found, limit, lambda review: (review.requested_at, review.document_id))
        return Page(items=[ReviewListed.of(review, clock.now()) for review in kept], next_cursor=following)

    @routes.get("/v1/reviews/{document_id}")
    async def show_review(document_id: UUID, _: Reader) -> ReviewShown:
        """Who holds a review, or what was decided."""
        return shown(await service.show(document_id))

    @routes.post("/v1/reviews/{document_id}/claim")
    @priority(Priority.URGENT)
    async def claim_review(document_id: UUID, caller: Decider) -> ReviewShown:
        """Hold a review for 30 minutes; the same holder extends it by claiming again."""
        return shown(await service.claim(document_id, caller.client_id))

    @routes.post("/v1/reviews/{document_id}/release")
    @priority(Priority.URGENT)
    async def release_review(document_id: UUID, caller: Decider) -> ReviewShown:
        """Give a claim back, so that somebody else can take it."""
        return shown(await service.release(document_id, caller.client_id))

    @routes.post("/v1/reviews/{document_id}/decide")
    @priority(Priority.URGENT)
    async def decide_review(document_id: UUID, decision: Decision, caller: Decider) -> ReviewShown:
        """Decide a review that the caller holds; the same decision again gives the same answer."""
        return shown(await service.decide(document_id, caller.client_id, Outcome(decision.outcome), decision.reason))

    return routes
