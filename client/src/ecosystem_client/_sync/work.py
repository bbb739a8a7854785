"""Work that no machine can finish: of the company of the token, or without one of the platform."""

from collections.abc import Iterator, Mapping
from typing import Any

from ecosystem_client._sync.caller import Caller
from ecosystem_client.reading import Page
from ecosystem_client.request import Request, path_part
from ecosystem_client.stories import WorkItem


class Work:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def page(self, *, state: str = "open", limit: int | None = None, cursor: str | None = None) -> Page[WorkItem]:
        """The oldest first."""
        return self._caller.page(WorkItem, "/v1/work", {"state": state, "limit": limit, "cursor": cursor})

    def list(self, *, state: str = "open", limit: int | None = None) -> Iterator[WorkItem]:
        return self._caller.all(WorkItem, "/v1/work", {"state": state, "limit": limit})

    def get(self, item_id: str) -> WorkItem:
        return self._caller.one(WorkItem, Request("GET", f"/v1/work/{path_part(item_id)}"))

    def claim(self, item_id: str) -> WorkItem:
        """Hold it for 30 minutes. Raises Conflict where somebody else does, or it is closed."""
        return self._caller.one(WorkItem, Request("POST", f"/v1/work/{path_part(item_id)}/claim"))

    def retry(self, item_id: str, *, value: Mapping[str, Any] | None = None) -> WorkItem:
        """Let its run go on, or start it anew with `value` as input. Raises Conflict where it is not held."""
        body = {"input": dict(value) if value is not None else None}
        return self._caller.one(WorkItem, Request("POST", f"/v1/work/{path_part(item_id)}/retry", json=body))

    def close(self, item_id: str, reason: str) -> WorkItem:
        """Raises Conflict where it is not held."""
        return self._caller.one(
            WorkItem, Request("POST", f"/v1/work/{path_part(item_id)}/close", json={"reason": reason})
        )
