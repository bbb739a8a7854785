"""The link in a page: who it was sent to, what it takes up, until when, and the platform's proof of it.

token = base64url(company 16 bytes | page 16 | person 16 | expiry, seconds since 1970, 8 | HMAC-SHA256, first 16).
It takes a page up once because a page is taken up once; it opens nothing else.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from ecosystem.kernel.keys.keyring import PLATFORM, Keyring
from ecosystem.services.monitoring.errors import LinkRefused

_PURPOSE = "oncall link/"
_BODY_BYTES, _PROOF_BYTES = 56, 16
NOBODY = UUID(int=0)
BY_PERSON, BY_LINK = "person:", "link"
"""How it is recorded who took a page by a link: a person, or somebody who reads a channel."""


@dataclass(frozen=True)
class Link:
    """`person_id` is None for one that went to a channel of many readers."""

    company_id: UUID
    page_id: UUID
    person_id: UUID | None
    expires_at: datetime

    @property
    def holder(self) -> str:
        return f"{BY_PERSON}{self.person_id}" if self.person_id else BY_LINK


class Links:
    def __init__(self, keyring: Keyring, base_url: str) -> None:
        self._keyring, self._base = keyring, base_url.rstrip("/")

    async def url(self, link: Link) -> str:
        return f"{self._base}/v1/oncall/link?token={await self.token(link)}"

    async def token(self, link: Link) -> str:
        seconds = int(link.expires_at.timestamp()).to_bytes(8, "big")
        body = link.company_id.bytes + link.page_id.bytes + (link.person_id or NOBODY).bytes + seconds
        return base64.urlsafe_b64encode(body + await self._proof(body)).decode()

    async def read(self, token: str, now: datetime) -> Link:
        """Raises LinkRefused: not whole, not ours, or too old."""
        try:
            found = base64.b64decode(token[:200].encode(), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise LinkRefused from None
        body, proof = found[:_BODY_BYTES], found[_BODY_BYTES:]
        if len(found) != _BODY_BYTES + _PROOF_BYTES or not hmac.compare_digest(proof, await self._proof(body)):
            raise LinkRefused
        seconds = int.from_bytes(body[48:], "big")
        if seconds <= now.timestamp():
            raise LinkRefused("The link is too old.")
        person_id = UUID(bytes=body[32:48])
        return Link(
            UUID(bytes=body[:16]), UUID(bytes=body[16:32]), None if person_id == NOBODY else person_id,
            datetime.fromtimestamp(seconds, UTC),
        )  # fmt: skip

    async def _proof(self, body: bytes) -> bytes:
        return (await self._keyring.company(PLATFORM)).blind_index(_PURPOSE + body.hex())[:_PROOF_BYTES]
