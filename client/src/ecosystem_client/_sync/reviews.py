"""Reviews: documents that the decision of a person."""

from collections.abc import Iterator
from typing import Literal

from ecosystem_client._sync.caller import Caller
from ecosystem_client.models import Review
from ecosystem_client.reading import Page
from ecosystem_client.request import Request, path_part

Claimed = Literal["mine", "nobody"]


class Reviews:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def page(
        self, *, claimed: Claimed | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Review]:
        """One page, the oldest first; `claimed`: only what this client holds, or what nobody does."""
        return self._caller.page(Review, "/v1/reviews", {"claimed": claimed, "limit": limit, "cursor": cursor})

    def list(self, *, claimed: Claimed | None = None, limit: int | None = None) -> Iterator[Review]:
        """All that a decision, fetched page by page (`limit` reviews each) as you go."""
        return self._caller.all(Review, "/v1/reviews", {"claimed": claimed, "limit": limit})

    def get(self, document_id: str) -> Review:
        """Who holds it, or what was decided. Raises NotFound; Conflict where the document awaits no decision."""
        return self._caller.one(Review, Request("GET", f"/v1/reviews/{path_part(document_id)}"))

    def claim(self, document_id: str) -> Review:
        """Hold a review for 30 minutes; claim again to extend it.

        Raises:
            Conflict: `review_claimed` (`problem["claimed_by"]`, `problem["claimed_until"]`), `review_decided` or
                `review_not_asked`.
        """
        return self._act(document_id, "claim")

    def release(self, document_id: str) -> Review:
        """Give a claim back. Raises Conflict where somebody else holds it (`review_claimed`) or nobody does.

        It is not sent again by itself: the second time nobody holds it any more (`review_not_held`).
        """
        return self._caller.one(Review, Request("POST", f"/v1/reviews/{path_part(document_id)}/release"))

    def decide(self, document_id: str, outcome: Literal["approved", "rejected"], reason: str) -> Review:
        """Make the decision of a person the document's outcome; this client must have claimed it.

        The same decision again gives the same answer, so a broken connection is repaired by sending again.

        Raises:
            Conflict: it is held by somebody else, not claimed, or decided otherwise (`problem["decided_by"]`).
        """
        return self._act(document_id, "decide", {"outcome": outcome, "reason": reason})

    def _act(self, document_id: str, verb: str, body: dict[str, str] | None = None) -> Review:
        request = Request("POST", f"/v1/reviews/{path_part(document_id)}/{verb}", json=body, repeated_is_once=True)
        return self._caller.one(Review, request)
