"""The door for events: an object that is not what was put, and what a person must look at."""

from ecosystem.contracts.objects import SERVICE, ObjectDamageFound
from ecosystem.contracts.orchestrator import RunCancelled, RunFailed, RunRetried
from ecosystem.contracts.recovery import FaultCleared, FaultKind, HelpNeeded
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.services.recovery.model import Sighting
from ecosystem.services.recovery.watching.episodes import Episodes
from ecosystem.services.recovery.working.service import WorkService

NAME, WORK = "recovery-objects", "recovery-work"


def damaged_objects(database: Database, episodes: Episodes) -> Consumer:
    async def seen(envelope: Envelope) -> None:
        """Flagged for a person: only a backup has what was put. Further ones join the open episode."""
        damage = envelope.read(ObjectDamageFound)
        companies = (envelope.company_id,) if envelope.company_id is not None else ()
        sighting = Sighting(
            FaultKind.OBJECT_CORRUPT, SERVICE, f"an object failed its check: {damage.code}", envelope.time,
            companies=companies, detail={"object_digest": damage.object_digest},
        )  # fmt: skip
        # The episode is the platform's, whoever's object was the first.
        async with database.as_company(None):
            await episodes.observe(sighting)

    return Consumer(NAME, {ObjectDamageFound: seen})


def work(service: WorkService) -> Consumer:
    """Nobody waits for these in the same second: they come with the next poll, so that no document wakes us."""

    async def retried(envelope: Envelope) -> None:
        await service.is_over(envelope, "the run goes on")

    async def cancelled(envelope: Envelope) -> None:
        await service.is_over(envelope, "the run was ended")

    async def cleared(envelope: Envelope) -> None:
        await service.is_over(envelope, "the fault is over")

    return Consumer(
        WORK,
        {
            RunFailed: service.run_failed, RunRetried: retried, RunCancelled: cancelled,
            HelpNeeded: service.help_needed, FaultCleared: cleared,
        },
        at_once=False,
    )  # fmt: skip
