"""What is created under an Idempotency-Key is created once; a secret that was answered with it is not kept for that.

The secret of a client that is created under a key is derived from the key, the client's new id and a key of the
platform. The platform keeps a digest of the Idempotency-Key only: without the caller, who sends it again, the secret
cannot be had a second time, and without the platform nobody can compute it.
"""

import base64
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import orjson

from ecosystem.kernel import context
from ecosystem.kernel.http.idempotency import IdempotencyKeyReused, digest_of_key
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.keys.keyring import PLATFORM
from ecosystem.services.authn import model
from ecosystem.services.authn.errors import CreationSpent
from ecosystem.services.authn.model import Client, Creation
from ecosystem.services.authn.tokens.issuing import PURPOSE
from ecosystem.services.authn.tokens.keys import Parts

_DERIVED = "of a client created under a key"
_CONTENT = "content of a creation"


@dataclass(frozen=True)
class Keyed:
    """A request to create something under a key of its caller. Its key is never stored."""

    company_id: UUID
    client_id: str
    key: str
    fingerprint: bytes

    def creation_of(self, made_id: str, parts: Parts) -> Creation:
        digest = digest_of_key(self.key)
        return Creation(self.company_id, self.client_id, digest, self.fingerprint, made_id, parts.clock.now())


async def keyed(parts: Parts, principal: Principal, key: str | None, *content: object) -> Keyed | None:
    """`content`: what is asked for, JSON-ready, after it was checked. None where the caller names no key."""
    if key is None:
        return None
    platform = await parts.keyring.company(PLATFORM)
    fingerprint = platform.blind_index(_text(_CONTENT, *content))
    return Keyed(principal.company_id or PLATFORM, principal.client_id, key, fingerprint)


async def created_before(parts: Parts, asked: Keyed | None, made_id: str) -> Creation | None:
    """Inside of a unit of work, before anything is created: take the key for `made_id`, or say what it stands for.

    Raises:
        IdempotencyKeyReused: it stands for other content.
    """
    if asked is None:
        return None
    kept = await parts.identities.take_key(asked.creation_of(made_id, parts))
    if kept.fingerprint != asked.fingerprint:
        raise IdempotencyKeyReused
    return None if kept.made_id == made_id else kept


async def secret_for(parts: Parts, asked: Keyed | None, client_id: str) -> str:
    """256 bits: random, or, where they must be found again for the same key, derived."""
    if asked is None:
        return parts.ids.token(32)
    platform = await parts.keyring.company(PLATFORM)
    derived = platform.blind_index(_text(_DERIVED, asked.company_id, asked.client_id, client_id, asked.key))
    return base64.urlsafe_b64encode(derived).decode().rstrip("=")


async def created_client(parts: Parts, asked: Keyed, before: Creation, repeat_seconds: int) -> tuple[Client, str]:
    """The client that was created under the key, and its secret. Raises CreationSpent."""
    secret, now = await secret_for(parts, asked, before.made_id), parts.clock.now()
    digest = (await parts.keyring.company(PLATFORM)).blind_index(PURPOSE + secret)

    async def work() -> tuple[Client | None, list[bytes]]:
        client = await parts.identities.find_client(before.made_id)
        async with parts.database.as_company(client.company_id if client else None):
            return client, await parts.identities.digests(before.made_id, now)

    with context.scope(company_id=None):
        client, digests = await parts.database.read(work)
    late = now > before.made_at + timedelta(seconds=repeat_seconds)
    if client is None or client.revoked_at is not None or late or not model.matches(digest, digests):
        raise CreationSpent(client_id=before.made_id)
    return client, secret


def _text(*parts: object) -> str:
    """Unambiguous: no two lists of parts give the same text."""
    return orjson.dumps(parts).decode()
