"""The use cases of reviews: list, claim, release, decide. A person's decision becomes the outcome of the document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ecosystem.contracts.creditx import DocumentDecided, Outcome
from ecosystem.services.creditx.errors import (
    DocumentNotFound,
    ReviewClaimed,
    ReviewDecided,
    ReviewNotAsked,
    ReviewNotClaimed,
    ReviewNotHeld,
)
from ecosystem.services.creditx.holding.vault import Vault, aad
from ecosystem.services.creditx.model import Document
from ecosystem.services.creditx.reviewing.model import LEASE, Review, checked_reason
from ecosystem.services.creditx.reviewing.repository import Reviews
from ecosystem.services.creditx.service import Parts


@dataclass(frozen=True)
class Standing:
    """A document with its review while it awaits one, and its decision once there is one."""

    document: Document
    review: Review | None
    decision: Mapping[str, Any] | None


class ReviewService:
    def __init__(self, parts: Parts, reviews: Reviews) -> None:
        self._parts, self._reviews = parts, reviews
        self._database, self._clock = parts.database, parts.clock
        self._vault = Vault(parts.keyring, parts.objects)

    async def page(self, filters: Mapping[str, Any]) -> list[Review]:
        """Reviews, oldest first; `holder` (whose claims only), `free` (what nobody holds), `after`, `limit`."""
        asked = {"holder": None, "free": False, **filters, "now": self._clock.now()}
        return await self._database.read(lambda: self._reviews.page(asked))

    async def show(self, document_id: UUID) -> Standing:
        """Raises DocumentNotFound: also for another company's. ReviewNotAsked, ValuesErased."""
        document, review = await self._database.read(lambda: self._look(document_id))
        if review is not None:
            return Standing(document, review, None)
        if document.decided_at is None:
            raise ReviewNotAsked
        return Standing(document, None, self._vault.decided(document, await self._vault.key(document))["decision"])

    async def claim(self, document_id: UUID, by: str) -> Standing:
        """Hold a review for half an hour; claimed again by the same holder it is held from now on.

        Raises:
            DocumentNotFound, ReviewNotAsked, ReviewDecided.
            ReviewClaimed: somebody else holds it; the error names who and until when.
        """

        async def claim() -> Standing:
            now = self._clock.now()
            claimed = await self._reviews.claim(document_id, by, now, now + LEASE)
            document, review = await self._look(document_id)
            if not claimed:
                raise self._why_not(document, review)
            return Standing(document, review, None)

        return await self._database.run(claim)

    async def release(self, document_id: UUID, by: str) -> Standing:
        """Give a claim back. Raises as `claim` does; ReviewNotHeld where nobody has one, also where it has run out."""

        async def release() -> Standing:
            _, before = await self._look(document_id)
            released = await self._reviews.release(document_id, by)
            document, review = await self._look(document_id)
            if review is None or review.holder(self._clock.now()) is not None:
                raise self._why_not(document, review)
            if not released or before is None or before.holder(self._clock.now()) is None:
                raise ReviewNotHeld
            return Standing(document, review, None)

        return await self._database.run(release)

    async def decide(self, document_id: UUID, by: str, outcome: Outcome, reason: str) -> Standing:
        """Make a person's decision the document's outcome. The same decision again gives the same answer.

        Raises:
            DocumentNotFound, ReasonRefused, ValuesErased, ReviewNotAsked.
            ReviewNotClaimed: `by` does not hold it. ReviewClaimed: somebody else does.
            ReviewDecided: another decision was made before.
        """
        reason = checked_reason(reason)
        before, _ = await self._database.read(lambda: self._look(document_id))
        key = await self._vault.key(before)
        sealed = key.encrypt(reason.encode(), aad=aad("decided_reason", document_id))

        async def decide() -> Standing:
            taken = await self._reviews.take(document_id, by)
            document, review = await self._look(document_id)
            if not taken:
                standing = self._vault.decided(document, key)["decision"]
                if standing and (standing["outcome"], standing["decided_by"], standing["reason"]) == (
                    outcome, by, reason,
                ):  # fmt: skip
                    return Standing(document, None, standing)
                raise self._why_not(document, review)
            await self._keep(document, by, outcome, sealed)
            document, _ = await self._look(document_id)
            return Standing(document, None, self._vault.decided(document, key)["decision"])

        return await self._database.run(decide)

    async def _keep(self, document: Document, by: str, outcome: Outcome, sealed: bytes) -> None:
        now, document_id = self._clock.now(), document.document_id
        await self._reviews.decide(document_id, outcome=outcome.value, by=by, reason=sealed, now=now)
        judged = Outcome(document.judged_outcome) if document.judged_outcome else None
        await self._parts.outbox.add(
            DocumentDecided(
                document_id=document_id, outcome=outcome, judged_outcome=judged, decided_by=by, decided_at=now
            )
        )
        # The reason may be about a person: it stands sealed with the document, never in the log.
        after = {"status": "completed", "outcome": outcome.value, "decided_by": by}
        await self._parts.audit.record(
            "document_decided", str(document_id),
            before={"status": document.status, "outcome": document.outcome}, after=after,
        )  # fmt: skip

    def _why_not(self, document: Document, review: Review | None) -> Exception:
        if review is None:
            if document.decided_at is None:
                return ReviewNotAsked()
            at = document.decided_at.isoformat()
            return ReviewDecided(
                f"It was decided by {document.decided_by} at {at}.", decided_by=document.decided_by, decided_at=at,
                outcome=document.outcome,
            )  # fmt: skip
        holder = review.holder(self._clock.now())
        if holder is None or review.claimed_until is None:
            return ReviewNotClaimed()
        until = review.claimed_until.isoformat()
        return ReviewClaimed(f"{holder} holds it until {until}.", claimed_by=holder, claimed_until=until)

    async def _look(self, document_id: UUID) -> tuple[Document, Review | None]:
        document = await self._parts.documents.find(document_id)
        if document is None:
            raise DocumentNotFound
        return document, await self._reviews.find(document_id)
