"""Goal: rules about fields, roles and keys hold at their edges. Method: pure values; keys through simulated months."""

from datetime import datetime, timedelta

import pytest

from ecosystem.kernel.testing.clock import NOON, FrozenClock
from ecosystem.services.authn import model
from ecosystem.services.authn.errors import FieldRefused, RoleRefused, TooManyFailures
from ecosystem.services.authn.model import Rotation, SigningKey
from ecosystem.services.authn.tokens.failures import Failures

ROTATION = Rotation(timedelta(days=7), timedelta(hours=1), timedelta(seconds=390))


def a_key(number: int, signs_from: datetime) -> SigningKey:
    return SigningKey(f"k{number}", {}, b"", signs_from, signs_from)


class TestRotation:
    def test_the_first_signs_at_once(self) -> None:
        assert ROTATION.next_signs_from([], NOON) == NOON

    def test_the_next_is_made_a_lead_before_it_signs(self) -> None:
        keys, turn = [a_key(1, NOON)], NOON + timedelta(days=7)

        assert ROTATION.next_signs_from(keys, turn - timedelta(hours=1, seconds=1)) is None
        assert ROTATION.next_signs_from(keys, turn - timedelta(hours=1)) == turn

    def test_after_a_long_absence_it_is_still_published_first(self) -> None:
        now = NOON + timedelta(days=100)

        assert ROTATION.next_signs_from([a_key(1, NOON)], now) == now + timedelta(hours=1)

    def test_through_two_months_every_valid_token_has_a_published_key(self) -> None:
        keys: list[SigningKey] = []
        first_seen: dict[str, datetime] = {}
        signed_last: dict[str, datetime] = {}
        for minute in range(0, 60 * 24 * 60, 7):
            now = NOON + timedelta(minutes=minute)
            if signs_from := ROTATION.next_signs_from(keys, now):
                keys.append(a_key(minute, signs_from))
            keys = ROTATION.published(keys, now)
            published = {key.key_id for key in keys}
            for key in keys:
                first_seen.setdefault(key.key_id, now)
            signer = ROTATION.signer(keys, now)
            assert signer is not None
            assert now - first_seen[signer.key_id] >= ROTATION.lead or signer.signs_from == NOON
            signed_last[signer.key_id] = now
            assert {key for key, at in signed_last.items() if at + timedelta(seconds=330) > now} <= published
            assert len(keys) <= 3

        assert len(signed_last) == 9


class TestFields:
    @pytest.mark.parametrize("name", ["", "  ", "a\x00b", "a\nb", "x\u202ey", "\ud800", "n" * 201])
    def test_names_are_visible_and_short(self, name: str) -> None:
        with pytest.raises(FieldRefused, match="name"):
            model.check_name(name)

    def test_a_name_is_kept_in_one_form(self) -> None:
        assert model.check_name("  Zu\u0308rich '; drop table x; -- ") == "Zürich '; drop table x; --"

    @pytest.mark.parametrize(
        "zone", ["", "CET", "europe/zurich", "Europe/Nowhere", "../etc/passwd", "Europe/Zurich\x00"]
    )
    def test_time_zones_are_those_of_iana(self, zone: str) -> None:
        with pytest.raises(FieldRefused, match="time_zone"):
            model.check_time_zone(zone)

    @pytest.mark.parametrize("locale", ["", "xx_YY", "english", "../de", "de_CH_x_y_z"])
    def test_locales_are_known(self, locale: str) -> None:
        with pytest.raises(FieldRefused, match="locale"):
            model.check_locale(locale)

    @pytest.mark.parametrize("currency", ["", "chf", "XYZ", "CHF ", "€"])
    def test_currencies_are_those_of_iso_4217(self, currency: str) -> None:
        with pytest.raises(FieldRefused, match="currency"):
            model.check_currency(currency)

    def test_good_ones_pass(self) -> None:
        found = [model.check_time_zone("UTC"), model.check_locale("fr-CH"), model.check_currency("EUR")]

        assert found == ["UTC", "fr_CH", "EUR"]


class TestRoles:
    def test_nobody_gives_more_than_it_has(self) -> None:
        model.check_grant(model.scopes_of(["company-administrator"]), ["analyst", "integrator"])
        with pytest.raises(RoleRefused):
            model.check_grant(frozenset({"clients:write"}), ["auditor"])


class TestFailures:
    async def test_each_wrong_one_waits_longer_and_a_right_one_ends_that(self) -> None:
        failures = Failures(FrozenClock(), seconds_max=2, waiting_max=4)
        waits = [await failures.slow_down("x") for _ in range(8)]
        failures.forget("x")

        assert waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2]
        assert await failures.slow_down("x") == 0.05
        assert await failures.slow_down("y") == 0.05

    async def test_more_than_may_wait_are_refused(self) -> None:
        failures = Failures(FrozenClock(), seconds_max=2, waiting_max=0)

        with pytest.raises(TooManyFailures):
            await failures.slow_down("x")
