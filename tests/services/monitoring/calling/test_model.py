"""Goal: who is on call follows from rota and moment alone, clock changes included. Method: properties, known days."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ecosystem.services.monitoring.calling.model import Level, Override, Rota, levels_as_json, levels_of_json

AMY, BEN, CLEO = UUID(int=1), UUID(int=2), UUID(int=3)
ZONES = ("Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC", "America/Santiago")
moments = some.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=some.just(UTC))
levels = some.builds(
    Level,
    people=some.lists(some.sampled_from((AMY, BEN, CLEO)), min_size=1, max_size=3, unique=True).map(tuple),
    within=some.just(timedelta(minutes=5)),
    first=some.dates(date(2024, 1, 1), date(2027, 1, 1)),
    at=some.times().map(lambda at: at.replace(second=0, microsecond=0)),
    every_days=some.integers(1, 30),
)
rotas = some.builds(lambda level, zone: Rota(1, zone, 2, (level,)), levels, some.sampled_from(ZONES))


@given(rotas, moments)
def test_a_turn_holds_every_moment_between_its_hand_overs(rota: Rota, moment: datetime) -> None:
    level = rota.levels[0]
    turn = level.turn(moment, rota.zone)

    assert level.hand_over(turn, rota.zone) <= moment < level.hand_over(turn + 1, rota.zone)


@given(rotas, moments, some.timedeltas(timedelta(0), timedelta(days=40)))
def test_turns_never_go_back(rota: Rota, moment: datetime, later: timedelta) -> None:
    level = rota.levels[0]

    assert level.turn(moment, rota.zone) <= level.turn(moment + later, rota.zone)


@given(rotas, some.integers(-300, 300))
def test_who_is_on_call_changes_at_the_hand_over_and_not_before(rota: Rota, turn: int) -> None:
    level = rota.levels[0]
    begins = level.hand_over(turn, rota.zone)
    people = level.people

    assert rota.on_call(0, begins) == people[turn % len(people)]
    assert rota.on_call(0, begins - timedelta(microseconds=1)) == people[(turn - 1) % len(people)]


@given(rotas, some.integers(-50, 50))
def test_everybody_has_as_many_turns(rota: Rota, first: int) -> None:
    level = rota.levels[0]
    count = len(level.people)
    held = [rota.on_call(0, level.hand_over(first + turn, rota.zone)) for turn in range(3 * count)]

    assert {person: held.count(person) for person in level.people} == dict.fromkeys(level.people, 3)


@given(rotas, moments)
def test_a_zone_of_the_asker_changes_nothing(rota: Rota, moment: datetime) -> None:
    assert rota.on_call(0, moment) == rota.on_call(0, moment.astimezone(ZoneInfo("Pacific/Auckland")))


@given(levels)
def test_levels_are_kept_as_they_are(level: Level) -> None:
    assert levels_of_json(levels_as_json([level])) == (level,)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # In 2026 the clocks of Zurich go forward on 29 March and back on 25 October: nine o'clock stays nine o'clock.
        (datetime(2026, 3, 30, 6, 59, tzinfo=UTC), datetime(2026, 3, 30, 7, 0, tzinfo=UTC)),
        (datetime(2026, 10, 26, 7, 59, tzinfo=UTC), datetime(2026, 10, 26, 8, 0, tzinfo=UTC)),
    ],
)
def test_the_hand_over_keeps_its_time_on_the_wall(before: datetime, after: datetime) -> None:
    rota = Rota(1, "Europe/Zurich", 2, (Level((AMY, BEN), timedelta(minutes=5), date(2026, 1, 5), time(9), 7),))

    assert rota.on_call(0, before) != rota.on_call(0, after)
    assert rota.next_hand_over(0, before) == after


def test_a_hand_over_in_the_hour_that_is_left_out_comes_an_hour_later() -> None:
    level = Level((AMY, BEN), timedelta(minutes=5), date(2026, 3, 28), time(2, 30), 1)

    assert level.hand_over(1, ZoneInfo("Europe/Zurich")) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def an_override(person: UUID, hours: tuple[int, int], set_minute: int = 0, level: int = 0) -> Override:
    day = datetime(2026, 11, 26, tzinfo=UTC)
    begins, ends = (day + timedelta(hours=hour) for hour in hours)
    return Override(UUID(int=set_minute), level, person, begins, ends, day - timedelta(minutes=60 - set_minute))


class TestOverrides:
    rota = Rota(1, "UTC", 2, (Level((AMY,), timedelta(minutes=5)), Level((BEN,), timedelta(minutes=5))))

    def at(self, hour: int, *overrides: Override, level: int = 0) -> UUID:
        return self.rota.on_call(level, datetime(2026, 11, 26, hour, tzinfo=UTC), overrides)

    def test_it_holds_from_its_begin_until_before_its_end(self) -> None:
        override = an_override(CLEO, (8, 12))

        assert [self.at(hour, override) for hour in (7, 8, 11, 12)] == [AMY, CLEO, CLEO, AMY]

    def test_the_newest_counts(self) -> None:
        assert self.at(9, an_override(CLEO, (8, 12), 1), an_override(BEN, (9, 10), 2)) == BEN

    def test_it_is_for_its_level(self) -> None:
        assert self.at(9, an_override(CLEO, (8, 12), level=1)) == AMY
        assert self.at(9, an_override(CLEO, (8, 12), level=1), level=1) == CLEO


class TestClimbing:
    def test_levels_in_order_then_again_then_nobody(self) -> None:
        rota = Rota(1, "UTC", 2, (Level((AMY,), timedelta(minutes=5)), Level((BEN,), timedelta(minutes=5))))
        way = [(0, 0)]
        while (following := rota.after(*way[-1])) is not None:
            way.append(following)

        assert way == [(0, 0), (1, 0), (0, 1), (1, 1)]
