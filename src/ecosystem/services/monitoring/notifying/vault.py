"""Addresses and texts under their keys: what belongs to a person under that person's."""

from uuid import UUID

from ecosystem.kernel.keys.keyring import DataKey, Keyring

CHANNELS, MESSAGES = "notifying/channels", "notifying/messages"


def person_subject(person_id: UUID) -> str:
    """The key of a person on call: destroyed, name, addresses and messages of that person are gone."""
    return f"oncall/person/{person_id}"


class Vault:
    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def seal_url(self, company_id: UUID, channel_id: UUID, person_id: UUID | None, url: str) -> bytes:
        key = await self._key(company_id, CHANNELS, person_id)
        return key.encrypt(url.encode(), aad=f"channels.url/{channel_id}")

    async def url(self, company_id: UUID, channel_id: UUID, person_id: UUID | None, sealed: bytes) -> str:
        """Raises KeyDestroyed, CiphertextRefused."""
        key = await self._key(company_id, CHANNELS, person_id)
        return key.decrypt(sealed, aad=f"channels.url/{channel_id}").decode()

    async def seal_text(self, company_id: UUID, notification_id: UUID, person_id: UUID | None, text: bytes) -> bytes:
        key = await self._key(company_id, MESSAGES, person_id)
        return key.encrypt(text, aad=f"notifications.text/{notification_id}")

    async def text(self, company_id: UUID, notification_id: UUID, person_id: UUID | None, sealed: bytes) -> bytes:
        """Raises KeyDestroyed, CiphertextRefused."""
        key = await self._key(company_id, MESSAGES, person_id)
        return key.decrypt(sealed, aad=f"notifications.text/{notification_id}")

    async def _key(self, company_id: UUID, otherwise: str, person_id: UUID | None) -> DataKey:
        return await self._keyring.subject(company_id, person_subject(person_id) if person_id else otherwise)
