"""People of a rota: their names, addresses and what the rota calls them, under a key of their own."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import orjson

from ecosystem.kernel.keys.errors import KeyDestroyed
from ecosystem.kernel.keys.keyring import Keyring
from ecosystem.services.monitoring.calling.model import Person
from ecosystem.services.monitoring.calling.repository import PersonRow
from ecosystem.services.monitoring.notifying.vault import person_subject


@dataclass(frozen=True)
class Named:
    """What is sealed of a person."""

    key: str
    name: str


class Sealed:
    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def index(self, company_id: UUID, key: str) -> bytes:
        """What finds a person again by what the rota calls them."""
        return (await self._keyring.company(company_id)).blind_index(f"oncall person/{key}")

    async def seal(self, company_id: UUID, person_id: UUID, named: Named) -> bytes:
        key = await self._keyring.subject(company_id, person_subject(person_id))
        return key.encrypt(orjson.dumps([named.key, named.name]), aad=f"people.sealed/{person_id}")

    async def person(self, company_id: UUID, row: PersonRow) -> Person:
        try:
            key = await self._keyring.subject(company_id, person_subject(row.person_id))
            said, name = orjson.loads(key.decrypt(row.sealed, aad=f"people.sealed/{row.person_id}"))
        except KeyDestroyed:
            said, name = None, None
        return Person(row.person_id, said, name, row.time_zone, row.quiet, tuple(row.channels))

    async def people(self, company_id: UUID, rows: Iterable[PersonRow]) -> dict[UUID, Person]:
        return {row.person_id: await self.person(company_id, row) for row in rows}

    async def forget(self, company_id: UUID, person_ids: Iterable[UUID]) -> None:
        """Destroy their keys: names, addresses and messages to them can never be read again."""
        for person_id in person_ids:
            await self._keyring.destroy(company_id, person_subject(person_id))
