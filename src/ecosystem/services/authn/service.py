"""Authn decides who exists: companies, their clients, and the very first administrator."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from ecosystem.contracts.authn import ClientCreated, ClientRevoked, CompanyCreated
from ecosystem.kernel import context
from ecosystem.kernel.db.errors import CommitUncertain
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.keys.keyring import PLATFORM
from ecosystem.kernel.messaging.event import Event
from ecosystem.kernel.telemetry.log import log
from ecosystem.services.authn import model
from ecosystem.services.authn.adapters import CredentialFile
from ecosystem.services.authn.errors import (
    ClientNotFound,
    ClientRevokedAlready,
    CompanyNotFound,
    CredentialRefused,
    LastAdministrator,
)
from ecosystem.services.authn.model import ADMINISTRATOR, Client, Company, Creation
from ecosystem.services.authn.repeating.creations import created_before, created_client, keyed, secret_for
from ecosystem.services.authn.settings import ServiceSettings
from ecosystem.services.authn.tokens.failures import Failures
from ecosystem.services.authn.tokens.issuing import PURPOSE
from ecosystem.services.authn.tokens.keys import Parts

T = TypeVar("T")
_FIRST_PURPOSE = "first administrator/"


@dataclass(frozen=True)
class Issued:
    """A client with its secret, which is known only now."""

    client: Client
    secret: str
    former_until: datetime | None = None
    replayed: bool = False


@dataclass(frozen=True)
class Founded:
    """`replayed`: it was created before, under the same key."""

    company: Company
    replayed: bool


class CompanyService:
    def __init__(self, parts: Parts, settings: ServiceSettings) -> None:
        self._parts, self._settings = parts, settings

    async def create(
        self, principal: Principal, key: str | None, *, name: str, region: str, time_zone: str, locale: str,
        currency: str,
    ) -> Founded:  # fmt: skip
        """A company, once for each key. Raises FieldRefused, IdempotencyKeyReused; then nothing was stored."""
        parts = self._parts
        company = Company(
            parts.ids.uuid(), model.check_name(name), model.check_region(region, self._settings.regions),
            model.check_time_zone(time_zone), model.check_locale(locale), model.check_currency(currency),
            parts.clock.now(),
        )  # fmt: skip
        about = {
            "region": company.region, "time_zone": company.time_zone, "locale": company.locale,
            "currency": company.currency,
        }  # fmt: skip

        asked = await keyed(parts, principal, key, "company", company.name, about)

        async def work() -> Creation | None:
            before = await created_before(parts, asked, str(company.company_id))
            if before is None:
                await parts.identities.add_company(company)
                await parts.outbox.add(CompanyCreated(company_id=company.company_id, **about))
                await parts.audit.record("company_created", str(company.company_id), before=None, after=about)
            return before

        with context.scope(company_id=company.company_id):
            before = await parts.database.run(work)
        if before is None:
            return Founded(company, replayed=False)
        found = await parts.database.read(lambda: parts.identities.company(UUID(before.made_id)))
        assert found is not None
        return Founded(found, replayed=True)

    async def show(self, principal: Principal, company_id: UUID) -> Company:
        """Raises CompanyNotFound, also for a company that the caller has nothing to do with."""
        if principal.company_id not in (None, company_id):
            raise CompanyNotFound
        company = await self._parts.database.read(lambda: self._parts.identities.company(company_id))
        if company is None:
            raise CompanyNotFound
        return company

    async def page(self, principal: Principal, after: tuple[datetime, UUID] | None, rows_max: int) -> Sequence[Company]:
        """Newest first: all for the platform's administrators, otherwise the caller's own."""
        if principal.company_id is not None:
            return [] if after else [await self.show(principal, principal.company_id)]
        return await self._parts.database.read(lambda: self._parts.identities.companies(after, rows_max))


class ClientService:
    def __init__(self, parts: Parts, settings: ServiceSettings) -> None:
        self._parts = parts
        self._overlap = timedelta(seconds=settings.secret_overlap_seconds)
        self._repeat_seconds = settings.creation_repeat_seconds

    async def create(
        self, principal: Principal, key: str | None, *, name: str, roles: Sequence[str], agents: Sequence[str],
        company_id: UUID | None,
    ) -> Issued:  # fmt: skip
        """A client with its secret, once for each key.

        Raises:
            FieldRefused, RoleRefused, CompanyNotFound, IdempotencyKeyReused: nothing was stored.
            CreationSpent: the key's client is there, and its secret is not told any more.
        """
        target = await self._target(principal, company_id)
        checked = model.check_roles(roles, None if target == PLATFORM else target)
        model.check_grant(principal.scopes, checked)
        parts = self._parts
        client = Client(
            target, f"client-{parts.ids.uuid()}", model.check_name(name), checked, tuple(sorted(set(agents))),
            parts.clock.now(),
        )  # fmt: skip
        asked = await keyed(
            parts, principal, key, "client", target, client.name, client.roles, client.agents
        )  # fmt: skip
        secret = await secret_for(parts, asked, client.client_id)
        digest = await digest_of(parts, PURPOSE + secret)

        async def work() -> Creation | None:
            before = await created_before(parts, asked, client.client_id)
            if before is None:
                await add_client(parts, client, digest)
            return before

        before = await self._as(target, work)
        if asked is None or before is None:
            return Issued(client, secret)
        return Issued(*await created_client(parts, asked, before, self._repeat_seconds), replayed=True)

    async def show(self, principal: Principal, client_id: str) -> Client:
        """Raises ClientNotFound, also for a client of another company."""

        async def find() -> Client | None:
            return await self._parts.identities.find_client(client_id)

        client = await self._parts.database.read(find)
        if client is None or principal.company_id not in (None, client.company_id):
            raise ClientNotFound
        return client

    async def page(
        self, principal: Principal, company_id: UUID | None, after: tuple[datetime, str] | None, rows_max: int
    ) -> Sequence[Client]:
        """Clients of one company, newest first; of the platform where neither token nor caller names one."""
        target = await self._target(principal, company_id)
        with context.scope(company_id=target):
            return await self._parts.database.read(lambda: self._parts.identities.clients(after, rows_max))

    async def rotate(self, principal: Principal, client_id: str) -> Issued:
        """A new secret; the former ones work until the overlap ends.

        Raises ClientNotFound, RoleRefused, ClientRevokedAlready.
        """
        found = await self.show(principal, client_id)
        model.check_grant(principal.scopes, found.roles)
        parts, secret = self._parts, self._parts.ids.token(32)
        digest = await digest_of(parts, PURPOSE + secret)
        now = parts.clock.now()

        async def work() -> None:
            client = await parts.identities.lock_client(client_id)
            if client is None or client.revoked_at is not None:
                raise ClientRevokedAlready
            await parts.identities.expire_secrets(client_id, now + self._overlap, now)
            await parts.identities.add_secret(client, parts.ids.uuid(), digest, now)
            until = {"former_until": (now + self._overlap).isoformat()}
            await tell(parts, client.of_company, None, "client_secret_rotated", client_id, None, until)

        await self._as(found.company_id, work)
        return Issued(found, secret, now + self._overlap)

    async def revoke(self, principal: Principal, client_id: str) -> Client:
        """No token for it any more; those it has end within minutes. Again: the same answer, no second event.

        Raises ClientNotFound, RoleRefused, LastAdministrator.
        """
        found = await self.show(principal, client_id)
        model.check_grant(principal.scopes, found.roles)
        parts = self._parts

        async def work() -> Client:
            if ADMINISTRATOR in found.roles and await parts.identities.lock_administrators() <= 1:
                client = await parts.identities.lock_client(client_id)
                if client is not None and client.revoked_at is None:
                    raise LastAdministrator
            client = await parts.identities.lock_client(client_id)
            if client is None:
                raise ClientNotFound
            if client.revoked_at is not None:
                return client
            now = parts.clock.now()
            await parts.identities.revoke(client_id, now)
            event = ClientRevoked(client_id=client_id)
            change = ({"status": "active"}, {"status": "revoked"})
            await tell(parts, client.of_company, event, "client_revoked", client_id, *change)
            return replace(client, revoked_at=now)

        return await self._as(found.company_id, work)

    async def _target(self, principal: Principal, asked: UUID | None) -> UUID:
        if asked is None:
            return principal.company_id or PLATFORM
        if principal.company_id not in (None, asked):
            raise CompanyNotFound
        if await self._parts.database.read(lambda: self._parts.identities.company(asked)) is None:
            raise CompanyNotFound
        return asked

    async def _as(self, company_id: UUID, work: Callable[[], Awaitable[T]]) -> T:
        with context.scope(company_id=company_id):
            return await self._parts.database.run(work)


class FirstAdministrator:
    """The way in to a platform that nobody administers yet: a credential that works once."""

    def __init__(self, parts: Parts, file: CredentialFile | None, failures: Failures) -> None:
        self._parts, self._file, self._failures = parts, file, failures

    async def prepare(self) -> None:
        """At start: where there is no administrator, see to it that what the file holds works.

        Replicas that start together agree by the file, which the first of them makes.
        """
        parts, file = self._parts, self._file
        if file is None:
            return
        administrators, kept = await self._state()
        present = await file.read()
        if administrators:
            if present is not None:
                await file.remove()
            return
        if present and kept and model.matches(await digest_of(parts, _FIRST_PURPOSE + present), [kept]):
            return
        # The file first: where the unit of work then fails, the next start finds that it does not work, and repeats.
        credential = await file.keep(parts.ids.token(32))
        digest, now = await digest_of(parts, _FIRST_PURPOSE + credential), parts.clock.now()

        async def work() -> bool:
            if await parts.identities.lock_administrators():
                return False
            if await parts.identities.first_digest() != digest:
                await parts.identities.put_first(digest, now)
                await tell(parts, None, None, "first_credential_made", "first-administrator", None, None)
            return True

        with context.scope(company_id=PLATFORM):
            is_needed = await parts.database.run(work)
        if is_needed:
            log.info("the first administrator's one-time credential was written to its file")
        else:
            await file.remove()

    async def claim(self, credential: str) -> Issued:
        """The platform's first administrator. Raises CredentialRefused, TooManyFailures."""
        parts = self._parts
        digest = await digest_of(parts, _FIRST_PURPOSE + credential)
        secret = parts.ids.token(32)
        secret_digest, now = await digest_of(parts, PURPOSE + secret), parts.clock.now()
        client = Client(
            PLATFORM, f"client-{parts.ids.uuid()}", "First administrator", (ADMINISTRATOR,), (), now
        )  # fmt: skip

        async def work() -> bool:
            administrators = await parts.identities.lock_administrators()
            kept = await parts.identities.first_digest()
            if administrators or kept is None or not model.matches(digest, [kept]):
                return False
            await parts.identities.use_first(now)
            await add_client(parts, client, secret_digest)
            return True

        with context.scope(company_id=PLATFORM):
            try:
                accepted = await parts.database.run(work)
            except CommitUncertain:
                # The secret is known here and nowhere else: whoever asks again with the used credential gets nothing.
                found = await parts.database.read(lambda: parts.identities.find_client(client.client_id))
                accepted = found is not None or await parts.database.run(work)
        if not accepted:
            await self._failures.slow_down(_FIRST_PURPOSE)
            raise CredentialRefused
        if self._file is not None:
            await self._file.remove()
        return Issued(client, secret)

    async def _state(self) -> tuple[int, bytes | None]:
        async def work() -> tuple[int, bytes | None]:
            count = await self._parts.identities.lock_administrators()
            return count, await self._parts.identities.first_digest()

        with context.scope(company_id=PLATFORM):
            return await self._parts.database.run(work)


async def digest_of(parts: Parts, text: str) -> bytes:
    """HMAC-SHA256 under a key of the platform. Enough, because what is hashed has 256 random bits: see the ADR."""
    return (await parts.keyring.company(PLATFORM)).blind_index(text)


async def add_client(parts: Parts, client: Client, digest: bytes) -> None:
    """Inside of a unit of work of its company."""
    await parts.identities.add_client(client)
    await parts.identities.add_secret(client, parts.ids.uuid(), digest, client.created_at)
    event = ClientCreated(client_id=client.client_id, roles=client.roles)
    after = {"roles": list(client.roles), "agents": list(client.agents)}
    await tell(parts, client.of_company, event, "client_created", client.client_id, None, after)


async def tell(
    parts: Parts, company_id: UUID | None, event: Event | None, action: str, target: str,
    before: dict[str, Any] | None, after: dict[str, Any] | None,
) -> None:  # fmt: skip
    """Event and audit entry, for the company or, where it is None, for the platform."""
    async with parts.database.as_company(company_id):
        if event is not None:
            await parts.outbox.add(event)
        await parts.audit.record(action, target, before=before, after=after)
