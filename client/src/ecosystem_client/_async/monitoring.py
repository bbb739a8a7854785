"""The audit trail and incidents."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Literal

from ecosystem_client._async.caller import AsyncCaller
from ecosystem_client.monitored import AuditEntry, AuditProof, Incident, IncidentEpisode, Postmortem
from ecosystem_client.reading import Page
from ecosystem_client.request import Request, path_part

State = Literal["open", "acknowledged", "closed"]
_CHAIN_PAGE = 500


class AsyncAudit:
    """Of the company of the token; of the platform itself where it names none."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def page(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[AuditEntry]:
        """One page, newest first. `actor` is the id of a user or of an agent."""
        params = {
            "actor": actor,
            "action": action,
            "target": target,
            "since": since.isoformat() if since else None,
            "until": until.isoformat() if until else None,
            "limit": limit,
            "cursor": cursor,
        }
        return await self._caller.page(AuditEntry, "/v1/audit", params)

    async def get(self, event_id: str) -> AuditEntry:
        return await self._caller.one(AuditEntry, Request("GET", f"/v1/audit/{path_part(event_id)}"))

    async def prove(self) -> AuditProof:
        """Prove that the whole trail is as it was written: its chains, and against the event log."""
        cursor: str | None = None
        while True:
            proof = await self._caller.one(AuditProof, Request("GET", "/v1/audit/proof", params={"cursor": cursor}))
            cursor = proof.next_cursor
            if cursor is None:
                return proof

    async def heads(self) -> Any:
        """`{"company_id", "items": [{"chain", "number", "hash"}]}`: the end of each chain, as of now."""
        return await self._caller.json(Request("GET", "/v1/audit/chains"))

    async def chain(self, chain: int, *, after: int = 0) -> AsyncIterator[AuditEntry]:
        """The entries of one chain behind number `after`, in its order."""
        place: int | None = after
        while place is not None:
            params = {"after": place, "limit": _CHAIN_PAGE}
            answer = await self._caller.json(Request("GET", f"/v1/audit/chains/{path_part(chain)}", params=params))
            for item in answer["items"]:
                yield AuditEntry.read(item)
            place = answer["next_after"]


class AsyncIncidents:
    """All of the platform's where the token names no company; else those that affect it. `incident`: id or number."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def page(
        self,
        *,
        state: State | None = None,
        priority: str | None = None,
        unfinished: bool = False,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Incident]:
        """One page, newest first; `unfinished`: only what is not closed."""
        params = {
            "state": state,
            "priority": priority,
            "unfinished": True if unfinished else None,
            "limit": limit,
            "cursor": cursor,
        }
        return await self._caller.page(Incident, "/v1/incidents", params)

    async def get(self, incident: str | int, *, limit: int | None = None, cursor: str | None = None) -> Incident:
        """One with a page of its timeline: `limit` lines, from the beginning or from where `cursor` goes on."""
        params = {"limit": limit, "cursor": cursor}
        return await self._caller.one(Incident, Request("GET", f"/v1/incidents/{path_part(incident)}", params=params))

    async def episodes_page(
        self, incident: str | int, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[IncidentEpisode]:
        """When the trouble began and ended, each time, newest first. For operators of the platform."""
        params = {"limit": limit, "cursor": cursor}
        return await self._caller.page(IncidentEpisode, f"/v1/incidents/{path_part(incident)}/episodes", params)

    async def acknowledge(self, incident: str | int) -> Incident:
        """Say that somebody looks at it. Raises Conflict where it is over (`incident_over`)."""
        request = Request("POST", f"/v1/incidents/{path_part(incident)}/acknowledge", repeated_is_once=True)
        return await self._caller.one(Incident, request)

    async def resolve(self, incident: str | int, reason: str) -> Incident:
        """End it by hand. Raises Conflict where it is over already (`incident_over`)."""
        request = Request("POST", f"/v1/incidents/{path_part(incident)}/resolve", json={"reason": reason})
        return await self._caller.one(Incident, request)

    async def postmortem(self, incident: str | int) -> Postmortem:
        return await self._caller.one(Postmortem, Request("GET", f"/v1/incidents/{path_part(incident)}/postmortem"))

    async def write_postmortem(self, incident: str | int, written: Mapping[str, Any]) -> Postmortem:
        """`written`: summary, whys, follow_ups (what, owner, due), lessons.

        It replaces what was written before: then with `instead_of`, the `written_at` that was read.
        """
        request = Request(
            "PUT", f"/v1/incidents/{path_part(incident)}/postmortem", json=dict(written), repeated_is_once=True
        )
        return await self._caller.one(Postmortem, request)

    async def ticket(self, incident: str | int) -> Any:
        """The body for Jira's `POST /rest/api/3/issue`."""
        return await self._caller.json(Request("GET", f"/v1/incidents/{path_part(incident)}/ticket"))

    async def status(self) -> Any:
        """The public status document."""
        return await self._caller.json(Request("GET", "/v1/status"))
