"""The door for HTTP: events, consumers, replay, dead letters, the archive's manifest."""

import time
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse

from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.http.pagination import Cursor, Limit, Page, id_of, page_of
from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.kernel.messaging.position import Position
from ecosystem.kernel.telemetry.log import log
from ecosystem.services.events.schemas import (
    ArchiveFileShown,
    ConsumerShown,
    ConsumersShown,
    DeadLetterShown,
    EventShown,
    Redelivered,
    RedeliveryAsked,
    RedeliveryShown,
    ReplayAsked,
    ReplayShown,
)
from ecosystem.services.events.service import ArchiveService, EventsService

Reader = Annotated[Principal, Depends(requires("events:read"))]
Operator = Annotated[Principal, Depends(requires("events:replay"))]
After = Annotated[str | None, Query(max_length=60, description="A position: only what stands behind it.")]
Type = Annotated[str | None, Query(alias="type", max_length=100)]
Subject = Annotated[str | None, Query(max_length=200)]
_HEARTBEAT_SECONDS = 10.0


def routers(events: EventsService, archive: ArchiveService) -> tuple[APIRouter, ...]:
    router = APIRouter(prefix="/v1/events", tags=["events"])
    _care(router, events, archive)
    _reading(router, events)
    return (router,)


def _everywhere(principal: Principal) -> bool:
    """An administrator of the platform without a company sees the dead letters of all: they carry ids only."""
    return principal.company_id is None and "platform:read" in principal.scopes


def _care(router: APIRouter, events: EventsService, archive: ArchiveService) -> None:
    @router.get("/consumers")
    async def consumers(_: Reader) -> ConsumersShown:
        """Every consumer of the platform with its lag. No company's data, only how far each is."""
        states = await events.log.consumers()
        return ConsumersShown(
            items=[ConsumerShown.of(state) for state in states], horizon_seconds=await events.log.horizon_seconds()
        )

    @router.post("/replay")
    async def replay(asked: ReplayAsked, _: Operator) -> ReplayShown:
        """Let a consumer read the log again; `dry_run` only counts."""
        done = await events.replay(asked.consumer, asked.from_position, asked.from_time, dry_run=asked.dry_run)
        return ReplayShown(
            consumer=asked.consumer, events=done.events, already_handled=done.already_handled,
            to_handle=done.to_handle, dry_run=asked.dry_run,
        )  # fmt: skip

    @router.get("/dead-letters")
    async def dead_letters(
        principal: Reader, limit: Limit = 50, cursor: Cursor = None,
        consumer: Annotated[str | None, Query(max_length=100)] = None,
    ) -> Page[DeadLetterShown]:  # fmt: skip
        """What a consumer gave up on, newest first."""
        found = await events.log.dead_letters(
            everywhere=_everywhere(principal), consumer=consumer, before=id_of(cursor), limit=limit + 1,
        )  # fmt: skip
        kept, following = page_of(found, limit, lambda letter: (letter.dead_letter_id,))
        return Page(items=[DeadLetterShown.of(letter) for letter in kept], next_cursor=following)

    @router.post("/dead-letters/{dead_letter_id}/redeliver")
    async def redeliver(dead_letter_id: UUID, principal: Operator) -> Redelivered:
        """Hand it to its consumer again, once."""
        await events.redeliver(dead_letter_id, everywhere=_everywhere(principal))
        return Redelivered(id=dead_letter_id)

    @router.post("/dead-letters/redeliver")
    async def redeliver_all(asked: RedeliveryAsked, principal: Operator) -> RedeliveryShown:
        """Hand a consumer its dead letters again, up to 200 at once, each once; `dry_run` only says which."""
        ids, more = await events.redeliver_all(
            asked.consumer, asked.code, everywhere=_everywhere(principal), dry_run=asked.dry_run
        )
        return RedeliveryShown(consumer=asked.consumer, ids=ids, more=more, dry_run=asked.dry_run)

    @router.get("/archive")
    async def files(principal: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[ArchiveFileShown]:
        """The manifest of the company's archive, newest file first."""
        found = await archive.files(principal.company_id, id_of(cursor), limit + 1)
        kept, following = page_of(found, limit, lambda file: (file.file_id,))
        return Page(items=[ArchiveFileShown.of(file) for file in kept], next_cursor=following)


def _reading(router: APIRouter, events: EventsService) -> None:
    @router.get("")
    async def listing(
        _: Reader, after: After = None, type_: Type = None, subject: Subject = None, limit: Limit = 50
    ) -> Page[EventShown]:
        """The company's events in the order of the log; `next_cursor` is the position to go on `after`."""
        found = await events.log.events(after=after, type_=type_, subject=subject, limit=limit + 1)
        kept = found[:limit]
        return Page(
            items=[EventShown.of(one) for one in kept], next_cursor=kept[-1].cursor if len(found) > limit else None
        )

    async def place(principal: Reader) -> AsyncIterator[None]:
        with events.streams.one(principal.company_id):
            yield

    @router.get("/stream", response_class=StreamingResponse, dependencies=[Depends(place, scope="request")])
    async def stream(
        principal: Reader, after: After = None, type_: Type = None, subject: Subject = None,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> StreamingResponse:  # fmt: skip
        """Events as they happen (server-sent events); without `after` or Last-Event-ID from now on."""
        start = last_event_id or after or await events.log.end()
        Position.parse(start)
        messages = _messages(events, principal.company_id, start, type_, subject)
        return StreamingResponse(
            messages, media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"}
        )

    @router.get("/{event_id}")
    async def one(event_id: UUID, _: Reader) -> EventShown:
        return EventShown.of(await events.event(event_id))


async def _messages(
    events: EventsService, company_id: UUID | None, start: str, type_: str | None, subject: str | None
) -> AsyncIterator[bytes]:
    """What stands in an answer that has begun: what fails now can only end it, and the reader comes again."""
    # Whoever is cut off before the first event comes again from here.
    yield b"id: %s\n\n" % start.encode()
    spoken = time.monotonic()
    try:
        async for one in events.follow(company_id, start, type_=type_, subject=subject):
            if one is not None:
                data = orjson.dumps(EventShown.of(one).model_dump(mode="json"))
                yield b"id: %s\nevent: %s\ndata: %s\n\n" % (one.cursor.encode(), one.envelope.type.encode(), data)
            elif time.monotonic() - spoken < _HEARTBEAT_SECONDS:
                continue
            else:
                yield b": still here\n\n"
            spoken = time.monotonic()
    except EcosystemError as error:
        log.warning("an event stream ended before its time", code=error.code)
