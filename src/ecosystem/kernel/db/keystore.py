"""Wrapped keys in the table `data_keys` of the service's own schema."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.kernel.keys.store import WrappedKey

T = TypeVar("T")

_LOAD = (
    "select company_id, subject, version, parent_version, wrapped from data_keys"
    " where company_id = %s and subject = %s order by version"
)
_ADD = (
    "insert into data_keys (company_id, subject, version, parent_version, wrapped)"
    " values (%(company)s, %(subject)s, %(version)s, %(parent_version)s, %(wrapped)s)"
)
_ADD_ONCE = f"{_ADD} on conflict do nothing"
_REPLACE = (
    "update data_keys set wrapped = %(wrapped)s, parent_version = %(parent_version)s where company_id = %(company)s"
    " and subject = %(subject)s and version = %(version)s and wrapped is not null"
)
_DESTROY = (
    "update data_keys set wrapped = null, destroyed_at = clock_timestamp()"
    " where company_id = %s and subject = %s and wrapped is not null"
)
_COMPANIES = "select companies_with_older_keys(%s)"


class DatabaseKeyStore:
    """The `KeyStore` of a keyring."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def load(self, company_id: UUID, subject: str) -> list[WrappedKey]:
        async def work() -> list[WrappedKey]:
            found = await (await driver(self._db)).execute(_LOAD, (company_id, subject))
            return [WrappedKey(*row) for row in await found.fetchall()]

        return await self._as(company_id, work, self._db.read)

    async def add(self, key: WrappedKey) -> bool:
        return await self._change(key, _ADD_ONCE)

    async def add_first(self, key: WrappedKey) -> None:
        async def work() -> None:
            await (await driver(self._db)).later(_ADD, _values(key))

        await self._as(key.company_id, work, self._db.run)

    async def replace(self, key: WrappedKey) -> None:
        await self._change(key, _REPLACE)

    async def destroy(self, company_id: UUID, subject: str) -> bool:
        async def work() -> bool:
            return (await (await driver(self._db)).execute(_DESTROY, (company_id, subject))).rowcount > 0

        return await self._as(company_id, work, self._db.run)

    async def companies_below(self, parent_version: int) -> list[UUID]:
        async def work() -> list[UUID]:
            found = await (await driver(self._db)).execute(_COMPANIES, (parent_version,))
            return [row[0] for row in await found.fetchall()]

        return await self._db.read(work)

    async def together(self, company_id: UUID, work: Callable[[], Awaitable[T]]) -> T:
        return await self._as(company_id, work, self._db.run)

    def once_kept(self, callback: Callable[[], None]) -> None:
        if self._db.is_open:
            self._db.after_commit(callback)
        else:
            callback()

    async def _change(self, key: WrappedKey, statement: str) -> bool:
        async def work() -> bool:
            return (await (await driver(self._db)).execute(statement, _values(key))).rowcount == 1

        return await self._as(key.company_id, work, self._db.run)

    async def _as(
        self,
        company_id: UUID,
        work: Callable[[], Awaitable[T]],
        within: Callable[[Callable[[], Awaitable[T]]], Awaitable[T]],
    ) -> T:
        if context.current().company_id == company_id:
            return await within(work)
        if not self._db.is_open:
            with context.scope(company_id=company_id):
                return await within(work)
        async with self._db.as_company(company_id):
            return await within(work)


def _values(key: WrappedKey) -> dict[str, object]:
    return {
        "company": key.company_id, "subject": key.subject, "version": key.version,
        "parent_version": key.parent_version, "wrapped": key.wrapped,
    }  # fmt: skip
