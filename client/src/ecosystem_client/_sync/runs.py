"""Runs of workflows."""

from collections.abc import Iterator
from typing import Any

from ecosystem_client._sync.caller import Caller
from ecosystem_client.models import Run
from ecosystem_client.reading import Page
from ecosystem_client.request import Request, path_part
from ecosystem_client.stories import Story


class Runs:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def get(self, run_id: str) -> Run:
        """With every transition and its time."""
        return self._caller.one(Run, Request("GET", f"/v1/runs/{path_part(run_id)}"))

    def cancel(self, run_id: str) -> Run:
        """Raises Conflict if it has ended already."""
        return self._caller.one(Run, Request("POST", f"/v1/runs/{path_part(run_id)}/cancel"))

    def retry(self, run_id: str) -> Run:
        """Go on with a run that stays in ERROR. Raises Conflict if it does not."""
        return self._caller.one(Run, Request("POST", f"/v1/runs/{path_part(run_id)}/retry"))

    def story(self, item_id: str) -> Story:
        """What is recorded of a run, or of a document and its runs, in sentences and in the order of time."""
        return self._caller.one(Story, Request("GET", f"/v1/runs/{path_part(item_id)}/story"))

    def page(
        self,
        *,
        state: str | None = None,
        workflow: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Run]:
        params = {"state": state, "workflow": workflow, "limit": limit, "cursor": cursor}
        return self._caller.page(Run, "/v1/runs", params)

    def list(self, *, state: str | None = None, workflow: str | None = None, limit: int | None = None) -> Iterator[Run]:
        return self._caller.all(Run, "/v1/runs", {"state": state, "workflow": workflow, "limit": limit})

    def workflows(self) -> tuple[Any, ...]:
        """The definitions that this company can run."""
        answer = self._caller.json(Request("GET", "/v1/workflows"))
        return tuple(answer["items"])
