"""Documents: send them, follow them, read what came of them."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import anyio
import httpx

from ecosystem_client._async.caller import AsyncCaller
from ecosystem_client._async.connection import json_of
from ecosystem_client.errors import FollowTimedOut
from ecosystem_client.models import Document, Judgement, Receipt, Result
from ecosystem_client.reading import Page
from ecosystem_client.request import Request, Upload, path_part

_FIRST_LOOK_SECONDS = 0.1
_LOOK_SECONDS_MAX = 1.0
_WAIT_SECONDS = 20


class AsyncDocuments:
    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def upload(
        self,
        source: str | Path | bytes | IO[bytes],
        *,
        name: str | None = None,
        rule_set: str | None = None,
        customer: str | None = None,
        idempotency_key: str | None = None,
    ) -> Receipt:
        """Send a file (its path, its bytes, or a seekable stream) to be read and judged.

        The upload is made under an Idempotency-Key, so a broken connection is repaired by sending again: the
        platform keeps one document. Give a key of your own to carry that promise over a restart of your program.
        `customer` is your own reference for the customer whose document it is (1 to 64 printable ASCII characters):
        documents of one customer are compared with each other.

        Raises:
            Invalid: the file was refused; `code` names the rule, `next_step` the way out. Nothing was stored.
            TooLarge: over the platform's limit.
            NotSendable: no regular file, or its name is missing or not Unicode. Nothing was sent.
            OSError: the file cannot be read.
        """
        request = _upload(source, name, rule_set, customer, idempotency_key)
        return _receipt(await self._caller.send(request))

    async def ingest(
        self,
        source: str | Path | bytes | IO[bytes],
        *,
        name: str | None = None,
        rule_set: str | None = None,
        customer: str | None = None,
        idempotency_key: str | None = None,
        timeout_seconds: float = 120.0,
    ) -> Document:
        """`upload` and `follow` in one request where the platform is quick enough: the document with its outcome.

        Raises what both raise; after FollowTimedOut the document is there: its `document_id` can be followed.
        """
        wait = int(min(max(timeout_seconds, 0), _WAIT_SECONDS, self._caller.timeout_seconds / 2))
        request = _upload(source, name, rule_set, customer, idempotency_key)
        began = time.monotonic()
        response = await self._caller.send(replace(request, headers={**request.headers, "Prefer": f"wait={wait}"}))
        if response.status_code == httpx.codes.CREATED:
            return Document.read(json_of(response))
        return await self._followed(_receipt(response).document_id, began + timeout_seconds, timeout_seconds)

    async def get(self, document_id: str) -> Document:
        """Raises NotFound if this company has no such document."""
        return await self._caller.one(Document, Request("GET", f"/v1/documents/{path_part(document_id)}"))

    async def result(self, document_id: str) -> Result:
        """The values that were read and each rule with its evidence."""
        return await self._caller.one(Result, Request("GET", f"/v1/documents/{path_part(document_id)}/result"))

    async def evidence(self, document_id: str) -> Any:
        """Where on which page each value stands that decided a rule."""
        return await self._caller.json(Request("GET", f"/v1/documents/{path_part(document_id)}/evidence"))

    async def judgement(self, document_id: str) -> Judgement:
        """The judgement of the rules with all that it was computed from. Raises Conflict where there is none yet."""
        return await self._caller.one(Judgement, Request("GET", f"/v1/documents/{path_part(document_id)}/judgement"))

    async def original(self, document_id: str) -> AsyncIterator[bytes]:
        """The bytes as they were sent, in chunks."""
        async with self._caller.stream(
            Request("GET", f"/v1/documents/{path_part(document_id)}/original", headers={"accept": "*/*"}),
            idle_timeout_seconds=30,
        ) as response:
            async for chunk in response.aiter_bytes():
                yield chunk

    async def page_image(self, document_id: str, page: int, *, width: int | None = None) -> bytes:
        """A page (from 1) as a person sees it: a PNG, at most `width` pixels wide.

        Raises NotFound where the document has no such page.
        """
        response = await self._caller.send(
            Request(
                "GET",
                f"/v1/documents/{path_part(document_id)}/pages/{page}",
                params={"width": width},
                headers={"accept": "image/png"},
            )
        )
        return response.content

    async def follow(self, document_id: str, *, timeout_seconds: float = 120.0) -> Document:
        """Wait until the document has its outcome (or has failed): the platform answers in that moment.

        Raises:
            FollowTimedOut: not yet, after `timeout_seconds`; the platform goes on with it.
        """
        return await self._followed(document_id, time.monotonic() + timeout_seconds, timeout_seconds)

    async def _followed(self, document_id: str, ends_at: float, timeout_seconds: float) -> Document:
        pause = _FIRST_LOOK_SECONDS
        while True:
            began = time.monotonic()
            wait = int(min(ends_at - began, _WAIT_SECONDS, self._caller.timeout_seconds / 2))
            headers = {"Prefer": f"wait={wait}"} if wait > 0 else {}
            request = Request("GET", f"/v1/documents/{path_part(document_id)}", headers=headers)
            document = await self._caller.one(Document, request)
            if document.finished:
                return document
            now = time.monotonic()
            # A platform that waits has used the time up; one that does not is asked again ever less often.
            rest = 0.0 if wait > 0 and now - began >= wait / 2 else pause
            if now + rest >= ends_at:
                raise FollowTimedOut(
                    f"Document {document_id} is still {document.status} after {max(timeout_seconds, 0):.0f} s.",
                    document_id,
                )
            if rest:
                await anyio.sleep(rest)
                pause = min(pause * 1.5, _LOOK_SECONDS_MAX)

    async def erase(self, document_id: str) -> Document:
        """Destroy the document's values, names and original for ever; `erased_at` says when. There is no way back.

        Needs the scope documents:erase. Again: the same answer, so a broken connection is repaired by sending again.
        """
        request = Request("POST", f"/v1/documents/{path_part(document_id)}/erase", repeated_is_once=True)
        return await self._caller.one(Document, request)

    async def page(
        self,
        *,
        kind: str | None = None,
        outcome: str | None = None,
        status: str | None = None,
        q: str | None = None,
        customer: str | None = None,
        created_from: datetime | None = None,
        created_to: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Document]:
        """One page. `q` finds exact terms as they were normalised: a name, an IBAN without spaces, an ISO date."""
        return await self._caller.page(
            Document,
            "/v1/documents",
            _filter(kind, outcome, status, q, customer, created_from, created_to, limit, cursor),
        )

    def list(
        self,
        *,
        kind: str | None = None,
        outcome: str | None = None,
        status: str | None = None,
        q: str | None = None,
        customer: str | None = None,
        created_from: datetime | None = None,
        created_to: datetime | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Document]:
        """All that match, fetched page by page (`limit` documents each) as you go."""
        return self._caller.all(
            Document,
            "/v1/documents",
            _filter(kind, outcome, status, q, customer, created_from, created_to, limit, None),
        )


def _filter(
    kind: str | None,
    outcome: str | None,
    status: str | None,
    q: str | None,
    customer: str | None,
    created_from: datetime | None,
    created_to: datetime | None,
    limit: int | None,
    cursor: str | None,
) -> dict[str, Any]:
    return {
        "kind": kind,
        "outcome": outcome,
        "status": status,
        "q": q,
        "customer": customer,
        "created_from": created_from.isoformat() if created_from else None,
        "created_to": created_to.isoformat() if created_to else None,
        "limit": limit,
        "cursor": cursor,
    }


def _upload(
    source: str | Path | bytes | IO[bytes],
    name: str | None,
    rule_set: str | None,
    customer: str | None,
    idempotency_key: str | None,
) -> Request:
    told = {"rule_set": rule_set, "customer": customer}
    return Request(
        "POST",
        "/v1/documents",
        form={name: text for name, text in told.items() if text} or None,
        upload=Upload.of(source, name),
        headers={"Idempotency-Key": idempotency_key or str(uuid4())},
    )


def _receipt(response: httpx.Response) -> Receipt:
    replayed = response.headers.get("idempotency-replayed", "").lower() == "true"
    receipt = Receipt.read(json_of(response))
    return replace(receipt, replayed=replayed, trace_id=receipt.trace_id or response.extensions["trace_id"])
