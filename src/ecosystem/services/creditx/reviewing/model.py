"""A review as a value, and the rules about claims and reasons."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from ecosystem.services.creditx.errors import ReasonRefused

LEASE = timedelta(minutes=30)
"""How long a claim holds a review; claiming it again extends it."""
REASON_CHARACTERS_MIN, REASON_CHARACTERS_MAX = 3, 2000


@dataclass(frozen=True)
class Review:
    """A document that awaits a decision. A claim that has run out keeps its holder until somebody else takes it."""

    document_id: UUID
    requested_at: datetime
    claimed_by: str | None
    claimed_until: datetime | None
    kind: str | None
    status: str
    score: Decimal | None
    failing: list[str]
    reasons: list[str]
    uploaded_at: datetime

    def holder(self, now: datetime) -> str | None:
        """Who holds it now."""
        return self.claimed_by if self.claimed_until is not None and self.claimed_until > now else None


def checked_reason(reason: str) -> str:
    """NFC, without outer spaces. Raises ReasonRefused, which does not repeat it."""
    text = unicodedata.normalize("NFC", reason).strip()
    hidden = any(unicodedata.category(sign) in ("Cc", "Cs", "Co", "Cn") and sign not in "\n\t" for sign in text)
    if not REASON_CHARACTERS_MIN <= len(text) <= REASON_CHARACTERS_MAX or hidden:
        raise ReasonRefused
    return text
