"""The door for HTTP to incidents, their post-mortems, and the public status."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from ecosystem.contracts.monitoring import IncidentState, Priority
from ecosystem.kernel.http.pagination import (
    Cursor,
    Limit,
    Page,
    moment,
    moment_and_id,
    page_of,
    read_cursor,
    whole,
)
from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.services.monitoring.errors import OperatorsOnly
from ecosystem.services.monitoring.incidents.model import which
from ecosystem.services.monitoring.incidents.reading import IncidentReading
from ecosystem.services.monitoring.incidents.reviewing import Postmortem, PostmortemService
from ecosystem.services.monitoring.incidents.schemas import (
    EpisodeShown,
    IncidentListed,
    IncidentShown,
    PostmortemAsked,
    PostmortemShown,
    PostmortemWritten,
    Resolution,
    StatusShown,
    listed,
)
from ecosystem.services.monitoring.incidents.service import IncidentService

Reader = Annotated[Principal, Depends(requires("incidents:read"))]
Writer = Annotated[Principal, Depends(requires("incidents:write"))]
Which = Annotated[str, Path(max_length=40, description="Its id, or its number.")]


def routers(
    service: IncidentService, reading: IncidentReading, postmortems: PostmortemService, status_seconds: float
) -> tuple[APIRouter, ...]:
    incidents = APIRouter(prefix="/v1/incidents", tags=["incidents"])
    _reading(incidents, reading)
    _acting(incidents, service, reading)
    _reviewing(incidents, postmortems)
    return (incidents, _status(reading, status_seconds))


def _reading(routes: APIRouter, reading: IncidentReading) -> None:
    @routes.get("")
    async def listing(
        caller: Reader, state: IncidentState | None = None, priority: Priority | None = None,
        unfinished: bool = False, limit: Limit = 50, cursor: Cursor = None,
    ) -> Page[IncidentListed]:  # fmt: skip
        """Incidents, newest first: all of the platform, or those that affect the caller's company."""
        found = await reading.page(
            caller.company_id, state=state, priority=priority, unfinished=unfinished, before=_number(cursor),
            limit=limit + 1,
        )  # fmt: skip
        kept, following = page_of(found, limit, lambda incident: (incident.number,))
        return Page(items=[listed(incident) for incident in kept], next_cursor=following)

    @routes.get("/{incident}")
    async def show(incident: Which, caller: Reader, limit: Limit = 50, cursor: Cursor = None) -> IncidentShown:
        """One incident; for operators of the platform with its newest episodes and its timeline, page by page."""
        after = read_cursor(cursor, moment, whole)
        return IncidentShown.of(await reading.story(caller.company_id, which(incident), after=after, limit=limit))

    @routes.get("/{incident}/episodes")
    async def episodes(incident: Which, caller: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[EpisodeShown]:
        """All episodes of an incident, newest first."""
        _operator(caller)
        at, id_ = moment_and_id(cursor)
        before = (at, id_) if at is not None and id_ is not None else None
        found = await reading.episodes(which(incident), before, limit + 1)
        kept, following = page_of(found, limit, lambda one: (one.began_at, one.episode_id))
        return Page(items=[EpisodeShown.model_validate(one) for one in kept], next_cursor=following)


def _acting(routes: APIRouter, service: IncidentService, reading: IncidentReading) -> None:
    @routes.post("/{incident}/acknowledge")
    async def acknowledge(incident: Which, caller: Writer) -> IncidentShown:
        """Say that somebody looks at it: nobody else is called."""
        found = await service.acknowledge(which(incident), _operator(caller))
        return IncidentShown.of(await reading.story(None, found.incident_id))

    @routes.post("/{incident}/resolve")
    async def resolve(incident: Which, resolution: Resolution, caller: Writer) -> IncidentShown:
        """End it by hand, with the reason."""
        found = await service.resolve(which(incident), _operator(caller), resolution.reason)
        return IncidentShown.of(await reading.story(None, found.incident_id))


def _reviewing(routes: APIRouter, postmortems: PostmortemService) -> None:
    @routes.get("/{incident}/postmortem")
    async def postmortem(incident: Which, caller: Reader) -> PostmortemShown:
        """The post-mortem as Markdown, drafted from what is recorded."""
        _operator(caller)
        return _postmortem(await postmortems.read(which(incident)))

    @routes.put("/{incident}/postmortem")
    async def write(incident: Which, written: PostmortemAsked, caller: Writer) -> PostmortemShown:
        """Add what only people know: summary, five whys, follow-ups with owners, lessons.

        409 `postmortem_changed` where somebody has written since the caller has read.
        """
        by = _operator(caller)
        return _postmortem(await postmortems.write(which(incident), written.value(), by, written.instead_of))

    @routes.get("/{incident}/ticket")
    async def ticket(incident: Which, caller: Reader) -> dict[str, Any]:
        """The incident as the body of Jira's POST /rest/api/3/issue."""
        _operator(caller)
        return await postmortems.ticket(which(incident))


def _status(reading: IncidentReading, status_seconds: float) -> APIRouter:
    routes = APIRouter(prefix="/v1/status", tags=["status"])

    @routes.get("")
    async def status(response: Response) -> StatusShown:
        """How the platform does, for everybody: no login, nothing from inside."""
        response.headers["cache-control"] = f"public, max-age={status_seconds:.0f}"
        return StatusShown.model_validate(await reading.status())

    return routes


def _operator(caller: Principal) -> str:
    """Incidents are the platform's: a client of a company reads what affects it, and no more."""
    if caller.company_id is not None:
        raise OperatorsOnly
    return caller.client_id


def _number(cursor: str | None) -> int | None:
    found: tuple[int | None, ...] = read_cursor(cursor, whole) or (None,)
    return found[0]


def _postmortem(found: Postmortem) -> PostmortemShown:
    return PostmortemShown(
        incident_id=found.story.incident.incident_id, number=found.story.incident.number, markdown=found.markdown,
        written=PostmortemWritten.model_validate(found.written) if found.written else None,
        written_by=found.written_by, written_at=found.written_at,
    )  # fmt: skip
