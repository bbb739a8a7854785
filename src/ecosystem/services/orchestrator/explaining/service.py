"""The use case of stories: everything that is recorded of one run or document, as sentences in the order of time."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ecosystem.contracts.recovery import QUEUE_OF
from ecosystem.kernel import context
from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.kernel.messaging.log import EventLog
from ecosystem.services.orchestrator.errors import RunUnknown
from ecosystem.services.orchestrator.explaining.model import (
    FAULT_TYPES,
    Moment,
    Recorded,
    moments,
    subjects_of,
)
from ecosystem.services.orchestrator.explaining.repository import Stories
from ecosystem.services.orchestrator.model import Run
from ecosystem.services.orchestrator.service import WorkflowService

_RUNS_MAX, _ROWS_MAX, _EVENTS_MAX = 20, 1000, 200
_PAGE, _PAGES_MAX = 200, 5


@dataclass(frozen=True)
class Story:
    """`is_whole`: nothing was left out, neither for its size nor because it lies too far back in the log."""

    item_id: UUID
    runs: list[Run]
    moments: list[Moment]
    is_whole: bool


class StoryService:
    def __init__(
        self, database: Database, stories: Stories, workflows: WorkflowService, log: EventLog,
        cards: dict[str, AgentCard],
    ) -> None:  # fmt: skip
        self._database, self._stories, self._workflows = database, stories, workflows
        self._log, self._cards = log, cards

    async def tell(self, item_id: UUID) -> Story:
        """The story of a run or of a document, by its id. Raises RunUnknown: also for another company's."""
        runs = await self._runs(item_id)
        events, all_events = await self._events(subjects_of(runs, item_id))
        if not runs and not events:
            raise RunUnknown
        # Read again: of what the log tells by now, the journal must have the steps.
        runs = await self._runs(item_id)
        faults, all_faults = await self._faults(min(run.created_at for run in runs)) if runs else ([], True)
        ids = [run.run_id for run in runs]
        attempts = await self._database.read(lambda: self._stories.attempts(ids, _ROWS_MAX))
        waits = await self._database.read(lambda: self._stories.waits(ids, _ROWS_MAX))
        fallbacks = await self._database.read(lambda: self._stories.fallbacks(ids, _ROWS_MAX))
        services = frozenset({service for run in runs for service in await self._services(run)})
        company_id = context.current().company_id
        told = moments(Recorded(runs, attempts, waits, fallbacks, events, faults, services, company_id))
        is_whole = all_events and all_faults and len(runs) < _RUNS_MAX and max(len(attempts), len(waits)) < _ROWS_MAX
        return Story(item_id, runs, told, is_whole)

    async def _runs(self, item_id: UUID) -> list[Run]:
        """Those of the item, and what followed them."""
        found = [
            await self._workflows.show(run_id)
            for run_id in await self._database.read(lambda: self._stories.runs_of(item_id, _RUNS_MAX))
        ]
        for run in list(found):
            after = await self._database.read(lambda run=run: self._stories.followers(  # type: ignore[misc]
                run.run_id, run.generation, _RUNS_MAX
            ))  # fmt: skip
            found += [await self._workflows.show(run_id) for run_id in after]
        return found[:_RUNS_MAX]

    async def _events(self, subjects: list[str]) -> tuple[list[Envelope], bool]:
        found: dict[UUID, Envelope] = {}
        is_whole = True
        for subject in subjects:
            logged = await self._log.events(subject=subject, limit=_EVENTS_MAX)
            is_whole = is_whole and len(logged) < _EVENTS_MAX
            found |= {one.envelope.id: one.envelope for one in logged}
        return list(found.values()), is_whole

    async def _faults(self, since: datetime) -> tuple[list[Envelope], bool]:
        """The platform's events about faults, back to the beginning of the item; False where that is too far."""
        found: list[Envelope] = []
        is_whole = True
        with context.scope(company_id=None):
            for kind in FAULT_TYPES:
                position: str | None = None
                for _ in range(_PAGES_MAX):
                    page = await self._log.events(after=position, type_=kind.event_type, newest=True, limit=_PAGE)
                    found += [one.envelope for one in page]
                    if len(page) < _PAGE or page[-1].envelope.time < since:
                        break
                    position = page[-1].cursor
                else:
                    is_whole = False
        return found, is_whole

    async def _services(self, run: Run) -> set[str]:
        """Those whose agents the run asks, or could, and the queues of these agents."""
        asked = {step.agent for step in run.steps} | await self._workflows.agents_of(run.digest)
        return {self._cards[agent].service for agent in asked if agent in self._cards} | {
            f"{QUEUE_OF}{one}" for one in asked
        }
