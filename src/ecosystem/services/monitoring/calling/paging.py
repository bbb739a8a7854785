"""Pages: requested in the unit of work that needs a person, told to whom is on call, climbing until one takes it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ecosystem.contracts.monitoring import Priority
from ecosystem.kernel import context
from ecosystem.kernel.keys.keyring import PLATFORM
from ecosystem.kernel.telemetry.log import log
from ecosystem.services.monitoring.calling.links import BY_LINK, BY_PERSON, Link, Links
from ecosystem.services.monitoring.calling.model import (
    UNPLANNED,
    UNPLANNED_ROUNDS,
    UNREACHED,
    URGENT,
    Behind,
    Page,
    PageState,
    Person,
    Rota,
)
from ecosystem.services.monitoring.calling.people import Sealed
from ecosystem.services.monitoring.calling.repository import Call, Rotas
from ecosystem.services.monitoring.errors import IncidentOver, IncidentUnknown, PageOver, PageUnknown
from ecosystem.services.monitoring.notifying.model import Channel
from ecosystem.services.monitoring.notifying.service import Message, NotifyingService, Parts
from ecosystem.services.monitoring.notifying.wording import plain

CLIMBS_AT_ONCE_MAX = 100
Acknowledge = Callable[[UUID, str], Awaitable[object]]
"""Tells incidents that a person took one up: (incident, who), inside of the unit of work."""
AllowNaming = Callable[[UUID | None, UUID], Awaitable[None]]
"""(company, incident); raises IncidentUnknown where the company may not know of it."""


@dataclass(frozen=True)
class Told:
    """A page with whom it was told to."""

    page: Page
    calls: Sequence[Call]


class PagingService:
    """What `incidents.ports.Pages` asks for, and what people do with a page."""

    def __init__(
        self, parts: Parts, rotas: Rotas, sealed: Sealed, notifying: NotifyingService, links: Links,
        link_seconds: int,
    ) -> None:  # fmt: skip
        self._parts, self._rotas, self._sealed, self._notifying = parts, rotas, sealed, notifying
        self._links, self._link_seconds = links, link_seconds
        self._acknowledge_incident: Acknowledge | None = None
        self._allow_naming: AllowNaming | None = None

    def tell_incidents(self, acknowledge: Acknowledge, allow_naming: AllowNaming) -> None:
        """Whoever takes up a page takes up its incident; who asks for one names an incident that they may know of."""
        self._acknowledge_incident, self._allow_naming = acknowledge, allow_naming

    async def request(
        self, *, incident_id: UUID, priority: Priority, title: str, summary: str, runbook: str | None, dedup_key: UUID
    ) -> None:
        """For the platform; joins the caller's unit of work."""
        await self.page(
            PLATFORM, incident_id=incident_id, priority=priority, title=title, summary=summary, runbook=runbook,
            dedup_key=dedup_key, by=None,
        )  # fmt: skip

    async def acknowledged(self, incident_id: UUID, by: str) -> None:
        await self._end_all(incident_id, PageState.ACKNOWLEDGED, by)

    async def closed(self, incident_id: UUID) -> None:
        await self._end_all(incident_id, PageState.WITHDRAWN, None)

    async def page(
        self, company_id: UUID, *, incident_id: UUID | None, priority: Priority, title: str, summary: str,
        runbook: str | None, dedup_key: UUID, by: str | None,
    ) -> UUID:  # fmt: skip
        """Begin a page, or find the open one of this key; its id. Whoever is on call first is told by it.

        Raises IncidentUnknown where somebody (`by`) names an incident that they may not know of.
        """
        parts = self._parts
        if by is not None and incident_id is not None and self._allow_naming is not None:
            await self._allow_naming(None if company_id == PLATFORM else company_id, incident_id)

        async def begin() -> UUID:
            now = parts.clock.now()
            page = Page(
                parts.ids.uuid(), incident_id, dedup_key, priority.value, plain(title, 200), plain(summary, 1000),
                plain(runbook, 100) if runbook else None, PageState.OPEN.value, 0, 0, now, now, None, None,
            )  # fmt: skip
            if not await self._rotas.add_page(company_id, page, by):
                standing = await self._rotas.open_page_of(company_id, dedup_key)
                return standing.page_id if standing else page.page_id
            about = {"priority": page.priority, "incident_id": str(incident_id) if incident_id else None}
            await self._parts.fenced.record(company_id, "page_requested", page.page_id, about)
            await self._call(company_id, page, 0, 0)
            return page.page_id

        return await self._parts.fenced.run(company_id, begin)

    async def show(self, company_id: UUID, page_id: UUID) -> Told:
        """Raises PageUnknown."""

        async def look() -> Told:
            page = await self._rotas.page(company_id, page_id)
            if page is None:
                raise PageUnknown
            return Told(page, await self._rotas.calls(company_id, page_id))

        return await self._parts.fenced.read(company_id, look)

    async def pages(self, company_id: UUID, **filters: Any) -> list[Page]:
        """Newest first. `open`, `before`, `before_id`, `limit`."""
        return await self._parts.fenced.read(company_id, lambda: self._rotas.pages(company_id, **filters))

    async def acknowledge(self, company_id: UUID, page_id: UUID, by: str) -> Page:
        """Somebody takes a page, and with it its incident. Again, by anybody: it stays with who took it.

        Raises PageUnknown; PageOver where it was withdrawn with its incident.
        """
        return await self._take((await self.show(company_id, page_id)).page, company_id, by)

    async def _take(self, page: Page, company_id: UUID, by: str) -> Page:
        page_id = page.page_id

        async def take() -> Page:
            # Incidents first: whoever changes one holds it before its pages. They are the platform's: a company that
            # names one in a page of its own has no say in it.
            if company_id == PLATFORM and page.incident_id is not None and page.state != PageState.WITHDRAWN:
                await self._take_incident(page.incident_id, by)
            found = await self._rotas.page(company_id, page_id, lock=True)
            if found is None or found.state == PageState.WITHDRAWN:
                raise PageOver
            # One that nobody answered in time can still be taken: better late.
            if found.state in (PageState.OPEN, PageState.UNANSWERED):
                await self._end(company_id, found, PageState.ACKNOWLEDGED, by)
            found = await self._rotas.page(company_id, page_id)
            assert found is not None
            return found

        return await self._parts.fenced.run(company_id, take)

    async def acknowledge_by_link(self, token: str) -> Behind:
        """As `acknowledge`, by whom the link was sent to. Raises LinkRefused, PageUnknown, PageOver."""
        link = await self._links.read(token, self._parts.clock.now())
        with context.scope(user_id=link.holder):
            before = (await self.show(link.company_id, link.page_id)).page
            page = await self._take(before, link.company_id, link.holder)
        was_free = before.state in (PageState.OPEN, PageState.UNANSWERED)
        return await self._behind(link, page, just_now=was_free and page.ended_by == link.holder)

    async def behind_link(self, token: str) -> Behind:
        """Raises LinkRefused, PageUnknown."""
        link = await self._links.read(token, self._parts.clock.now())
        return await self._behind(link, (await self.show(link.company_id, link.page_id)).page)

    async def _behind(self, link: Link, page: Page, *, just_now: bool = False) -> Behind:
        if page.state != PageState.ACKNOWLEDGED or page.ended_by is None:
            return Behind(page)
        taker = await self._in_words(link.company_id, page.ended_by)
        return Behind(page, taker, link.person_id is not None and page.ended_by == link.holder, just_now)

    async def _in_words(self, company_id: UUID, by: str) -> str:
        """Who took a page, for others who were called."""
        if by == BY_LINK:
            return "somebody who reads a channel"
        if not by.startswith(BY_PERSON):
            return plain(by, 100)

        async def look() -> str | None:
            for row in await self._rotas.people(company_id):
                if str(row.person_id) == by.removeprefix(BY_PERSON):
                    person = await self._sealed.person(company_id, row)
                    return person.name or person.key
            return None

        name = await self._parts.fenced.read(company_id, look)
        return plain(name, 100) if name else "somebody who is not on the rota any more"

    async def climb(self) -> int:
        """Call the next one for every page whose time is over; how many climbed."""
        parts, climbed = self._parts, 0
        now = parts.clock.now()
        for company_id in await parts.database.read(lambda: self._rotas.companies_due(now)):

            async def one(company_id: UUID = company_id) -> bool:
                page = await self._rotas.due_page(company_id, now)
                if page is not None:
                    await self._climb(company_id, page)
                return page is not None

            while climbed < CLIMBS_AT_ONCE_MAX and await self._parts.fenced.run(company_id, one):
                climbed += 1
        return climbed

    async def _climb(self, company_id: UUID, page: Page) -> None:
        rota = await self._rotas.rota(company_id)
        unplanned = (0, page.round + 1) if page.round + 1 < UNPLANNED_ROUNDS else None
        following = rota.after(page.level, page.round) if rota else unplanned
        now = self._parts.clock.now()
        if not any(call.notifications for call in await self._rotas.calls(company_id, page.page_id)):
            await self._wait_for_anybody(company_id, page, rota, now)
            return
        if following is not None:
            await self._call(company_id, page, *following)
            return
        await self._rotas.end_page(company_id, page.page_id, PageState.UNANSWERED.value, None, now)
        await self._parts.fenced.record(
            company_id, "page_unanswered", page.page_id, {"level": page.level, "round": page.round}
        )
        log.error("everybody on call was called, and nobody took the page", page_id=str(page.page_id))

    async def _wait_for_anybody(self, company_id: UUID, page: Page, rota: Rota | None, now: datetime) -> None:
        """Nobody could be told so far: the page stays open until a channel leads to somebody."""
        for level in range(len(rota.levels) if rota else 1):
            if (await self._who(company_id, rota, level, now))[1]:
                await self._call(company_id, page, level, page.round)
                return
        await self._rotas.postpone(company_id, page.page_id, now + UNREACHED)

    async def _call(self, company_id: UUID, page: Page, level: int, round_: int) -> None:
        """Tell whoever is on call at a level now; without a rota, every channel there is."""
        now = self._parts.clock.now()
        rota = await self._rotas.rota(company_id)
        person, channels, within = await self._who(company_id, rota, level, now)
        link = Link(
            company_id, page.page_id, person.person_id if person else None,
            now + timedelta(seconds=self._link_seconds),
        )  # fmt: skip
        last = rota.after(level, round_) is None if rota else round_ + 1 >= UNPLANNED_ROUNDS
        values = {
            "then": "nobody else is called" if last else "the next one is called",
            "priority": page.priority, "title": page.title, "summary": page.summary, "runbook": page.runbook,
            "person": person.name if person and person.name else "Whoever reads this", "incident": page.incident_id,
            "page": page.page_id, "level": level + 1, "minutes": int(within.total_seconds() // 60),
        }  # fmt: skip
        message = Message(
            "page", values, f"page/{page.page_id}/{round_}/{level}", urgent=Priority(page.priority) in URGENT,
            links={"link": await self._links.url(link)},
        )  # fmt: skip
        queued = [await self._notifying.queue(company_id, channel, message) for channel in channels]
        # Time to answer begins when the message may go out; who cannot be told anything has none.
        climbs_at = max(one.due_at for one in queued) + within if queued else now
        call = Call(now, level, round_, person.person_id if person else None, [one.notification_id for one in queued])
        await self._rotas.called(company_id, page.page_id, call, climbs_at)
        about = {
            "level": level, "round": round_, "person_id": str(call.person_id) if person else None,
            "notifications": [str(one) for one in call.notifications],
        }  # fmt: skip
        await self._parts.fenced.record(company_id, "page_called", page.page_id, about)
        if not queued:
            log.error("a page cannot be told: no channel leads to anybody", page_id=str(page.page_id), level=level)

    async def _who(
        self, company_id: UUID, rota: Rota | None, level: int, now: datetime
    ) -> tuple[Person | None, list[Channel], timedelta]:  # fmt: skip
        outbox = self._parts.outbox
        if rota is None:
            return None, await outbox.channels(company_id), UNPLANNED
        person_id = rota.on_call(level, now, await self._rotas.overrides(company_id, now))
        rows = [row for row in await self._rotas.people(company_id) if row.person_id == person_id]
        if not rows:
            return None, await outbox.channels(company_id), rota.levels[level].within
        person = await self._sealed.person(company_id, rows[0])
        channels = await outbox.channels_by_id(company_id, person.channels)
        return person, channels, rota.levels[level].within

    async def _take_incident(self, incident_id: UUID, by: str) -> None:
        """It may be over, or of an id that somebody made up; the page can be taken all the same."""
        if self._acknowledge_incident is not None:
            with suppress(IncidentOver, IncidentUnknown):
                async with self._parts.database.as_company(None):
                    await self._acknowledge_incident(incident_id, by)

    async def _end_all(self, incident_id: UUID, state: PageState, by: str | None) -> None:
        async def end() -> None:
            for page in await self._rotas.open_pages(PLATFORM, incident_id):
                await self._end(PLATFORM, page, state, by)

        await self._parts.fenced.run(PLATFORM, end)

    async def _end(self, company_id: UUID, page: Page, state: PageState, by: str | None) -> None:
        now = self._parts.clock.now()
        await self._rotas.end_page(company_id, page.page_id, state.value, by, now)
        about = {"by": by, "seconds": round((now - page.requested_at).total_seconds(), 3)}
        await self._parts.fenced.record(company_id, f"page_{state.value}", page.page_id, about)
