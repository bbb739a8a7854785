"""Objects that are not what was put: one episode for all of them, over when the last one is restored."""

from ecosystem.contracts.objects import SERVICE, ObjectDamageFound, ObjectRestored
from ecosystem.contracts.recovery import FaultKind, RepairOutcome
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.services.recovery.model import BY_US, RESTORE, Action, Sighting, action_id
from ecosystem.services.recovery.repository import Recovery
from ecosystem.services.recovery.watching.episodes import Episodes

NAMED_MAX = 500
"""Objects that one episode waits for; when there are more, only a person can tell that all are restored."""


class DamagedObjects:
    """Each method belongs inside of a unit of work. The episode is the platform's, whoever's object was the first."""

    def __init__(self, database: Database, recovery: Recovery, episodes: Episodes) -> None:
        self._database, self._recovery, self._episodes = database, recovery, episodes

    async def damaged(self, envelope: Envelope) -> None:
        """Flagged; a person is called where no owner restores it soon. Further ones join the open episode."""
        damage = envelope.read(ObjectDamageFound)
        companies = (envelope.company_id,) if envelope.company_id is not None else ()
        sighting = Sighting(
            FaultKind.OBJECT_CORRUPT, SERVICE, f"an object failed its check: {damage.code}", envelope.time,
            companies=companies, detail={"object_digest": damage.object_digest},
        )  # fmt: skip
        async with self._database.as_company(None):
            episode = await self._episodes.observe(sighting) or await self._recovery.open_one(*sighting.key)
            if episode is not None:
                await self._recovery.wait_for(episode.episode_id, damage.object_digest, NAMED_MAX)

    async def restored(self, envelope: Envelope) -> None:
        """Its owner put it again: recorded, and the end of the episode where it was the last one."""
        fact = envelope.read(ObjectRestored)
        async with self._database.as_company(None):
            episode = await self._recovery.open_one(FaultKind.OBJECT_CORRUPT, SERVICE)
            if episode is None or fact.object_digest not in episode.waiting:
                return
            attempt = 1 + sum(one.action == RESTORE for one in await self._recovery.actions_of(episode.episode_id))
            action = Action(
                action_id(episode.episode_id, f"{RESTORE}/{fact.object_digest}", 1), episode.episode_id, episode.fault,
                SERVICE, RESTORE, attempt, RepairOutcome.DONE,
                f"object {fact.object_digest[:12]} was restored from {fact.source}", BY_US,
                {"object_digest": fact.object_digest}, envelope.time,
            )  # fmt: skip
            await self._episodes.record(action, None)
            if not await self._recovery.wait_no_more(episode.episode_id, fact.object_digest):
                await self._episodes.clear(episode, envelope.time)
