"""The door for HTTP: documents of the caller's company."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

from ecosystem.contracts.creditx import Outcome
from ecosystem.kernel.http.admission import Priority, priority, stand_aside
from ecosystem.kernel.http.idempotency import REPLAYED, IdempotencyKey, checked_key
from ecosystem.kernel.http.limits import body_limit
from ecosystem.kernel.http.pagination import Cursor, Limit, Page, moment_and_id, page_of
from ecosystem.kernel.http.prefer import Prefer, wait_seconds
from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.services.creditx.following.outcomes import FINISHED
from ecosystem.services.creditx.model import Document, Status
from ecosystem.services.creditx.receiving.multipart import OVERHEAD_BYTES_MAX, boundary_of, receive
from ecosystem.services.creditx.receiving.room import Room
from ecosystem.services.creditx.schemas import (
    DocumentReceived,
    DocumentShown,
    EvidenceShown,
    ResultShown,
    links_of,
)
from ecosystem.services.creditx.service import DocumentService
from ecosystem.services.creditx.settings import ServiceSettings

Reader = Annotated[Principal, Depends(requires("documents:read", company=True))]
Writer = Annotated[Principal, Depends(requires("documents:write", company=True))]
Eraser = Annotated[Principal, Depends(requires("documents:erase", company=True))]
Word = Annotated[str | None, Query(max_length=63, pattern=r"^[a-z][a-z0-9_]*$")]
_UPLOAD_FORM = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": {
        "type": "object", "required": ["file"], "additionalProperties": False,
        "properties": {
            "file": {"type": "string", "format": "binary"}, "rule_set": {"type": "string"},
            "customer": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[ -~]+$"},
        },
    }}}}
}  # fmt: skip

_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"model": DocumentReceived},
    201: {"model": DocumentShown, "description": "With `Prefer: wait`: the document, which has its outcome."},
}
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "The picture that the caller has is still right."},
}


def router(service: DocumentService, settings: ServiceSettings) -> APIRouter:
    routes = APIRouter(tags=["documents"])
    _uploads(routes, service, settings)
    _documents(routes, service, settings)
    _contents(routes, service)
    _pages(routes, service)
    return routes


def _uploads(routes: APIRouter, service: DocumentService, settings: ServiceSettings) -> None:
    room = Room(settings.uploads_bytes_max)

    @routes.post("/v1/documents", status_code=202, openapi_extra=_UPLOAD_FORM, responses=_ANSWERS, response_model=None)
    @priority(Priority.BULK)
    @body_limit(settings.upload_bytes_max + OVERHEAD_BYTES_MAX, seconds=settings.upload_seconds_max)
    async def upload_document(
        request: Request, writer: Writer, idempotency_key: IdempotencyKey = None, prefer: Prefer = None
    ) -> Any:
        """Send a document; the answer says where its outcome will be. The same key sends it once, however often.

        With `Prefer: wait=20` the answer is the document itself, where it has its outcome within 20 s and the caller
        may read it.
        """
        key = checked_key(idempotency_key)
        content_type = request.headers.get("content-type")
        boundary_of(content_type)
        with room.upload(writer.company_id) as take:
            upload = await receive(content_type, request.stream(), settings.upload_bytes_max, take)
            with upload.content:
                received = await service.upload(
                    upload.content, upload.sha256, upload.file_name, upload.rule_set, key, upload.customer
                )
        links = links_of(received.document_id)
        headers = {"Location": links["self"]} | (REPLAYED if received.replayed else {})
        seconds = wait_seconds(prefer, settings.wait_seconds_max) if "documents:read" in writer.scopes else None
        status = Status.RECEIVED
        if seconds is not None:
            stand_aside(request)
            document = await service.finished(received.document_id, seconds, is_new=not received.replayed)
            headers["Preference-Applied"] = f"wait={seconds}"
            if document.status in FINISHED:
                return _json(await _shown(service, document), 201, headers)
            status = document.status
        elif received.replayed:
            status = (await service.find(received.document_id)).status
        return _json(DocumentReceived(document_id=received.document_id, status=status, links=links), 202, headers)


async def _shown(service: DocumentService, document: Document) -> DocumentShown:
    return DocumentShown.of(document, await service.file_name(document), await service.customer(document))


def _json(shown: BaseModel, status: int, headers: dict[str, str]) -> Any:
    return JSONResponse(shown.model_dump(mode="json"), status_code=status, headers=headers)


def _documents(routes: APIRouter, service: DocumentService, settings: ServiceSettings) -> None:
    @routes.get("/v1/documents")
    async def list_documents(
        _: Reader, kind: Word = None, outcome: Outcome | None = None, status: Status | None = None,
        q: Annotated[str | None, Query(min_length=1, max_length=200, description="A value, or its words.")] = None,
        customer: Annotated[str | None, Query(max_length=64, description="Your reference, as it was uploaded.")] = None,
        created_from: datetime | None = None, created_to: datetime | None = None,
        limit: Limit = 50, cursor: Cursor = None,
    ) -> Page[DocumentShown]:  # fmt: skip
        """Documents, newest first."""
        before, before_id = moment_and_id(cursor)
        filters = {
            "kind": kind, "outcome": outcome, "status": status, "customer": customer,
            "from": _aware(created_from), "to": _aware(created_to),
            "before": before, "before_id": before_id, "limit": limit + 1,
        }  # fmt: skip
        found = await service.page(filters, q)
        kept, following = page_of(found, limit, lambda document: (document.uploaded_at, document.document_id))
        return Page(items=[DocumentShown.of(document) for document in kept], next_cursor=following)

    @routes.get("/v1/documents/{document_id}")
    async def show_document(
        document_id: UUID, request: Request, response: Response, _: Reader, prefer: Prefer = None
    ) -> DocumentShown:  # fmt: skip
        """Where a document stands; with `Prefer: wait=20` as soon as it has its outcome, at the latest after 20 s."""
        seconds = wait_seconds(prefer, settings.wait_seconds_max)
        if seconds is None:
            document = await service.find(document_id)
        else:
            stand_aside(request)
            document = await service.finished(document_id, seconds)
            response.headers["Preference-Applied"] = f"wait={seconds}"
        return await _shown(service, document)

    @routes.get("/v1/documents/{document_id}/result")
    async def show_result(document_id: UUID, _: Reader) -> ResultShown:
        """What was read and how it was judged, as far as it has come."""
        return ResultShown.of(await service.normal_form(document_id))

    @routes.get("/v1/documents/{document_id}/evidence")
    async def show_evidence(document_id: UUID, _: Reader) -> EvidenceShown:
        """Each rule with the values it looked at and their places on the pages."""
        return EvidenceShown.of(await service.normal_form(document_id))

    @routes.post("/v1/documents/{document_id}/erase")
    async def erase_document(document_id: UUID, _: Eraser) -> DocumentShown:
        """Destroy the document's key: values, evidence, names, reasons and original can never be read again.

        There is no way back. What stays is about no person: id, kind, outcome, score and times, and the original's
        sealed bytes until its retention ends. Again: the same answer.
        """
        return DocumentShown.of(await service.erase(document_id))


def _contents(routes: APIRouter, service: DocumentService) -> None:
    @routes.get("/v1/documents/{document_id}/original", response_class=Response)
    async def show_original(document_id: UUID, _: Reader) -> Response:
        """The bytes as they were uploaded."""
        document = await service.find(document_id)
        name = await service.file_name(document) or "document"
        pieces = await service.original(document)
        # The first piece is read before the answer begins, so that a damaged object is a problem and no short file.
        first = await anext(pieces, b"")
        headers = {
            "Content-Length": str(document.size_bytes),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        }
        return StreamingResponse(_all(first, pieces), media_type=document.media_type, headers=headers)


def _pages(routes: APIRouter, service: DocumentService) -> None:
    @routes.get("/v1/documents/{document_id}/pages/{page}", response_class=Response, responses=_PICTURE)
    async def show_page(
        document_id: UUID, page: int, _: Reader,
        width: Annotated[int, Query(ge=64, le=2400, description="At most so many pixels wide.")] = 1200,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:  # fmt: skip
        """A page as a person sees it."""
        document = await service.find(document_id)
        tag = await service.pages.tag(document, page, width)
        # Whoever kept the picture asks again each time, so that what was erased is not shown any more.
        headers = {"ETag": tag, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
        if if_none_match is not None and tag in if_none_match:
            return Response(status_code=304, headers=headers)
        return Response(await service.pages.picture(document, page, width), media_type="image/png", headers=headers)


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
