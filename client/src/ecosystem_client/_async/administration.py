"""Companies, and the clients that act for them."""

from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

from ecosystem_client._async.caller import AsyncCaller
from ecosystem_client.models import Client, Company
from ecosystem_client.reading import Page
from ecosystem_client.request import Request, path_part


class AsyncCompanies:
    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def create(
        self,
        name: str,
        *,
        region: str,
        time_zone: str,
        locale: str,
        currency: str,
        idempotency_key: str | None = None,
    ) -> Company:
        """`region` as the platform names it, `time_zone` of IANA, `locale` such as en_GB, `currency` of ISO 4217.

        Made under an Idempotency-Key, so that what gets no answer is sent again and creates one company.
        """
        body = {"name": name, "region": region, "time_zone": time_zone, "locale": locale, "currency": currency}
        request = Request("POST", "/v1/companies", json=body, headers=_keyed(idempotency_key))
        return await self._caller.one(Company, request)

    async def get(self, company_id: str) -> Company:
        return await self._caller.one(Company, Request("GET", f"/v1/companies/{path_part(company_id)}"))

    async def page(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Company]:
        return await self._caller.page(Company, "/v1/companies", {"limit": limit, "cursor": cursor})

    def list(self, *, limit: int | None = None) -> AsyncIterator[Company]:
        return self._caller.all(Company, "/v1/companies", {"limit": limit})


class AsyncClients:
    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def create(
        self,
        name: str,
        *,
        roles: Sequence[str],
        agents: Sequence[str] = (),
        company_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Client:
        """The answer holds the secret, this once. `agents` are those that the client may speak as.

        `company_id` is for platform administrators without a company of their own. Made under an Idempotency-Key, so
        that what gets no answer is sent again: it creates one client, and the answer holds the same secret.
        """
        body = {"name": name, "roles": [*roles], "agents": [*agents]}
        if company_id is not None:
            body["company_id"] = company_id
        request = Request("POST", "/v1/clients", json=body, headers=_keyed(idempotency_key))
        return await self._caller.one(Client, request)

    async def get(self, client_id: str) -> Client:
        return await self._caller.one(Client, Request("GET", f"/v1/clients/{path_part(client_id)}"))

    async def rotate_secret(self, client_id: str) -> Client:
        """A new secret. The old one works until `former_secret_until`, so that programs can change over."""
        return await self._caller.one(Client, Request("POST", f"/v1/clients/{path_part(client_id)}/rotate-secret"))

    async def revoke(self, client_id: str) -> None:
        await self._caller.send(Request("DELETE", f"/v1/clients/{path_part(client_id)}"))

    async def page(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Client]:
        return await self._caller.page(Client, "/v1/clients", {"limit": limit, "cursor": cursor})

    def list(self, *, limit: int | None = None) -> AsyncIterator[Client]:
        return self._caller.all(Client, "/v1/clients", {"limit": limit})


def _keyed(key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": key or str(uuid4())}
