"""Rotas and pages as values. Who is on call at a moment is a function of rota, overrides and moment alone."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from ecosystem.contracts.monitoring import Priority

UNPLANNED = timedelta(minutes=15)
"""Without a rota, a page is told to every channel so often."""
UNPLANNED_ROUNDS = 3
UNREACHED = timedelta(minutes=1)
"""While nobody can be told of a page, somebody is looked for so often."""
OVERRIDE_MAX = timedelta(days=60)
AHEAD_MAX = timedelta(days=366)
"""How far ahead an override may begin: PostgreSQL keeps years that Python cannot read again."""
URGENT = frozenset({Priority.P1, Priority.P2})
"""Pages of these priorities are told in quiet hours too."""


@dataclass(frozen=True)
class Level:
    """People who take turns. Turn 0 begins on `first` at `at`, by the clock on the wall of the rota's zone.

    `within` is how long one has to take a page up before the next level is called.
    """

    people: tuple[UUID, ...]
    within: timedelta
    first: date = date(2026, 1, 5)
    at: time = time(9, 0)
    every_days: int = 7

    def turn(self, moment: datetime, zone: ZoneInfo) -> int:
        """Which turn it is; negative before the first. A turn begins with its hand-over."""
        days = (moment.astimezone(zone).date() - self.first).days
        turn = days // self.every_days
        # A date says which turn nearly always; around midnight and hand-over the neighbours are compared as moments.
        while self.hand_over(turn, zone) > moment:
            turn -= 1
        while self.hand_over(turn + 1, zone) <= moment:
            turn += 1
        return turn

    def hand_over(self, turn: int, zone: ZoneInfo) -> datetime:
        """When a turn begins (UTC). A time that a change of the clocks leaves out comes as much later."""
        day = self.first + timedelta(days=turn * self.every_days)
        return datetime.combine(day, self.at, zone).astimezone(UTC)

    def on_call(self, moment: datetime, zone: ZoneInfo) -> UUID:
        return self.people[self.turn(moment, zone) % len(self.people)]


@dataclass(frozen=True)
class Override:
    """From `from_at` until before `to_at` somebody else is on call at a level (from 0). The newest one counts."""

    override_id: UUID
    level: int
    person_id: UUID
    from_at: datetime
    to_at: datetime
    set_at: datetime


@dataclass(frozen=True)
class Rota:
    """Levels from the first that is called on. After the last the first is called again, `rounds` times in all."""

    version: int
    time_zone: str
    rounds: int
    levels: tuple[Level, ...]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def on_call(self, level: int, moment: datetime, overrides: Iterable[Override] = ()) -> UUID:
        standing = [one for one in overrides if one.level == level and one.from_at <= moment < one.to_at]
        if standing:
            return max(standing, key=lambda one: (one.set_at, one.override_id)).person_id
        return self.levels[level].on_call(moment, self.zone)

    def next_hand_over(self, level: int, moment: datetime) -> datetime | None:
        """When the next turn begins; None where one person has them all."""
        found = self.levels[level]
        if len(found.people) == 1:
            return None
        return found.hand_over(found.turn(moment, self.zone) + 1, self.zone)

    def after(self, level: int, round_: int) -> tuple[int, int] | None:
        """Whom an unanswered page is told to next, as (level, round), or None when all have been called."""
        if level + 1 < len(self.levels):
            return level + 1, round_
        return (0, round_ + 1) if round_ + 1 < self.rounds else None


class PageState(StrEnum):
    """`open` until somebody takes it; `withdrawn` with its incident, `unanswered` when everybody was called."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    WITHDRAWN = "withdrawn"
    UNANSWERED = "unanswered"


@dataclass(frozen=True)
class Page:
    page_id: UUID
    incident_id: UUID | None
    dedup_key: UUID
    priority: str
    title: str
    summary: str
    runbook: str | None
    state: str
    level: int
    round: int
    climbs_at: datetime
    requested_at: datetime
    ended_at: datetime | None
    ended_by: str | None


@dataclass(frozen=True)
class Behind:
    """A page as whoever holds its link sees it. `taker`: who has taken it, in words, None where nobody has.

    `is_reader`: it was taken by this link's own person; `just_now`: by the press of the button that is answered here.
    """

    page: Page
    taker: str | None = None
    is_reader: bool = False
    just_now: bool = False


@dataclass(frozen=True)
class Person:
    """`name` and `key` (what the rota calls them) are None once the person's key was destroyed."""

    person_id: UUID
    key: str | None
    name: str | None
    time_zone: str
    quiet: str | None
    channels: tuple[UUID, ...]


def levels_as_json(levels: Iterable[Level]) -> list[dict[str, Any]]:
    return [
        asdict(one)
        | {
            "people": [str(person) for person in one.people], "within": one.within.total_seconds(),
            "first": one.first.isoformat(), "at": one.at.isoformat(),
        }
        for one in levels
    ]  # fmt: skip


def levels_of_json(levels: Iterable[Mapping[str, Any]]) -> tuple[Level, ...]:
    return tuple(
        Level(
            tuple(UUID(person) for person in one["people"]), timedelta(seconds=one["within"]),
            date.fromisoformat(one["first"]), time.fromisoformat(one["at"]), one["every_days"],
        )
        for one in levels
    )  # fmt: skip
