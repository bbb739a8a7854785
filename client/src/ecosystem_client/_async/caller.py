"""What every group of methods stands on: send a request as one client, for one company, and read the answer."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx

from ecosystem_client._async.connection import AsyncConnection, json_of
from ecosystem_client._async.tokens import AsyncTokens
from ecosystem_client.reading import M, Page
from ecosystem_client.request import Request


class AsyncCaller:
    def __init__(self, connection: AsyncConnection, tokens: AsyncTokens | None) -> None:
        self._connection, self._tokens = connection, tokens

    @property
    def timeout_seconds(self) -> float:
        """How long an answer may stay away."""
        return self._connection.timeout_seconds

    async def token(self) -> str:
        """Raises ValueError for a caller without credentials."""
        if self._tokens is None:
            raise ValueError("This caller has no credentials.")
        return await self._tokens.get(self._connection.send)

    async def send(self, request: Request) -> httpx.Response:
        return await self._connection.send(request, self._tokens)

    async def json(self, request: Request) -> Any:
        return json_of(await self.send(request))

    async def one(self, model: type[M], request: Request) -> M:
        return model.read(await self.json(request))

    async def page(self, model: type[M], path: str, params: Mapping[str, Any]) -> Page[M]:
        return Page.read(model, await self.json(Request("GET", path, params=params)))

    async def all(
        self, model: type[M], path: str, params: Mapping[str, Any], *, cursor_name: str = "cursor"
    ) -> AsyncIterator[M]:
        """Every item of a list, page after page, as they are asked for."""
        cursor = params.get(cursor_name)
        while True:
            page = await self.page(model, path, {**params, cursor_name: cursor})
            for item in page.items:
                yield item
            if page.next_cursor is None or page.next_cursor == cursor:
                return
            cursor = page.next_cursor

    def stream(
        self, request: Request, *, idle_timeout_seconds: float | None = None
    ) -> AbstractAsyncContextManager[httpx.Response]:
        return self._connection.stream(request, self._tokens, idle_timeout_seconds=idle_timeout_seconds)
