"""Incidents as people read them: listings, one with its story, and the public status."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ecosystem.contracts.monitoring import IncidentState, Priority
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.errors import UnitOfWorkTooLong
from ecosystem.kernel.errors import Unavailable
from ecosystem.services.monitoring.errors import IncidentUnknown
from ecosystem.services.monitoring.incidents.model import Episode, Incident, Line
from ecosystem.services.monitoring.incidents.repository import Incidents
from ecosystem.services.monitoring.incidents.status import Status, absent, status_of

_ASK_SECONDS = 2.0
_EPISODES_SHOWN = 20
STORY_LINES_MAX = 1000
"""Lines that a document about an incident tells; it says how many more there are."""


@dataclass(frozen=True)
class Story:
    """One incident with its newest episodes, and of its timeline, which has `lines` lines, what was asked for.

    `more`: there are lines behind these. A company is told the incident alone.
    """

    incident: Incident
    episodes: Sequence[Episode] = ()
    timeline: Sequence[Line] = ()
    lines: int = 0
    more: bool = False


class IncidentReading:
    """`company_id` None asks for all incidents of the platform, a company for those that affect it."""

    def __init__(
        self, database: Database, incidents: Incidents, clock: Clock, status_seconds: float,
        without_instance: Callable[[], Collection[str]] = tuple,
    ) -> None:  # fmt: skip
        """`without_instance`: services of which no instance takes work now, as the registry knows it."""
        self._database, self._incidents, self._clock = database, incidents, clock
        self._without_instance = without_instance
        self._status_seconds = status_seconds
        self._status: tuple[float, Status] | None = None
        self._asking = asyncio.Lock()

    async def page(
        self, company_id: UUID | None, *, state: IncidentState | None = None, priority: Priority | None = None,
        unfinished: bool = False, before: int | None = None, limit: int = 50,
    ) -> list[Incident]:  # fmt: skip
        """Newest first, before number `before`."""
        found = await self._database.read(
            lambda: self._incidents.page(
                everything=company_id is None, state=state, priority=priority, unfinished=unfinished, before=before,
                limit=limit,
            )
        )  # fmt: skip
        return [incident.seen_by(company_id) for incident in found]

    async def story(
        self, company_id: UUID | None, incident: UUID | int, *, after: tuple[datetime, int] | None = None,
        limit: int = STORY_LINES_MAX,
    ) -> Story:  # fmt: skip
        """By id or number, with `limit` lines of the timeline behind the one of this time and number.

        Raises IncidentUnknown: also for one that does not affect the company.
        """

        async def work() -> Story:
            found = await self._incidents.seen(incident, everything=company_id is None)
            if found is None:
                raise IncidentUnknown
            if company_id is not None:
                return Story(found.seen_by(company_id))
            episodes = await self._incidents.episodes(found.incident_id, limit=_EPISODES_SHOWN)
            timeline = await self._incidents.timeline(found.incident_id, after, limit + 1)
            lines = await self._incidents.lines(found.incident_id)
            return Story(found, episodes, timeline[:limit], lines, len(timeline) > limit)

        return await self._database.read(work)

    async def allow_naming(self, company_id: UUID | None, incident_id: UUID) -> None:
        """Whether the company may name this incident to its people. Inside of a unit of work, or of none.

        Raises IncidentUnknown where it neither affects the company nor stands in the public status.
        """

        async def work() -> None:
            if await self._incidents.seen(incident_id, everything=company_id is None) is not None:
                return
            found = await self._incidents.find(incident_id)
            if found is None or not found.is_public:
                raise IncidentUnknown

        await self._database.read(work)

    async def episodes(
        self, incident: UUID | int, before: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[Episode]:
        """Newest first, for operators. Raises IncidentUnknown."""

        async def work() -> list[Episode]:
            found = await self._incidents.seen(incident, everything=True)
            if found is None:
                raise IncidentUnknown
            return await self._incidents.episodes(found.incident_id, before=before, limit=limit)

        return await self._database.read(work)

    async def open_by_priority(self) -> dict[str, int]:
        """How many incidents are not closed, by priority."""
        found = await self._database.read(self._incidents.open_by_priority)
        return {one.value: sum(1 for priority, _, _ in found if priority == one) for one in Priority}

    async def status(self) -> Status:
        """What everybody may know, asked for at most once in `status_seconds`."""
        async with self._asking:
            now = self._clock.monotonic()
            if self._status is not None and now < self._status[0] + self._status_seconds:
                return self._status[1]
            self._status = (now, await self._ask(self._clock.now()))
            return self._status[1]

    async def _ask(self, now: datetime) -> Status:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                incidents = await self._database.read(self._incidents.open_by_priority)
                return status_of(incidents, now, self._without_instance())
        except (Unavailable, UnitOfWorkTooLong, TimeoutError):
            return absent(now)
