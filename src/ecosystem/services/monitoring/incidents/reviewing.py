"""What is written about an incident when it is over: the post-mortem, and its ticket."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from ecosystem.kernel.audit.audit import Audit
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.services.monitoring.errors import PostmortemChanged
from ecosystem.services.monitoring.incidents.postmortem import FollowUp, Written, markdown
from ecosystem.services.monitoring.incidents.reading import IncidentReading, Story
from ecosystem.services.monitoring.incidents.repository import Incidents
from ecosystem.services.monitoring.incidents.ticket import ticket


@dataclass(frozen=True)
class Postmortem:
    story: Story
    markdown: str
    written: Written | None
    written_by: str | None = None
    written_at: datetime | None = None


class PostmortemService:
    """For operators: it tells of the whole platform."""

    def __init__(
        self, database: Database, incidents: Incidents, reading: IncidentReading, audit: Audit, clock: Clock,
        ticket_project: str,
    ) -> None:  # fmt: skip
        self._database, self._incidents, self._reading = database, incidents, reading
        self._audit, self._clock, self._ticket_project = audit, clock, ticket_project

    async def read(self, incident: UUID | int) -> Postmortem:
        """A draft of what is recorded, with what was written. Raises IncidentUnknown."""

        async def work() -> Postmortem:
            story = await self._reading.story(None, incident)
            kept = await self._incidents.written(story.incident.incident_id)
            if kept is None:
                return Postmortem(story, markdown(story, Written()), None)
            written = _written(kept["written"])
            return Postmortem(story, markdown(story, written), written, kept["written_by"], kept["written_at"])

        return await self._database.read(work)

    async def write(
        self, incident: UUID | int, written: Written, by: str, instead_of: datetime | None
    ) -> Postmortem:  # fmt: skip
        """Keep what people know in place of what was written at `instead_of` (None: nothing yet).

        Raises IncidentUnknown, PostmortemChanged.
        """

        async def work() -> Postmortem:
            story = await self._reading.story(None, incident)
            incident_id = story.incident.incident_id
            if not await self._incidents.write(incident_id, _raw(written), by, self._clock.now(), instead_of):
                raise PostmortemChanged
            await self._audit.record(
                "postmortem_written", str(incident_id), before=None, after={"follow_ups": len(written.follow_ups)}
            )
            return await self.read(incident_id)

        return await self._database.run(work)

    async def ticket(self, incident: UUID | int) -> dict[str, Any]:
        """Raises IncidentUnknown."""
        return ticket(await self._reading.story(None, incident), self._ticket_project)


def _raw(written: Written) -> dict[str, Any]:
    follow_ups = [
        {"what": one.what, "owner": one.owner, "due": one.due.isoformat() if one.due else None}
        for one in written.follow_ups
    ]
    return {
        "summary": written.summary, "whys": list(written.whys), "follow_ups": follow_ups,
        "lessons": list(written.lessons),
    }  # fmt: skip


def _written(raw: dict[str, Any]) -> Written:
    follow_ups = tuple(
        FollowUp(one["what"], one["owner"], date.fromisoformat(one["due"]) if one["due"] else None)
        for one in raw["follow_ups"]
    )
    return Written(raw["summary"], tuple(raw["whys"]), follow_ups, tuple(raw["lessons"]))
