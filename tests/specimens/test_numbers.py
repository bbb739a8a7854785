"""Goal: numbers with check digits are right. Method: python-stdnum and schwifty, which the specimens do not use."""

import random

import pytest
import schwifty
from stdnum import iban as ibans
from stdnum import iso11649, lei
from stdnum.at import uid as austrian
from stdnum.be import vat as belgian
from stdnum.ch import esr, uid
from stdnum.ch import vat as swiss
from stdnum.de import vat as german
from stdnum.es import cif, nif
from stdnum.fr import siren, tva
from stdnum.gb import vat as british
from stdnum.ie import vat as irish
from stdnum.lu import tva as luxembourgish

from specimens import numbers

SEEDS = range(40)


@pytest.mark.parametrize("country", numbers.ACCOUNT_COUNTRIES)
def test_iban_has_right_digits_of_world_and_nation(country: str) -> None:
    for seed in SEEDS:
        account = numbers.iban(random.Random(seed), country)

        assert ibans.is_valid(account, check_country=country in ("BE", "ES"))
        assert schwifty.IBAN(account, validate_bban=country in ("BE", "ES", "FR")).country_code == country


def test_wrong_check_digits_are_wrong() -> None:
    for seed in SEEDS:
        rng = random.Random(seed)
        right = numbers.iban(rng, "CH")
        assert not ibans.is_valid(numbers.with_wrong_check_digits(rng, right))


def test_qr_iban_names_a_bank_of_the_range_for_qr_references() -> None:
    for seed in SEEDS:
        account = numbers.qr_iban(random.Random(seed), "CH")
        assert ibans.is_valid(account)
        assert 30000 <= int(account[4:9]) <= 31999
        assert not 30000 <= int(numbers.iban(random.Random(seed), "CH")[4:9]) <= 31999


def test_references_and_identifiers_are_right() -> None:
    for seed in SEEDS:
        rng = random.Random(seed)
        reference = numbers.qr_reference(rng)
        assert len(reference) == 27
        assert esr.is_valid(reference)
        assert iso11649.is_valid(numbers.creditor_reference(rng))
        assert lei.is_valid(numbers.lei(rng))
        assert uid.is_valid(numbers.swiss_uid(rng))
        assert siren.is_valid(numbers.siren(rng))
        assert nif.is_valid(numbers.spanish_nif(rng))
        assert cif.is_valid(numbers.spanish_cif(rng))


@pytest.mark.parametrize(
    ("country", "rule"),
    [
        ("CH", swiss), ("DE", german), ("AT", austrian), ("FR", tva), ("BE", belgian), ("LU", luxembourgish),
        ("ES", nif), ("GB", british), ("IE", irish),
    ],
)  # fmt: skip
def test_vat_number_is_right(country: str, rule: object) -> None:
    for seed in SEEDS:
        number = numbers.vat(random.Random(seed), country)
        assert rule.is_valid(number), number  # type: ignore[attr-defined]


def test_where_there_is_no_vat_there_is_no_number() -> None:
    assert numbers.vat(random.Random(1), "US") is None
