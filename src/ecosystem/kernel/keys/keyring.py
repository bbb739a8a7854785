"""Keys by company and subject, unwrapped for a short time, destroyed for ever."""

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from ecosystem.kernel.keys import sealing
from ecosystem.kernel.keys.errors import KeyDestroyed, KeyUnknown
from ecosystem.kernel.keys.master import MasterKeys
from ecosystem.kernel.keys.settings import KeysSettings
from ecosystem.kernel.keys.store import KeyStore, WrappedKey

PLATFORM = UUID(int=0)
"""Stands for the platform itself where a company is asked for, such as the keys that sign tokens."""


class DataKey:
    """The key of one subject in all its versions: the newest encrypts, each decrypts what it encrypted."""

    def __init__(self, company_id: UUID, subject: str, secrets: Mapping[int, bytes], random: sealing.Random) -> None:
        self.company_id, self.subject = company_id, subject
        self._secrets, self._newest, self._random = secrets, max(secrets), random

    @property
    def version(self) -> int:
        return self._newest

    def encrypt(self, plain: bytes, *, aad: str) -> bytes:
        """`aad` names the place (`documents.title/<id>`): what is moved elsewhere cannot be decrypted there."""
        return sealing.seal(self._secrets[self._newest], self._newest, plain, self._bind(aad), self._random)

    def decrypt(self, sealed: bytes, *, aad: str) -> bytes:
        """Raises CiphertextRefused, KeyUnknown."""
        secret = self._secrets.get(sealing.version_of(sealed))
        if secret is None:
            raise KeyUnknown
        return sealing.unseal(secret, sealed, self._bind(aad))

    def _bind(self, aad: str) -> bytes:
        return sealing.bind("data", self.company_id, self.subject, aad)


class CompanyKey(DataKey):
    """The key of a company: it also names objects and indexes texts, so that no two companies' look alike."""

    def __init__(self, company_id: UUID, secret: bytes, random: sealing.Random) -> None:
        super().__init__(company_id, "", {1: sealing.derive(secret, "company data")}, random)
        self._index = sealing.derive(secret, "blind index")
        self._names = sealing.derive(secret, "object names")
        self._wrapping = sealing.derive(secret, "subject keys")

    def blind_index(self, text: str) -> bytes:
        """32 bytes that are equal for equal texts of this company; normalise before."""
        return sealing.derive(self._index, text)

    def object_name(self, content_sha256: bytes | str) -> str:
        """64 hex digits for a content, told apart by company. `content_sha256`: 32 bytes, or their hex digits."""
        digest = content_sha256 if isinstance(content_sha256, str) else content_sha256.hex()
        return sealing.derive(self._names, digest).hex()

    def wrap(self, company_id: UUID, subject: str, version: int, secret: bytes) -> bytes:
        return sealing.wrap(self._wrapping, secret, sealing.bind("subject", company_id, subject, version), self._random)

    def unwrap(self, key: WrappedKey, wrapped: bytes) -> bytes:
        return sealing.unwrap(
            self._wrapping, wrapped, sealing.bind("subject", key.company_id, key.subject, key.version)
        )


class FreshKey(DataKey):
    """The first key of a subject that is only coming to be; nothing may stay encrypted by it unless it is kept."""

    def __init__(self, row: WrappedKey, secret: bytes, random: sealing.Random) -> None:
        super().__init__(row.company_id, row.subject, {row.version: secret}, random)
        self.row = row


@dataclass(frozen=True)
class _Kept:
    key: DataKey
    until: float


