"""All SQL of authn. Reads and writes see one company; the named functions look past the fence, one question each."""

# ruff: noqa: S608 column lists are constants of this module; every value is a parameter
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from ecosystem.kernel.db.database import Database
from ecosystem.services.authn.model import Client, Company, Creation, SigningKey

_COMPANY = "company_id, name, region, time_zone, locale, currency, created_at"
_CLIENT = "company_id, client_id, name, roles, agents, created_at, revoked_at"
_CREATION = "company_id, client_id, key_digest, fingerprint, made_id, made_at"
_KEYS_LOCK = 0x0EC0_A001
_FIRST_LOCK = 0x0EC0_A002


def _client(row: Any) -> Client:
    return Client(row[0], row[1], row[2], tuple(row[3]), tuple(row[4]), row[5], row[6])


class Identities:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def _rows(self, statement: str, **values: Any) -> list[Any]:
        return list((await self._db.session.execute(text(statement), values)).all())

    async def _do(self, statement: str, **values: Any) -> None:
        await self._db.session.execute(text(statement), values)

    # companies

    async def add_company(self, company: Company) -> None:
        await self._do(
            f"insert into companies ({_COMPANY}) values"
            " (:company_id, :name, :region, :time_zone, :locale, :currency, :created_at)",
            **vars(company),
        )  # fmt: skip

    async def company(self, company_id: UUID) -> Company | None:
        """Whatever company is set: the caller has checked that it may ask."""
        rows = await self._rows(f"select {_COMPANY} from authn.find_company(:id)", id=company_id)
        return Company(*rows[0]) if rows else None

    async def companies(self, after: tuple[datetime, UUID] | None, rows_max: int) -> list[Company]:
        """Of the whole platform, newest first."""
        at, company_id = after or (None, None)
        rows = await self._rows(
            f"select {_COMPANY} from authn.all_companies(cast(:at as timestamptz), cast(:id as uuid), :rows_max)"
            " order by created_at desc, company_id desc",
            at=at, id=company_id, rows_max=rows_max,
        )  # fmt: skip
        return [Company(*row) for row in rows]

    # clients

    async def add_client(self, client: Client) -> None:
        await self._do(
            f"insert into clients ({_CLIENT}) values"
            " (:company_id, :client_id, :name, :roles, :agents, :created_at, :revoked_at)",
            **{**vars(client), "roles": list(client.roles), "agents": list(client.agents)},
        )

    async def find_client(self, client_id: str) -> Client | None:
        """Of any company: for whoever presents its secret, and for the platform's administrators."""
        rows = await self._rows(f"select {_CLIENT} from authn.find_client(:id)", id=client_id)
        return _client(rows[0]) if rows else None

    async def lock_client(self, client_id: str) -> Client | None:
        """Of the company that is set; nobody else changes it until the unit of work ends."""
        rows = await self._rows(f"select {_CLIENT} from clients where client_id = :id for update", id=client_id)
        return _client(rows[0]) if rows else None

    async def clients(self, after: tuple[datetime, str] | None, rows_max: int) -> list[Client]:
        """Of the company that is set, newest first."""
        at, client_id = after or (None, None)
        rows = await self._rows(
            f"select {_CLIENT} from clients where cast(:at as timestamptz) is null"
            " or (created_at, client_id) < (cast(:at as timestamptz), cast(:id as text))"
            " order by created_at desc, client_id desc limit :rows_max",
            at=at, id=client_id, rows_max=rows_max,
        )  # fmt: skip
        return [_client(row) for row in rows]

    async def revoke(self, client_id: str, at: datetime) -> None:
        await self._do("update clients set revoked_at = :at where client_id = :id", at=at, id=client_id)
        await self._do("delete from secrets where client_id = :id", id=client_id)

    async def lock_administrators(self) -> int:
        """How many administrators the platform has; none comes or goes until the unit of work ends."""
        await self._do("select pg_advisory_xact_lock(:lock)", lock=_FIRST_LOCK)
        rows = await self._rows("select count(*) from clients where revoked_at is null")
        return int(rows[0][0])

    # secrets

    async def add_secret(self, client: Client, secret_id: UUID, digest: bytes, at: datetime) -> None:
        await self._do(
            "insert into secrets (company_id, secret_id, client_id, digest, created_at)"
            " values (:company, :secret_id, :client_id, :digest, :at)",
            company=client.company_id, secret_id=secret_id, client_id=client.client_id, digest=digest, at=at,
        )  # fmt: skip

    async def expire_secrets(self, client_id: str, at: datetime, now: datetime) -> None:
        """Every present secret ends at `at`, or at its own earlier end; those that have ended go."""
        await self._do("delete from secrets where client_id = :id and expires_at <= :now", id=client_id, now=now)
        await self._do(
            "update secrets set expires_at = least(coalesce(expires_at, :at), :at) where client_id = :id",
            id=client_id, at=at,
        )  # fmt: skip

    async def digests(self, client_id: str, now: datetime) -> list[bytes]:
        """Of the company that is set: the secrets that work at `now`."""
        rows = await self._rows(
            "select digest from secrets where client_id = :id and (expires_at is null or expires_at > :now)",
            id=client_id, now=now,
        )  # fmt: skip
        return [bytes(row[0]) for row in rows]

    # what was created under a key

    async def take_key(self, creation: Creation) -> Creation:
        """What the key stands for: `creation`, or what was created under it before; who comes second waits here."""
        async with self._db.as_company(creation.company_id):
            await self._do(
                f"insert into creations ({_CREATION}) values"
                " (:company_id, :client_id, :key_digest, :fingerprint, :made_id, :made_at) on conflict do nothing",
                **vars(creation),
            )
            rows = await self._rows(
                f"select {_CREATION} from creations where company_id = :company_id and client_id = :client_id"
                " and key_digest = :key_digest",
                company_id=creation.company_id, client_id=creation.client_id, key_digest=creation.key_digest,
            )  # fmt: skip
        return Creation(rows[0][0], rows[0][1], bytes(rows[0][2]), bytes(rows[0][3]), rows[0][4], rows[0][5])

    # signing keys

    async def lock_keys(self) -> None:
        await self._do("select pg_advisory_xact_lock(:lock)", lock=_KEYS_LOCK)

    async def keys(self) -> list[SigningKey]:
        rows = await self._rows("select key_id, public, private_sealed, created_at, signs_from from signing_keys")
        return [SigningKey(row[0], row[1], bytes(row[2]), row[3], row[4]) for row in rows]

    async def add_key(self, key: SigningKey) -> None:
        await self._do(
            "insert into signing_keys (key_id, public, private_sealed, created_at, signs_from)"
            " values (:key_id, cast(:public as jsonb), :private_sealed, :created_at, :signs_from)",
            **{**vars(key), "public": orjson.dumps(key.public).decode()},
        )

    async def drop_key(self, key_id: str) -> None:
        await self._do("delete from signing_keys where key_id = :id", id=key_id)

    # the first administrator

    async def first_digest(self) -> bytes | None:
        """The hash of the one-time credential that still works."""
        rows = await self._rows("select digest from first_credential where used_at is null")
        return bytes(rows[0][0]) if rows else None

    async def put_first(self, digest: bytes, at: datetime) -> None:
        await self._do(
            "insert into first_credential (digest, made_at) values (:digest, :at)"
            " on conflict (single) do update set digest = excluded.digest, made_at = excluded.made_at, used_at = null",
            digest=digest, at=at,
        )  # fmt: skip

    async def use_first(self, at: datetime) -> None:
        await self._do("update first_credential set used_at = :at, digest = ''", at=at)
