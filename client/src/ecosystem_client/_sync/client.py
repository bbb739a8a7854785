"""The client itself: one connection, its tokens, and the API in groups."""

from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

import httpx

from ecosystem_client._sync.administration import Clients, Companies
from ecosystem_client._sync.caller import Caller
from ecosystem_client._sync.connection import Connection, json_of
from ecosystem_client._sync.documents import Documents
from ecosystem_client._sync.events import Events
from ecosystem_client._sync.monitoring import Audit, Incidents
from ecosystem_client._sync.notifications import Notifications
from ecosystem_client._sync.oncall import OnCall
from ecosystem_client._sync.recovery import Recovery
from ecosystem_client._sync.reviews import Reviews
from ecosystem_client._sync.rule_sets import RuleSets
from ecosystem_client._sync.runs import Runs
from ecosystem_client._sync.tokens import Tokens
from ecosystem_client._sync.work import Work
from ecosystem_client.models import AgentAnswer, Client
from ecosystem_client.request import Request
from ecosystem_client.retry import Retries


class Ecosystem:
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
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._connection = Connection(
            base_url,
            ca=ca,
            http2=http2,
            timeout_seconds=timeout_seconds,
            retries=retries or Retries(),
            transport=transport,
        )
        self._credentials, self._scope = (client_id, client_secret), scope
        self._use(Caller(self._connection, Tokens(*self._credentials, company_id=company_id, scope=scope)))

    def _use(self, caller: Caller) -> None:
        self._caller = caller
        self.documents = Documents(caller)
        self.companies = Companies(caller)
        self.clients = Clients(caller)
        self.runs = Runs(caller)
        self.events = Events(caller)
        self.reviews = Reviews(caller)
        self.recovery = Recovery(caller)
        self.work = Work(caller)
        self.rule_sets = RuleSets(caller)
        self.audit = Audit(caller)
        self.incidents = Incidents(caller)
        self.oncall = OnCall(caller)
        self.notifications = Notifications(caller)

    def for_company(self, company_id: str) -> "Ecosystem":
        """The same platform administrator acting for one company, over the same connection; close only one of both."""
        other = object.__new__(type(self))
        other._connection, other._credentials, other._scope = self._connection, self._credentials, self._scope
        tokens = Tokens(*self._credentials, company_id=company_id, scope=self._scope)
        other._use(Caller(self._connection, tokens))
        return other

    def ask_agent(
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
        return self._caller.one(AgentAnswer, Request("POST", "/agent/handle", json=body, headers=headers))

    def token(self) -> str:
        """An access token as this client uses it, for requests made by other means. Raises LoginRefused."""
        return self._caller.token()

    def get(self, path: str, **params: Any) -> Any:
        """Any reading of the API as JSON, for what has no method of its own here (`/v1/edge`, `/v1/engines/cache`)."""
        return self._caller.json(Request("GET", path, params=params))

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "Ecosystem":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def claim_first_administrator(
    base_url: str,
    credential: str,
    *,
    ca: str | Path | None = None,
    timeout_seconds: float = 30.0,
    transport: httpx.BaseTransport | None = None,
) -> Client:
    """Exchange a platform's one-time credential for the first administrator's client. It works once.

    Raises:
        ApiError: the credential is wrong or was used before.
    """
    connection = Connection(
        base_url, ca=ca, http2=False, timeout_seconds=timeout_seconds, retries=Retries(), transport=transport
    )
    try:
        request = Request("POST", "/v1/first-administrator", json={"credential": credential})
        return Client.read(json_of(connection.send(request)))
    finally:
        connection.close()
