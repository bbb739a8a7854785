"""Runs of workflows."""

from collections.abc import AsyncIterator
from typing import Any

from ecosystem_client._async.caller import AsyncCaller
from ecosystem_client.models import Run
from ecosystem_client.reading import Page
from ecosystem_client.request import Request, path_part
from ecosystem_client.stories import Story


class AsyncRuns:
    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def get(self, run_id: str) -> Run:
        """With every transition and its time."""
        return await self._caller.one(Run, Request("GET", f"/v1/runs/{path_part(run_id)}"))

    async def cancel(self, run_id: str) -> Run:
        """Raises Conflict if it has ended already."""
        return await self._caller.one(Run, Request("POST", f"/v1/runs/{path_part(run_id)}/cancel"))

    async def retry(self, run_id: str) -> Run:
        """Go on with a run that stays in ERROR. Raises Conflict if it does not."""
        return await self._caller.one(Run, Request("POST", f"/v1/runs/{path_part(run_id)}/retry"))

    async def story(self, item_id: str) -> Story:
        """What is recorded of a run, or of a document and its runs, in sentences and in the order of time."""
        return await self._caller.one(Story, Request("GET", f"/v1/runs/{path_part(item_id)}/story"))

    async def page(
        self,
        *,
        state: str | None = None,
        workflow: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Run]:
        params = {"state": state, "workflow": workflow, "limit": limit, "cursor": cursor}
        return await self._caller.page(Run, "/v1/runs", params)

    def list(
        self, *, state: str | None = None, workflow: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Run]:
        return self._caller.all(Run, "/v1/runs", {"state": state, "workflow": workflow, "limit": limit})

    async def workflows(self) -> tuple[Any, ...]:
        """The definitions that this company can run."""
        answer = await self._caller.json(Request("GET", "/v1/workflows"))
        return tuple(answer["items"])
