"""Goal: quiet hours, waits and addresses follow rules that can be said. Method: properties, and known moments."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ecosystem.services.monitoring.notifying.addresses import may_be_reached, networks
from ecosystem.services.monitoring.notifying.model import QuietHours, scheme_of, wait_after

moments = some.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=some.just(UTC))
clocks = some.times().map(lambda at: time(at.hour, at.minute))
hours = some.tuples(clocks, clocks).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: QuietHours(*pair))
zones = some.sampled_from(("Europe/Zurich", "America/New_York", "Asia/Kathmandu", "UTC")).map(ZoneInfo)


@given(hours, moments, zones)
def test_quiet_ends_and_is_then_over(quiet: QuietHours, moment: datetime, zone: ZoneInfo) -> None:
    end = quiet.end_after(moment, zone)

    if end is not None:
        assert moment < end <= moment + timedelta(hours=49)
        assert quiet.end_after(end, zone) is None


@given(hours)
def test_they_are_read_as_they_are_written(quiet: QuietHours) -> None:
    assert QuietHours.read(str(quiet)) == quiet


@pytest.mark.parametrize("text", ["", "22:00", "24:00-07:00", "22:00-22:00", "22-7", "22:00-07:00 "])
def test_what_are_no_quiet_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quiet hours are"):
        QuietHours.read(text)


def test_a_night_is_that_of_the_persons_zone() -> None:
    night, zurich = QuietHours.read("22:00-07:00"), ZoneInfo("Europe/Zurich")

    assert night.end_after(datetime(2026, 11, 26, 21, 30, tzinfo=UTC), zurich) == datetime(2026, 11, 27, 6, tzinfo=UTC)
    assert night.end_after(datetime(2026, 11, 27, 6, 0, tzinfo=UTC), zurich) is None
    # The night in which the clocks go back is an hour longer.
    assert night.end_after(datetime(2026, 10, 24, 20, 0, tzinfo=UTC), zurich) == datetime(2026, 10, 25, 6, tzinfo=UTC)


@pytest.mark.parametrize("day", [datetime(2027, 3, 27, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)])
@pytest.mark.parametrize(
    "text", ["22:00-07:00", "22:00-02:30", "02:15-02:45", "02:30-03:15", "01:30-02:30", "03:00-02:00"]
)
def test_no_minute_that_the_wall_says_is_quiet_is_loud_when_the_clocks_change(day: datetime, text: str) -> None:
    quiet, zurich = QuietHours.read(text), ZoneInfo("Europe/Zurich")
    for minute in range(14 * 60):
        moment = day + timedelta(minutes=minute)
        wall = moment.astimezone(zurich).time()
        is_quiet = (quiet.begins <= wall) + (wall < quiet.ends) + (quiet.begins > quiet.ends) == 2
        end = quiet.end_after(moment, zurich)

        assert end is not None or not is_quiet
        assert end is None or quiet.end_after(end, zurich) is None


@given(some.integers(0, 1000), some.floats(0, 1))
def test_waits_grow_and_stay_bounded(attempts: int, jitter: float) -> None:
    assert timedelta(seconds=0.7) < wait_after(attempts, jitter) <= timedelta(seconds=375)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::1", "64:ff9b::7f00:1", "2001:db8::1", "localhost", "",
        "2130706433", "0x7f.1", "127.1",
    ],
)  # fmt: skip
def test_what_stands_beside_us_is_not_reached(address: str) -> None:
    assert not may_be_reached(address, ())


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_the_world_is_reached(address: str) -> None:
    assert may_be_reached(address, ())


def test_the_operator_can_allow_a_network() -> None:
    allowed = networks(["10.1.0.0/16", "fd00:1::/32"])

    assert [may_be_reached(one, allowed) for one in ("10.1.2.3", "10.2.0.1", "fd00:1::5", "::ffff:10.1.2.3")] == [
        True, False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(("url", "scheme"), [("mailto://x", "mailto"), ("JSONS://x", "jsons"), ("x", ""), ("://x", "")])
def test_an_address_says_its_kind(url: str, scheme: str) -> None:
    assert scheme_of(url) == scheme
