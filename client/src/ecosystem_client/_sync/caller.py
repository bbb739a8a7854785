"""What every group of methods stands on: send a request as one client, for one company, and read the answer."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import httpx

from ecosystem_client._sync.connection import Connection, json_of
from ecosystem_client._sync.tokens import Tokens
from ecosystem_client.reading import M, Page
from ecosystem_client.request import Request


class Caller:
    def __init__(self, connection: Connection, tokens: Tokens | None) -> None:
        self._connection, self._tokens = connection, tokens

    @property
    def timeout_seconds(self) -> float:
        """How long an answer may stay away."""
        return self._connection.timeout_seconds

    def token(self) -> str:
        """Raises ValueError for a caller without credentials."""
        if self._tokens is None:
            raise ValueError("This caller has no credentials.")
        return self._tokens.get(self._connection.send)

    def send(self, request: Request) -> httpx.Response:
        return self._connection.send(request, self._tokens)

    def json(self, request: Request) -> Any:
        return json_of(self.send(request))

    def one(self, model: type[M], request: Request) -> M:
        return model.read(self.json(request))

    def page(self, model: type[M], path: str, params: Mapping[str, Any]) -> Page[M]:
        return Page.read(model, self.json(Request("GET", path, params=params)))

    def all(self, model: type[M], path: str, params: Mapping[str, Any], *, cursor_name: str = "cursor") -> Iterator[M]:
        """Every item of a list, page after page, as they are asked for."""
        cursor = params.get(cursor_name)
        while True:
            page = self.page(model, path, {**params, cursor_name: cursor})
            yield from page.items
            if page.next_cursor is None or page.next_cursor == cursor:
                return
            cursor = page.next_cursor

    def stream(
        self, request: Request, *, idle_timeout_seconds: float | None = None
    ) -> AbstractContextManager[httpx.Response]:
        return self._connection.stream(request, self._tokens, idle_timeout_seconds=idle_timeout_seconds)