class Keyring:
    def __init__(
        self,
        settings: KeysSettings,
        store: KeyStore,
        *,
        random: sealing.Random = os.urandom,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads the master key file at once. Raises MasterKeyRefused."""
        self._settings, self._store = settings, store
        self._random, self._monotonic = random, monotonic
        self._master = MasterKeys(settings.master_key_file)
        self._kept: OrderedDict[tuple[UUID, str], _Kept] = OrderedDict()

    async def company(self, company_id: UUID) -> CompanyKey:
        """The company's own key, made on first use. Raises KeyDestroyed, KeyUnknown, CiphertextRefused."""
        found = self._recall(company_id, "")
        if isinstance(found, CompanyKey):
            return found
        rows = await self._store.load(company_id, "")
        if not rows:
            newest = self._master.newest
            wrapped = self._wrap_company(company_id, self._random(sealing.KEY_BYTES), newest)
            await self._store.add(WrappedKey(company_id, "", 1, newest, wrapped))
            # Another process may have been first: what is kept counts, not what we made.
            rows = await self._store.load(company_id, "")
        key = CompanyKey(company_id, self._unwrap_company(rows[0]), self._random)
        self._remember(key)
        return key

    async def subject(self, company_id: UUID, subject: str) -> DataKey:
        """The data key of one subject (a person, a document), made on first use.

        Raises:
            KeyDestroyed: the subject was erased.
            KeyUnknown, CiphertextRefused: the stored key does not fit the master key.
        """
        if not subject:
            raise ValueError("a subject has a name; the company's own key is `company(...)`")
        found = self._recall(company_id, subject)
        if found is not None:
            return found
        company = await self.company(company_id)
        rows = await self._store.load(company_id, subject)
        if not rows:
            await self._add(company, subject, 1)
            rows = await self._store.load(company_id, subject)
        return self._open(company, subject, rows)

    async def fresh(self, company_id: UUID, subject: str) -> FreshKey:
        """The key of a subject whose id was made just now: give it to `keep` in the unit of work that keeps the rest.

        It saves looking for a key that cannot be there, and a commit of its own.
        """
        company, secret = await self.company(company_id), self._random(sealing.KEY_BYTES)
        wrapped = company.wrap(company_id, subject, 1, secret)
        return FreshKey(WrappedKey(company_id, subject, 1, 1, wrapped), secret, self._random)

    async def keep(self, key: FreshKey) -> None:
        """Inside of a unit of work, which fails where the subject has a key already: that one stays."""
        await self._store.add_first(key.row)
        self._remember(key)

    async def renew(self, company_id: UUID, subject: str) -> DataKey:
        """A new version encrypts from now on; what the older ones encrypted stays readable."""
        company, present = await self.company(company_id), await self.subject(company_id, subject)
        await self._add(company, subject, present.version + 1)
        return self._open(company, subject, await self._store.load(company_id, subject))

    async def destroy(self, company_id: UUID, subject: str) -> bool:
        """Erase a subject: nothing encrypted for it can be read again. False where it never had a key, or no more.

        Other processes may use the key for `keys.cache_seconds` after the commit.
        """

        def forget() -> None:
            self._kept.pop((company_id, subject), None)

        destroyed = await self._store.destroy(company_id, subject)
        forget()
        self._store.once_kept(forget)
        return destroyed

    async def rewrap(self) -> int:
        """Wrap every company's key by the newest master key; how many were older. Nothing else needs to change."""
        newest = self._master.newest
        companies = await self._store.companies_below(newest)
        for company_id in companies:

            async def one(company_id: UUID = company_id) -> None:
                for row in await self._store.load(company_id, ""):
                    if row.wrapped is not None and row.parent_version < newest:
                        wrapped = self._wrap_company(company_id, self._unwrap_company(row), newest)
                        await self._store.replace(WrappedKey(company_id, "", row.version, newest, wrapped))

            await self._store.together(company_id, one)
        return len(companies)

    async def _add(self, company: CompanyKey, subject: str, version: int) -> None:
        wrapped = company.wrap(company.company_id, subject, version, self._random(sealing.KEY_BYTES))
        await self._store.add(WrappedKey(company.company_id, subject, version, 1, wrapped))

    def _open(self, company: CompanyKey, subject: str, rows: list[WrappedKey]) -> DataKey:
        secrets = {row.version: company.unwrap(row, row.wrapped) for row in rows if row.wrapped is not None}
        if not secrets:
            raise KeyDestroyed
        key = DataKey(company.company_id, subject, secrets, self._random)
        self._remember(key)
        return key

    def _wrap_company(self, company_id: UUID, secret: bytes, master_version: int) -> bytes:
        aad = sealing.bind("company", company_id)
        return sealing.wrap(self._master.secret(master_version), secret, aad, self._random)

    def _unwrap_company(self, row: WrappedKey) -> bytes:
        if row.wrapped is None:
            raise KeyDestroyed
        return sealing.unwrap(
            self._master.secret(row.parent_version), row.wrapped, sealing.bind("company", row.company_id)
        )

    def _recall(self, company_id: UUID, subject: str) -> DataKey | None:
        kept = self._kept.get((company_id, subject))
        if kept is None or kept.until <= self._monotonic():
            return None
        self._kept.move_to_end((company_id, subject))
        return kept.key

    def _remember(self, key: DataKey) -> None:
        """Only once it is committed: a key whose row was rolled back would encrypt for nobody."""
        until = self._monotonic() + self._settings.cache_seconds

        def keep() -> None:
            self._kept[(key.company_id, key.subject)] = _Kept(key, until)
            while len(self._kept) > self._settings.cached_keys_max:
                self._kept.popitem(last=False)

        self._store.once_kept(keep)
