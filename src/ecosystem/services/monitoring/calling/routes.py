"""The door for HTTP: the rota, pages, and the link that takes a page up without logging in."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.http.admission import Priority as Urgency
from ecosystem.kernel.http.admission import priority
from ecosystem.kernel.http.pagination import Cursor, Limit, moment_and_id, page_of
from ecosystem.kernel.http.pagination import Page as Listed
from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.kernel.ids import Ids
from ecosystem.kernel.keys.keyring import PLATFORM
from ecosystem.services.monitoring.calling import link_page
from ecosystem.services.monitoring.calling.paging import PagingService
from ecosystem.services.monitoring.calling.schemas import (
    OverrideAsked,
    PageAsked,
    PageShown,
    RotaAsked,
    RotaShown,
)
from ecosystem.services.monitoring.calling.service import RotaService
from ecosystem.services.monitoring.errors import MomentRefused, PageOver

Reader = Annotated[Principal, Depends(requires("oncall:read"))]
Writer = Annotated[Principal, Depends(requires("oncall:write"))]
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_HTML: dict[str, Any] = {"content": {"text/html": {"schema": {"type": "string"}}}}
_PAGES: dict[int | str, dict[str, Any]] = {200: _HTML, "default": _HTML}
_FORM: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": {
        "type": "object", "required": ["token"], "properties": {"token": {"type": "string"}},
    }}}}
}  # fmt: skip


def router(rotas: RotaService, paging: PagingService, ids: Ids) -> APIRouter:
    routes = APIRouter(prefix="/v1/oncall", tags=["on call"])
    _link(routes, paging)
    _rota(routes, rotas)
    _pages(routes, paging, ids)
    return routes


def _rota(routes: APIRouter, rotas: RotaService) -> None:
    @routes.get("")
    async def show_rota(
        caller: Reader, at: Annotated[datetime | None, Query(description="Default: now; UTC where no offset.")] = None
    ) -> RotaShown:
        """The rota, and who is on call at a moment."""
        return RotaShown.of(await rotas.show(_owner(caller), _aware(at)))

    @routes.put("")
    async def set_rota(asked: RotaAsked, caller: Writer) -> RotaShown:
        """Replace the rota; what is wrong with it is named by line (`problems`), and then nothing changes."""
        return RotaShown.of(await rotas.set(_owner(caller), asked.text, caller.client_id))

    @routes.post("/overrides", status_code=201)
    async def override_rota(asked: OverrideAsked, caller: Writer) -> RotaShown:
        """Somebody else is on call at a level for a while; the newest override counts."""
        owner = _owner(caller)
        await rotas.override(
            owner, key=asked.person, level=asked.level - 1, from_at=asked.from_at, to_at=asked.to_at,
            by=caller.client_id,
        )  # fmt: skip
        return RotaShown.of(await rotas.show(owner))


def _pages(routes: APIRouter, paging: PagingService, ids: Ids) -> None:
    @routes.post("/pages", status_code=202)
    @priority(Urgency.URGENT)
    async def request_page(asked: PageAsked, caller: Writer) -> PageShown:
        """Call whoever is on call, now."""
        owner = _owner(caller)
        page_id = await paging.page(
            owner, incident_id=asked.incident_id, priority=asked.priority, title=asked.title, summary=asked.summary,
            runbook=asked.runbook, dedup_key=asked.key or ids.uuid(), by=caller.client_id,
        )  # fmt: skip
        return PageShown.told(await paging.show(owner, page_id))

    @routes.get("/pages")
    async def list_pages(
        caller: Reader, is_open: Annotated[bool, Query(alias="open")] = False, limit: Limit = 50, cursor: Cursor = None
    ) -> Listed[PageShown]:
        """Newest first; `open=true`: those that nobody has taken yet."""
        before, before_id = moment_and_id(cursor)
        found = await paging.pages(
            _owner(caller), open=is_open, before=before, before_id=before_id, limit=limit + 1
        )  # fmt: skip
        kept, following = page_of(found, limit, lambda one: (one.requested_at, one.page_id))
        return Listed(items=[PageShown.of(one) for one in kept], next_cursor=following)

    @routes.get("/pages/{page_id}")
    async def show_page(page_id: UUID, caller: Reader) -> PageShown:
        """A page, and who was told of it."""
        return PageShown.told(await paging.show(_owner(caller), page_id))

    @routes.post("/pages/{page_id}/acknowledge")
    @priority(Urgency.URGENT)
    async def acknowledge_page(page_id: UUID, caller: Writer) -> PageShown:
        """Take it: nobody else is called, and its incident is acknowledged. Again: it stays with who took it."""
        await paging.acknowledge(_owner(caller), page_id, caller.client_id)
        return PageShown.told(await paging.show(_owner(caller), page_id))


def _link(routes: APIRouter, paging: PagingService) -> None:
    @routes.get("/link", response_class=Response, responses=_PAGES)
    async def look_at_page(token: Annotated[str, Query(max_length=200)]) -> Response:
        """What a page is about, for whom it was sent to; a button takes it up. No login: the token is the proof."""
        try:
            return _page(link_page.shown(await paging.behind_link(token), token))
        except EcosystemError as error:
            return _page(link_page.refused(f"{error.message} {error.next_step}"), error.status)

    @routes.post("/link", response_class=Response, responses=_PAGES, openapi_extra=_FORM)
    @priority(Urgency.URGENT)
    async def take_page(request: Request) -> Response:
        """Take the page up. The body is a form with the token."""
        try:
            given = (await request.form()).get("token")
            token = given if isinstance(given, str) else ""
            try:
                return _page(link_page.shown(await paging.acknowledge_by_link(token), token))
            except PageOver as over:
                return _page(link_page.shown(await paging.behind_link(token), token), over.status)
        except EcosystemError as error:
            return _page(link_page.refused(f"{error.message} {error.next_step}"), error.status)


def _page(html: str, status: int = 200) -> Response:
    return Response(html, status_code=status, headers=link_page.HEADERS, media_type="text/html")


def _owner(caller: Principal) -> UUID:
    return caller.company_id or PLATFORM


def _aware(moment: datetime | None) -> datetime | None:
    if moment is not None and not _FIRST_YEAR <= moment.year < _LAST_YEAR:
        raise MomentRefused
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
