"""Wrapped keys in the table `data_keys` of the service's own schema."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from sqlalchemy import TextClause, text

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.keys.store import WrappedKey

T = TypeVar("T")

_LOAD = text(
    "select company_id, subject, version, parent_version, wrapped from data_keys"
    " where company_id = :company and subject = :subject order by version"
)
_ADD = text(
    "insert into data_keys (company_id, subject, version, parent_version, wrapped)"
    " values (:company, :subject, :version, :parent_version, :wrapped) on conflict do nothing"
)
_REPLACE = text(
    "update data_keys set wrapped = :wrapped, parent_version = :parent_version where company_id = :company"
    " and subject = :subject and version = :version and wrapped is not null"
)
_DESTROY = text(
    "update data_keys set wrapped = null, destroyed_at = clock_timestamp()"
    " where company_id = :company and subject = :subject and wrapped is not null returning version"
)
_COMPANIES = text("select companies_with_older_keys(:version)")


class DatabaseKeyStore:
    """The `KeyStore` of a keyring."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def load(self, company_id: UUID, subject: str) -> list[WrappedKey]:
        async def work() -> list[WrappedKey]:
            found = await self._db.session.execute(_LOAD, {"company": company_id, "subject": subject})
            return [WrappedKey(*row) for row in found]

        return await self._as(company_id, work, self._db.read)

    async def add(self, key: WrappedKey) -> None:
        await self._change(key, _ADD)

    async def replace(self, key: WrappedKey) -> None:
        await self._change(key, _REPLACE)

    async def destroy(self, company_id: UUID, subject: str) -> bool:
        async def work() -> bool:
            done = await self._db.session.execute(_DESTROY, {"company": company_id, "subject": subject})
            return bool(done.all())

        return await self._as(company_id, work, self._db.run)

    async def companies_below(self, parent_version: int) -> list[UUID]:
        async def work() -> list[UUID]:
            return list((await self._db.session.execute(_COMPANIES, {"version": parent_version})).scalars())

        return await self._db.read(work)

    async def together(self, company_id: UUID, work: Callable[[], Awaitable[T]]) -> T:
        return await self._as(company_id, work, self._db.run)

    def once_kept(self, callback: Callable[[], None]) -> None:
        if self._db.is_open:
            self._db.after_commit(callback)
        else:
            callback()

    async def _change(self, key: WrappedKey, statement: TextClause) -> None:
        async def work() -> None:
            await self._db.session.execute(
                statement,
                {
                    "company": key.company_id, "subject": key.subject, "version": key.version,
                    "parent_version": key.parent_version, "wrapped": key.wrapped,
                },
            )  # fmt: skip

        await self._as(key.company_id, work, self._db.run)

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
