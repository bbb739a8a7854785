"""On call: the rota, overrides, pages."""

from datetime import datetime
from typing import Any

from ecosystem_client._sync.caller import Caller
from ecosystem_client.calling import CalledPage, Rota
from ecosystem_client.reading import Page
from ecosystem_client.request import Request, path_part


class OnCall:
    """Of the caller's company; of the platform for its administrators."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def rota(self, at: datetime | None = None) -> Rota:
        """The rota, and who is on call at a moment (now). Raises NotFound where there is none yet."""
        params = {"at": at.isoformat() if at else None}
        return self._caller.one(Rota, Request("GET", "/v1/oncall", params=params))

    def set_rota(self, text: str) -> Rota:
        """Replace the rota by this YAML.

        Raises:
            Invalid: `rota_refused`; `problem["problems"]` names the lines.
        """
        return self._caller.one(Rota, Request("PUT", "/v1/oncall", json={"text": text}))

    def override(self, person: str, to_at: datetime, *, from_at: datetime | None = None, level: int = 1) -> Rota:
        """Have somebody else on call for a while. Times without an offset are read in the rota's zone."""
        body: dict[str, Any] = {"person": person, "level": level, "to_at": to_at.isoformat()}
        if from_at is not None:
            body["from_at"] = from_at.isoformat()
        return self._caller.one(Rota, Request("POST", "/v1/oncall/overrides", json=body))

    def page(
        self,
        title: str,
        *,
        key: str,
        priority: str = "P2",
        summary: str = "",
        runbook: str | None = None,
        incident_id: str | None = None,
    ) -> CalledPage:
        """Call whoever is on call. The same `key` (a UUID) while its page is open is the same page."""
        body = {
            "title": title,
            "priority": priority,
            "summary": summary,
            "runbook": runbook,
            "incident_id": incident_id,
            "key": key,
        }
        request = Request("POST", "/v1/oncall/pages", json=body, repeated_is_once=True)
        return self._caller.one(CalledPage, request)

    def pages(
        self, *, only_open: bool = False, limit: int | None = None, cursor: str | None = None
    ) -> Page[CalledPage]:
        """One page of pages, newest first."""
        params = {"open": "true" if only_open else None, "limit": limit, "cursor": cursor}
        return self._caller.page(CalledPage, "/v1/oncall/pages", params)

    def get(self, page_id: str) -> CalledPage:
        """With whom it was told to. Raises NotFound."""
        return self._caller.one(CalledPage, Request("GET", f"/v1/oncall/pages/{path_part(page_id)}"))

    def acknowledge(self, page_id: str) -> CalledPage:
        """Take it, and its incident. Raises Conflict (`page_over`) where it was withdrawn."""
        request = Request("POST", f"/v1/oncall/pages/{path_part(page_id)}/acknowledge", repeated_is_once=True)
        return self._caller.one(CalledPage, request)
