"""Looking at the world: what is wrong now opens episodes, what is wrong no longer clears them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.telemetry.log import log
from ecosystem.services.recovery.model import Episode, Sighting
from ecosystem.services.recovery.repository import Recovery
from ecosystem.services.recovery.watching.episodes import Episodes

_PROCESS = (FaultKind.INSTANCE_DEAD, FaultKind.INSTANCE_FROZEN, FaultKind.CRASH_LOOP)
_RESTARTED = (FaultKind.SUPERVISOR_RESTARTED, FaultKind.DATABASE_RESTARTED)
_ENGINE = (FaultKind.ENGINE_DEAD, FaultKind.ENGINE_FROZEN)
# What follows from another fault is no episode of its own: the cause has one. Value: kinds, and their component where
# it must be the same.
CAUSED_BY: dict[FaultKind, tuple[tuple[FaultKind, ...], str | None]] = {
    FaultKind.AGENT_UNREACHABLE: ((*_PROCESS, *_ENGINE, *_RESTARTED), None),
    FaultKind.CACHE_LOST: (_ENGINE, "cache"),
    FaultKind.DATABASE_RESTARTED: ((*_ENGINE, FaultKind.SUPERVISOR_RESTARTED), None),
    FaultKind.CONSUMER_BEHIND: ((FaultKind.HORIZON_HELD, *_ENGINE, FaultKind.CRASH_LOOP), None),
    FaultKind.STUCK_RUN: ((*_ENGINE, FaultKind.CRASH_LOOP), None),
    FaultKind.LOG_LATE: ((FaultKind.HORIZON_HELD, *_PROCESS, *_ENGINE, *_RESTARTED, FaultKind.DISK_FULL), None),
    FaultKind.POOL_EXHAUSTED: ((FaultKind.HORIZON_HELD, *_ENGINE, *_RESTARTED, FaultKind.DISK_FULL), None),
    FaultKind.ERROR_RATE_HIGH: (
        (
            *_PROCESS,
            *_ENGINE,
            *_RESTARTED,
            FaultKind.DISK_FULL,
            FaultKind.POOL_EXHAUSTED,
            FaultKind.AGENT_UNREACHABLE,
            FaultKind.CERTIFICATE_EXPIRING,
            FaultKind.CERTIFICATE_REVOKED,
            FaultKind.HORIZON_HELD,
        ),
        None,
    ),
}
_COUNTED_BY_THE_SERVER = (FaultKind.POOL_EXHAUSTED, "postgresql")
"""A cause, whatever began before: who takes the connections does not wait for us."""
_AFTERMATH = timedelta(seconds=60)


class Detector(Protocol):
    """Sees some kinds of faults, as they are now."""

    faults: frozenset[FaultKind]

    async def look(self) -> list[Sighting]:
        """What is wrong now: nothing means that all is well. Raises where it cannot tell."""


class Detecting:
    def __init__(
        self, database: Database, recovery: Recovery, episodes: Episodes, detectors: Sequence[Detector], clock: Clock
    ) -> None:
        self._database, self._recovery, self._episodes = database, recovery, episodes
        self._detectors, self._clock = detectors, clock
        self._untold: dict[tuple[FaultKind, str], Sighting] = {}

    async def look(self) -> dict[tuple[FaultKind, str], Sighting]:
        """One look of every detector; one that cannot tell changes nothing. What is wrong now, by fault and component.

        Raises DatabaseUnavailable.
        """
        seen: dict[tuple[FaultKind, str], Sighting] = {}
        told: set[FaultKind] = set()
        for detector in self._detectors:
            try:
                found = await detector.look()
            except EcosystemError as error:
                log.warning("a detector could not look", code=error.code, faults=sorted(detector.faults))
                continue
            told |= detector.faults
            seen |= {sighting.key: sighting for sighting in found}
        # While a disk is full nobody can write down what is seen: it is told as soon as somebody can, over or not.
        self._untold = seen | self._untold
        open_ones = {(one.fault, one.component): one for one in await self._database.read(self._recovery.open_episodes)}
        over = [one for key, one in open_ones.items() if one.fault in told and key not in seen]
        new = [sighting for key, sighting in self._untold.items() if key not in open_ones]
        if new or over:
            await self._database.run(lambda: self._change(new, over))
        self._untold = {}
        return seen

    async def _change(self, new: list[Sighting], over: list[Episode]) -> None:
        for sighting in new:
            if not await self._is_aftermath(sighting):
                await self._episodes.observe(sighting)
        for episode in over:
            await self._episodes.clear(episode, self._clock.now())

    async def _is_aftermath(self, sighting: Sighting) -> bool:
        if sighting.fault not in CAUSED_BY or sighting.key == _COUNTED_BY_THE_SERVER:
            return False
        faults, component = CAUSED_BY[sighting.fault]
        return await self._recovery.is_recent(faults, component, self._clock.now() - _AFTERMATH)
