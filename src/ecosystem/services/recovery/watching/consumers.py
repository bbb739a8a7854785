"""A detector of consumers that are far behind, and of those that gave up on events."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.messaging.log import ConsumerState, EventLog
from ecosystem.kernel.words import counted
from ecosystem.services.recovery.model import Sighting
from ecosystem.services.recovery.watching.well import ago

_LETTERS_TOLD_MAX = 20
_SET_BACK = timedelta(seconds=5)
"""A cursor that is further back than at the look before was set there: events that come late are not so late."""


@dataclass
class _Replayed:
    """A consumer that a person set back. `reading`: of the monotonic clock, when it was nearer to the end than ever."""

    lag_events: int
    lag_seconds: float
    reading: float

    def takes(self, state: ConsumerState, reading: float) -> None:
        if state.lag_events < self.lag_events or state.lag_seconds < self.lag_seconds:
            self.reading = reading
        self.lag_events = min(self.lag_events, state.lag_events)
        self.lag_seconds = min(self.lag_seconds, state.lag_seconds)


class Consumers:
    """One that a replay has set back is not behind while it comes nearer. Dead letters that were handed over again are
    a fault until all is handled."""

    faults = frozenset({FaultKind.CONSUMER_BEHIND, FaultKind.POISONED_EVENT})

    def __init__(self, log: EventLog, clock: Clock, lag_seconds_max: float) -> None:
        self._log, self._clock, self._lag_seconds_max = log, clock, lag_seconds_max
        self._read_until: dict[str, datetime] = {}
        self._replayed: dict[str, _Replayed] = {}
        self._poisoned: frozenset[str] = frozenset()

    async def look(self) -> list[Sighting]:
        found, poisoned = [], set()
        for state in await self._log.consumers():
            if since := self._behind_since(state):
                cause = f"{counted(state.lag_events, 'event')} behind, the oldest for {state.lag_seconds:.0f} s"
                found.append(self._behind(state, cause, since))
            if state.dead_letters or (state.parked and state.name in self._poisoned):
                poisoned.add(state.name)
                found.append(await self._gave_up(state) if state.dead_letters else self._handed_over(state))
        self._poisoned = frozenset(poisoned)
        return found

    def _behind_since(self, state: ConsumerState) -> datetime | None:
        """Since when it is behind; None where it is not, or a person wants it so."""
        now, reading = self._clock.now(), self._clock.monotonic()
        oldest_at = now - timedelta(seconds=state.lag_seconds)
        former = self._read_until.get(state.name)
        self._read_until[state.name] = oldest_at
        if state.lag_seconds <= self._lag_seconds_max:
            self._replayed.pop(state.name, None)
            return None
        if former is not None and oldest_at < former - _SET_BACK:
            self._replayed[state.name] = _Replayed(state.lag_events, state.lag_seconds, reading)
        replayed = self._replayed.get(state.name)
        if replayed is None:
            return oldest_at
        replayed.takes(state, reading)
        stands = reading - replayed.reading > self._lag_seconds_max
        return ago(self._clock, replayed.reading) if stands else None

    def _behind(self, state: ConsumerState, cause: str, since: datetime) -> Sighting:
        detail: dict[str, Any] = {
            "parked": state.parked, "lag_events": state.lag_events, "lag_seconds": round(state.lag_seconds, 1)
        }  # fmt: skip
        now = self._clock.now()
        return Sighting(FaultKind.CONSUMER_BEHIND, f"consumer:{state.name}", cause, now, detail=detail, since=since)

    async def _gave_up(self, state: ConsumerState) -> Sighting:
        letters = await self._log.dead_letters(everywhere=True, consumer=state.name, limit=_LETTERS_TOLD_MAX)
        codes = sorted({letter.code for letter in letters})
        ids = [str(letter.dead_letter_id) for letter in letters]
        companies = tuple(sorted({letter.company_id for letter in letters if letter.company_id is not None}))
        cause = f"{counted(state.dead_letters, 'dead letter')}: {', '.join(codes)}"
        return Sighting(
            FaultKind.POISONED_EVENT, f"consumer:{state.name}", cause, self._clock.now(), companies=companies,
            detail={"dead_letters": state.dead_letters, "codes": codes, "newest": ids},
            target={"consumer": state.name},
        )  # fmt: skip

    def _handed_over(self, state: ConsumerState) -> Sighting:
        """Without a target: nothing is left to hand over, only to wait for."""
        cause = f"{counted(state.parked, 'event')} handed over again and not handled yet"
        return Sighting(FaultKind.POISONED_EVENT, f"consumer:{state.name}", cause, self._clock.now())
