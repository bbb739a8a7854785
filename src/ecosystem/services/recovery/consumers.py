"""The door for events: an object that is not what was put."""

from ecosystem.contracts.objects import SERVICE, ObjectDamageFound
from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.services.recovery.model import Sighting
from ecosystem.services.recovery.watching.episodes import Episodes

NAME = "recovery-objects"


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
