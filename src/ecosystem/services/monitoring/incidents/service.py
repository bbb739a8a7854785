"""The use cases of incidents: what faults make of them, what people do with them, what is due."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from ecosystem.contracts.monitoring import (
    IncidentAcknowledged,
    IncidentClosed,
    IncidentEscalated,
    IncidentFact,
    IncidentOpened,
    IncidentState,
    Priority,
)
from ecosystem.contracts.recovery import FaultCleared, FaultObserved, HelpNeeded, RepairRecorded
from ecosystem.kernel import context
from ecosystem.kernel.audit.audit import Audit
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.ids import Ids
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.kernel.messaging.outbox import Outbox
from ecosystem.services.monitoring.errors import IncidentOver, IncidentUnknown
from ecosystem.services.monitoring.incidents import causes, model
from ecosystem.services.monitoring.incidents.model import Episode, Incident, Line, Responding, What
from ecosystem.services.monitoring.incidents.ports import Pages
from ecosystem.services.monitoring.incidents.repository import Incidents
from ecosystem.services.monitoring.settings import ServiceSettings

T = TypeVar("T")


@dataclass(frozen=True)
class Parts:
    database: Database
    outbox: Outbox
    audit: Audit
    clock: Clock
    ids: Ids
    pages: Pages


class IncidentService:
    """Incidents are the platform's: every change is made without a company, whoever published what it follows from."""

    def __init__(self, incidents: Incidents, parts: Parts, settings: ServiceSettings) -> None:
        self._incidents, self._parts = incidents, parts
        self._flapping = timedelta(seconds=settings.flapping_seconds)
        self._page_after = timedelta(seconds=settings.page_after_seconds)
        self._responding = Responding(ZoneInfo(settings.business_zone))

    async def observed(self, envelope: Envelope) -> None:
        """A fault opens an incident, joins the one of the same fault, or brings back one closed a short while ago."""
        fault = envelope.read(FaultObserved)
        companies = (*fault.companies, *([envelope.company_id] if envelope.company_id else []))
        await self._changing(lambda: self._observe(fault, companies))

    async def _observe(self, fault: FaultObserved, companies: Iterable[UUID]) -> None:
        episode = await self._incidents.episode(fault.episode_id)
        if episode is not None:
            incident = await self._incidents.find(episode.incident_id)
        else:
            component = model.tidy(fault.component, 100)
            incident = await self._incidents.of_fault(component, fault.fault, fault.observed_at - self._flapping)
        if incident is None:
            await self._open(fault, companies)
            return
        before, at = incident, fault.observed_at
        incident = model.joined(incident, fault, companies, new_episode=episode is None)
        lines: list[Line] = []
        if not before.is_open:
            cause = await self._cause(replace(incident, opened_at=at))
            incident = model.reopened(incident, self._parts.clock.now(), self._responding)
            incident = replace(incident, caused_by=cause.number if cause else None)
            said = f"The fault came back: {model.tidy(fault.cause)}." + (_caused_by(cause) if cause else "")
            lines.append(Line(at, What.REOPENED, said))
        elif incident.fault != before.fault:
            lines.append(Line(at, What.ESCALATED, f"It is a crash loop now: {incident.cause}."))
        elif episode is None:
            kind = "the same fault" if fault.fault.value == incident.fault else fault.fault.value.replace("_", " ")
            lines.append(Line(at, What.JOINED, f"Another episode of {kind}: {model.tidy(fault.cause)}."))
        if episode is None or episode.cleared_at is not None:
            began_at = model.began(fault, self._parts.clock.now())
            paged_at = episode.paged_at if episode else None
            await self._incidents.keep_episode(
                Episode(fault.episode_id, incident.incident_id, began_at, paged_at=paged_at)
            )
        await self._keep(before, incident, lines)
        if not before.is_open:
            await self._tell(incident, IncidentOpened, again=True, caused_by=incident.caused_by)
        elif incident.fault != before.fault:
            await self._tell(incident, IncidentEscalated, reason=incident.fault)
        priority = model.priority_of(fault.severity)
        if priority < incident.priority:
            await self._escalate(incident, priority, "severity_raised")

    async def _open(self, fault: FaultObserved, companies: Iterable[UUID]) -> None:
        now = self._parts.clock.now()
        incident = model.begun(fault, companies, self._parts.ids.uuid(), now, self._responding)
        cause = await self._cause(incident)
        incident = replace(incident, caused_by=cause.number if cause else None)
        incident = replace(incident, number=await self._incidents.add(incident))
        await self._incidents.keep_episode(Episode(fault.episode_id, incident.incident_id, incident.began_at))
        await self._incidents.affect(incident.incident_id, incident.companies)
        said = f"{incident.title}: {incident.cause}." + (_caused_by(cause) if cause else "")
        if incident.began_at < incident.opened_at:
            said += f" It has been so since {incident.began_at.isoformat(timespec='milliseconds')}."
        await self._incidents.tell(
            incident.incident_id, Line(fault.observed_at, What.OPENED, said, detail={"episode": str(fault.episode_id)})
        )
        await self._tell(incident, IncidentOpened, caused_by=incident.caused_by)

    async def _cause(self, incident: Incident) -> Incident | None:
        others = await self._incidents.recent(causes.CAUSES, incident.opened_at - causes.AFTER)
        return causes.cause_of(incident.fault, incident.component, incident.opened_at, others)

    async def repaired(self, envelope: Envelope) -> None:
        """An action of repair becomes a line of the timeline."""
        repair = envelope.read(RepairRecorded)
        left = "" if repair.budget_left is None else f", {repair.budget_left} left"
        said = (
            f"{model.tidy(repair.action, 100)}: {repair.outcome.value}, attempt {repair.attempt}{left}."
            f" {model.tidy(repair.reason)}"
        )
        detail = {"action_id": str(repair.action_id), "outcome": repair.outcome.value}
        line = Line(repair.at, What.REPAIR, said, model.tidy(repair.by, 100), detail)
        await self._changing(lambda: self._of_episode(repair.episode_id, line))

    async def _of_episode(self, episode_id: UUID, line: Line) -> None:
        # An episode that began before this service kept any has no incident to add to.
        episode = await self._incidents.episode(episode_id)
        if episode is not None:
            await self._incidents.tell(episode.incident_id, line)

    async def cleared(self, envelope: Envelope) -> None:
        """The end of an episode; the end of its last open one closes the incident."""
        fact = envelope.read(FaultCleared)

        async def work() -> None:
            episode = await self._incidents.episode(fact.episode_id)
            if episode is None or episode.cleared_at is not None:
                return
            await self._incidents.keep_episode(
                replace(episode, cleared_at=fact.cleared_at, by_itself=fact.by_itself,
                        repair_seconds=fact.repair_seconds)
            )  # fmt: skip
            how = "by itself" if fact.by_itself else model.tidy(fact.repaired_by or "by a repair", 200)
            left = await self._incidents.episodes(episode.incident_id, only_open=True)
            which = "One fault of it" if left else "The fault"
            said = f"{which} was over after {fact.repair_seconds:.1f} s: {how}."
            await self._incidents.tell(episode.incident_id, Line(fact.cleared_at, What.CLEARED, said))
            incident = await self._incidents.find(episode.incident_id)
            if incident is not None and incident.is_open and not left:
                # It was over when its last fault was, whenever we heard of that.
                at = min(max(fact.cleared_at, incident.seen_at), self._parts.clock.now())
                await self._close(incident, None, how, at)

        await self._changing(work)

    async def help_needed(self, envelope: Envelope) -> None:
        """No repair is left: at least P2, and a person is called unless one already looks at it."""
        fact = envelope.read(HelpNeeded)

        async def work() -> None:
            episode = await self._incidents.episode(fact.episode_id)
            incident = await self._incidents.find(episode.incident_id) if episode else None
            if episode is None or incident is None or not incident.is_open:
                return
            now = self._parts.clock.now()
            after = replace(incident, help_needed=episode.paged_at is None)
            await self._keep(incident, after, [Line(now, What.HELP_NEEDED, model.tidy(fact.reason))])
            if after.priority > Priority.P2:
                after = await self._escalate(after, Priority.P2, "help_needed")
            if not await self._waits_for_its_cause(after) and model.page_due(after, now, self._page_after):
                await self._page(after)

        await self._changing(work)

    async def look(self) -> None:
        """What is due: a page for what did not heal itself, a higher priority for what nobody answered."""
        now = self._parts.clock.now()
        for due in await self._parts.database.read(lambda: self._incidents.due(now, now - self._page_after)):
            await self._changing(lambda due=due: self._look_at(due.incident_id))  # type: ignore[misc]

    async def _waits_for_its_cause(self, incident: Incident) -> bool:
        """Whoever is called for the cause would be called again for what follows from it."""
        cause = await self._incidents.seen(incident.caused_by, everything=True) if incident.caused_by else None
        return cause is not None and cause.is_open

    async def _look_at(self, incident_id: UUID) -> None:
        incident, now = await self._incidents.find(incident_id), self._parts.clock.now()
        if incident is None or incident.state != IncidentState.OPEN or await self._waits_for_its_cause(incident):
            return
        if model.in_the_future(incident, now):
            incident = model.on_its_own(incident, now, self._responding)
            await self._incidents.keep(incident)
        if now >= incident.respond_by:
            said = f"Nobody answered by {incident.respond_by.isoformat(timespec='seconds')}."
            await self._incidents.tell(incident_id, Line(now, What.UNANSWERED, said))
            higher = model.one_higher(incident.priority)
            if higher != incident.priority:
                incident = await self._escalate(incident, higher, "response_overdue")
            else:
                incident = model.raised(incident, higher, now, self._responding)
                await self._incidents.keep(incident)
        if model.page_due(incident, now, self._page_after):
            await self._page(incident)

    async def _page(self, incident: Incident) -> None:
        """Ask for a page, once for each episode: one that was paged for before is not a reason again."""
        now = self._parts.clock.now()
        episodes = await self._incidents.episodes(incident.incident_id, only_open=True)
        await self._incidents.mark_paged(incident.incident_id, now)
        paged = replace(incident, paged_at=now, help_needed=False)
        if all(episode.paged_at is not None for episode in episodes):
            await self._incidents.keep(paged)
            return
        await self._parts.pages.request(
            incident_id=incident.incident_id, priority=incident.priority, title=incident.title,
            summary=incident.cause, runbook=incident.runbook, dedup_key=incident.incident_id,
        )  # fmt: skip
        await self._keep(incident, paged, [Line(now, What.PAGED, "Whoever is on call was paged.")])

    async def acknowledge(self, incident: UUID | int, by: str) -> Incident:
        """Somebody looks at it. Again, by whomever, it changes nothing. Inside of an open unit it joins that.

        Raises IncidentUnknown, IncidentOver.
        """

        async def work() -> Incident:
            before = await self._known(incident)
            if before.state == IncidentState.ACKNOWLEDGED:
                return before
            if not before.is_open:
                raise IncidentOver
            now = self._parts.clock.now()
            after = model.acknowledged(before, by, now)
            await self._keep(before, after, [Line(now, What.ACKNOWLEDGED, "Somebody looks at it.", by)])
            await self._tell(after, IncidentAcknowledged, by=by)
            await self._parts.pages.acknowledged(after.incident_id, by)
            await self._record("incident_acknowledged", before, after)
            return after

        return await self._changing(work)

    async def resolve(self, incident: UUID | int, by: str, reason: str) -> Incident:
        """End it by hand, with its open episodes. Raises IncidentUnknown, IncidentOver."""

        async def work() -> Incident:
            before = await self._known(incident)
            if not before.is_open:
                raise IncidentOver
            await self._incidents.end_episodes(before.incident_id, self._parts.clock.now())
            after = await self._close(before, by, model.tidy(reason), self._parts.clock.now())
            await self._record("incident_resolved", before, after)
            return after

        return await self._changing(work)

    async def _known(self, incident: UUID | int) -> Incident:
        found = await self._incidents.seen(incident, everything=True)
        if found is None:
            raise IncidentUnknown
        return found

    async def _close(self, incident: Incident, by: str | None, reason: str, at: datetime) -> Incident:
        now = self._parts.clock.now()
        after = model.closed(incident, at, by, reason)
        said = "It is over: every fault was cleared." if by is None else f"Closed by hand: {reason}"
        await self._keep(incident, after, [Line(at, What.CLOSED, said, by)])
        await self._tell(after, IncidentClosed, by=by)
        await self._parts.pages.closed(after.incident_id)
        for one in await self._incidents.caused_by(after.number):
            line = Line(now, What.CAUSE_OVER, f"Its cause, incident {after.number}, is over; this one goes on.")
            await self._keep(one, model.on_its_own(one, now, self._responding), [line])
        return after

    async def _escalate(self, incident: Incident, priority: Priority, reason: str) -> Incident:
        now = self._parts.clock.now()
        after = model.raised(incident, priority, now, self._responding)
        said = f"From {incident.priority.value} to {priority.value}: {reason.replace('_', ' ')}."
        await self._keep(incident, after, [Line(now, What.ESCALATED, said)])
        await self._tell(after, IncidentEscalated, reason=reason)
        return after

    async def _keep(self, before: Incident, after: Incident, lines: Iterable[Line]) -> None:
        await self._incidents.keep(after)
        known = frozenset(before.companies)
        await self._incidents.affect(after.incident_id, [one for one in after.companies if one not in known])
        for line in lines:
            await self._incidents.tell(after.incident_id, line)

    async def _tell(self, incident: Incident, kind: type[IncidentFact], **more: object) -> None:
        fact = {
            "incident_id": incident.incident_id, "number": incident.number, "priority": incident.priority,
            "title": incident.title, "episode_id": incident.episode_id, "companies": incident.companies,
            "at": self._parts.clock.now(),
        }  # fmt: skip
        await self._parts.outbox.add(kind.model_validate({**fact, **more}))

    async def _record(self, action: str, before: Incident, after: Incident) -> None:
        await self._parts.audit.record(
            action, str(after.incident_id), before={"state": before.state.value, "priority": before.priority.value},
            after={"state": after.state.value, "priority": after.priority.value},
        )  # fmt: skip

    async def _changing(self, work: Callable[[], Awaitable[T]]) -> T:
        """`work` in one unit, without a company, as the only one that changes incidents at that moment."""

        async def alone() -> T:
            async with self._parts.database.as_company(None):
                await self._incidents.lock()
                return await work()

        with context.scope(company_id=None):
            return await self._parts.database.run(alone)


def _caused_by(cause: Incident) -> str:
    return f" Caused by incident {cause.number} ({cause.title})."
