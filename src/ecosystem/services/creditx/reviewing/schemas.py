"""What the routes of reviews accept and answer."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ecosystem.contracts.creditx import Outcome
from ecosystem.services.creditx.reviewing.model import REASON_CHARACTERS_MAX, REASON_CHARACTERS_MIN, Review
from ecosystem.services.creditx.reviewing.service import Standing
from ecosystem.services.creditx.schemas import DecisionShown


class ReviewListed(BaseModel):
    """A document that awaits a decision. `claimed_by` and `claimed_until` are None where nobody holds it now."""

    document_id: UUID
    kind: str | None
    status: str
    compliance_score: Decimal | None
    failing_rules: list[str]
    reasons: list[str]
    uploaded_at: datetime
    requested_at: datetime
    claimed_by: str | None
    claimed_until: datetime | None

    @classmethod
    def of(cls, review: Review, now: datetime) -> "ReviewListed":
        held = review.holder(now) is not None
        return cls(
            document_id=review.document_id, kind=review.kind, status=review.status, compliance_score=review.score,
            failing_rules=review.failing, reasons=review.reasons, uploaded_at=review.uploaded_at,
            requested_at=review.requested_at, claimed_by=review.claimed_by if held else None,
            claimed_until=review.claimed_until if held else None,
        )  # fmt: skip


class ReviewShown(BaseModel):
    """`awaits` says whether a decision is still to be made; `decision` is there once it was."""

    document_id: UUID
    awaits: bool
    outcome: Outcome | None
    judged_outcome: Outcome | None
    kind: str | None
    compliance_score: Decimal | None
    failing_rules: list[str]
    reasons: list[str]
    requested_at: datetime | None
    claimed_by: str | None
    claimed_until: datetime | None
    decision: DecisionShown | None
    links: dict[str, str]

    @classmethod
    def of(cls, standing: Standing, now: datetime) -> "ReviewShown":
        document, review = standing.document, standing.review
        held = review is not None and review.holder(now) is not None
        here = f"/v1/documents/{document.document_id}"
        return cls.model_validate({
            "document_id": document.document_id, "awaits": review is not None, "outcome": document.outcome,
            "judged_outcome": document.judged_outcome, "kind": document.kind, "compliance_score": document.score,
            "failing_rules": document.failing, "reasons": document.reasons,
            "requested_at": review.requested_at if review else None,
            "claimed_by": review.claimed_by if review and held else None,
            "claimed_until": review.claimed_until if review and held else None, "decision": standing.decision,
            "links": {"document": here, "result": f"{here}/result", "evidence": f"{here}/evidence"},
        })  # fmt: skip


class Decision(BaseModel):
    """`reason` is kept sealed with the document: it may be about a person."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal["approved", "rejected"]
    reason: str = Field(json_schema_extra={"minLength": REASON_CHARACTERS_MIN, "maxLength": REASON_CHARACTERS_MAX})
