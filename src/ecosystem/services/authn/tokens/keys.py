"""The keys that sign tokens: made, published before they sign, kept until their last token has expired."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from joserfc.jwk import ECKey

from ecosystem.contracts.authn import SigningKeyRotated
from ecosystem.kernel import context
from ecosystem.kernel.audit.audit import Audit
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.ids import Ids
from ecosystem.kernel.keys.keyring import PLATFORM, Keyring
from ecosystem.kernel.messaging.outbox import Outbox
from ecosystem.services.authn.model import Rotation, SigningKey
from ecosystem.services.authn.repository import Identities

_LOOK_SECONDS = 5.0
_SUBJECT = "signing keys"


@dataclass(frozen=True)
class Parts:
    """What every use case of authn works with."""

    identities: Identities
    database: Database
    keyring: Keyring
    outbox: Outbox
    audit: Audit
    clock: Clock
    ids: Ids


class SigningKeys:
    """Private keys are stored encrypted by the keyring and live in the clear in memory only."""

    def __init__(self, parts: Parts, rotation: Rotation) -> None:
        self._parts, self._rotation = parts, rotation
        self._keys: list[SigningKey] = []
        self._looked_at: float | None = None
        self._opened: dict[str, ECKey] = {}

    async def rotate(self) -> None:
        """Make the next key when it is due and drop those nobody needs; any replica may, one at a time does."""
        data_key = await self._parts.keyring.subject(PLATFORM, _SUBJECT)
        new = ECKey.generate_key("P-256")
        key_id = new.thumbprint()
        private = orjson.dumps(new.as_dict(private=True))
        sealed = data_key.encrypt(private, aad=f"signing_keys/{key_id}")
        parts = self._parts

        async def work() -> None:
            await parts.identities.lock_keys()
            now, keys = parts.clock.now(), await parts.identities.keys()
            kept = {key.key_id for key in self._rotation.published(keys, now)}
            for key in keys:
                if key.key_id not in kept:
                    await parts.identities.drop_key(key.key_id)
                    await parts.audit.record("signing_key_dropped", key.key_id, before=None, after=None)
            signs_from = self._rotation.next_signs_from(keys, now)
            if signs_from is None:
                return
            public = {**new.as_dict(private=False), "kid": key_id, "use": "sig", "alg": "ES256"}
            await parts.identities.add_key(SigningKey(key_id, public, sealed, now, signs_from))
            await parts.outbox.add(SigningKeyRotated(key_id=key_id))
            await parts.audit.record(
                "signing_key_made", key_id, before=None, after={"signs_from": signs_from.isoformat()}
            )

        with context.scope(company_id=None):
            await parts.database.run(work)
        self._looked_at = None

    async def jwks(self) -> dict[str, Any]:
        """RFC 7517: the public keys, those to come included."""
        await self._look()
        published = self._rotation.published(self._keys, self._parts.clock.now())
        return {"keys": [key.public for key in published]}

    async def signer(self) -> tuple[str, ECKey]:
        """The key that signs now, and its id. Raises Unavailable before the first was made."""
        await self._look()
        key = self._rotation.signer(self._keys, self._parts.clock.now())
        if key is None:
            raise Unavailable("There is no key to sign tokens with yet.")
        opened = self._opened.get(key.key_id)
        if opened is None:
            data_key = await self._parts.keyring.subject(PLATFORM, _SUBJECT)
            plain = data_key.decrypt(key.private_sealed, aad=f"signing_keys/{key.key_id}")
            opened = ECKey.import_key(orjson.loads(plain))
            self._opened = {key.key_id: opened}
        return key.key_id, opened

    async def _look(self) -> None:
        """Another replica may have made one: far more often than a key is published before it signs."""
        now = self._parts.clock.monotonic()
        if self._looked_at is not None and now - self._looked_at < _LOOK_SECONDS:
            return
        self._keys = await self._parts.database.read(self._parts.identities.keys)
        self._looked_at = now


def rotation_of(period_seconds: int, lead_seconds: int, token_seconds: int) -> Rotation:
    """A verifier's clock may be 30 s behind; a minute more costs nothing."""
    return Rotation(
        timedelta(seconds=period_seconds), timedelta(seconds=lead_seconds), timedelta(seconds=token_seconds + 90)
    )
