"""The client itself: one connection, its tokens, and the API in groups."""

from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

import httpx

from ecosystem_client._async.administration import AsyncClients, AsyncCompanies
from ecosystem_client._async.caller import AsyncCaller
from ecosystem_client._async.connection import AsyncConnection, json_of
from ecosystem_client._async.documents import AsyncDocuments
from ecosystem_client._async.events import AsyncEvents
from ecosystem_client._async.monitoring import AsyncAudit, AsyncIncidents
from ecosystem_client._async.notifications import AsyncNotifications
from ecosystem_client._async.oncall import AsyncOnCall
from ecosystem_client._async.recovery import AsyncRecovery
from ecosystem_client._async.reviews import AsyncReviews
from ecosystem_client._async.rule_sets import AsyncRuleSets
from ecosystem_client._async.runs import AsyncRuns
from ecosystem_client._async.tokens import AsyncTokens
from ecosystem_client._async.work import AsyncWork
from ecosystem_client.models import AgentAnswer, Client
from ecosystem_client.request import Request
from ecosystem_client.retry import Retries


class AsyncEcosystem:
    """A client of the platform at `base_url`, acting as one registered client.

    Args:
        base_url: the edge, such as `https://127.0.0.1:8443`.
        ca: PEM file of the authority of the edge's certificate; None for the system's authorities.
        company_id: for platform administrators: act for this company.
        scope: ask for less than the client may (space-separated).
        http2: None takes HTTP/2 where the extra `http2` is installed.
        timeout_seconds: of one attempt.

    Nothing is sent before the first call. Close it, or use it as a context manager.
    """

    def __init__(
        self,
        base_url: str,
        client_id: str,
        client_secret: str,
        *,
        ca: str | Path | None = None,
        company_id: str | None = None,
        scope: str | None = None,
        http2: bool | None = None,
        timeout_seconds: float = 30.0,
        retries: Retries | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._connection = AsyncConnection(
            base_url,
            ca=ca,
            http2=http2,
            timeout_seconds=timeout_seconds,
            retries=retries or Retries(),
            transport=transport,
        )
        self._credentials, self._scope = (client_id, client_secret), scope
        self._use(AsyncCaller(self._connection, AsyncTokens(*self._credentials, company_id=company_id, scope=scope)))

    def _use(self, caller: AsyncCaller) -> None:
        self._caller = caller
        self.documents = AsyncDocuments(caller)
        self.companies = AsyncCompanies(caller)
        self.clients = AsyncClients(caller)
        self.runs = AsyncRuns(caller)
        self.events = AsyncEvents(caller)
        self.reviews = AsyncReviews(caller)
        self.recovery = AsyncRecovery(caller)
        self.work = AsyncWork(caller)
        self.rule_sets = AsyncRuleSets(caller)
        self.audit = AsyncAudit(caller)
        self.incidents = AsyncIncidents(caller)
        self.oncall = AsyncOnCall(caller)
        self.notifications = AsyncNotifications(caller)

    def for_company(self, company_id: str) -> "AsyncEcosystem":
        """The same platform administrator acting for one company, over the same connection; close only one of both."""
        other = object.__new__(type(self))
        other._connection, other._credentials, other._scope = self._connection, self._credentials, self._scope
        tokens = AsyncTokens(*self._credentials, company_id=company_id, scope=self._scope)
        other._use(AsyncCaller(self._connection, tokens))
        return other

    async def ask_agent(
        self,
        to_agent_id: str,
        request_type: str,
        payload: dict[str, Any],
        *,
        from_agent_id: str,
        request_id: str | None = None,
        timeout_seconds: float = 30.0,
        retries: int = 1,
    ) -> AgentAnswer:
        """Ask an agent over `POST /agent/handle`, speaking as `from_agent_id` (the client's registration lists it).

        The same `request_id` for a task with an effect is answered from the record of the first time.
        """
        body = {
            "request_id": request_id or str(uuid4()),
            "from_agent_id": from_agent_id,
            "to_agent_id": to_agent_id,
            "request_type": request_type,
            "payload": payload,
            "timeout_ms": int(timeout_seconds * 1000),
            "retries": retries,
        }
        headers = {"Idempotency-Key": str(body["request_id"])}
        return await self._caller.one(AgentAnswer, Request("POST", "/agent/handle", json=body, headers=headers))

    async def token(self) -> str:
        """An access token as this client uses it, for requests made by other means. Raises LoginRefused."""
        return await self._caller.token()

    async def get(self, path: str, **params: Any) -> Any:
        """Any reading of the API as JSON, for what has no method of its own here (`/v1/edge`, `/v1/engines/cache`)."""
        return await self._caller.json(Request("GET", path, params=params))

    async def close(self) -> None:
        await self._connection.close()

    async def __aenter__(self) -> "AsyncEcosystem":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def claim_first_administrator_async(
    base_url: str,
    credential: str,
    *,
    ca: str | Path | None = None,
    timeout_seconds: float = 30.0,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Client:
    """Exchange a platform's one-time credential for the first administrator's client. It works once.

    Raises:
        ApiError: the credential is wrong or was used before.
    """
    connection = AsyncConnection(
        base_url, ca=ca, http2=False, timeout_seconds=timeout_seconds, retries=Retries(), transport=transport
    )
    try:
        request = Request("POST", "/v1/first-administrator", json={"credential": credential})
        return Client.read(json_of(await connection.send(request)))
    finally:
        await connection.close()
