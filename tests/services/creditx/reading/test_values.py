"""Goal: one normal form for every way of printing a value. Method: tables of texts, and random ones."""

from datetime import date
from decimal import Decimal

import pytest
from babel.dates import format_date
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from ecosystem.services.creditx.reading import amounts, answers, dates, names, numbers
from ecosystem.services.creditx.reading.kinds import Type
from ecosystem.services.creditx.reading.typed import Habits, read_as, read_range
from ecosystem.services.creditx.reading.values import Read

ENGLISH, AMERICAN, SCANNED = Habits("DMY"), Habits("MDY"), Habits("DMY", ocr=True)
TYPES = [name for name in Type.__args__ if name not in ("date_range", "mrz")]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "order", "expected", "ambiguous"),
    [
        ("2026-03-12", "DMY", "2026-03-12", False),
        ("12 March 2026", "MDY", "2026-03-12", False),
        ("12 Mar 2026", "DMY", "2026-03-12", False),
        ("12. March 2026", "DMY", "2026-03-12", False),
        ("March 12, 2026", "DMY", "2026-03-12", False),
        ("1st May 2026", "DMY", "2026-05-01", False),
        ("12-Mar-2026", "DMY", "2026-03-12", False),
        ("12. März 2026", "DMY", "2026-03-12", False),
        ("12. Mrz. 2026", "DMY", "2026-03-12", False),
        ("1er août 2026", "DMY", "2026-08-01", False),
        ("3 févr. 2026", "DMY", "2026-02-03", False),
        ("12 de marzo de 2026", "DMY", "2026-03-12", False),
        ("5 de setiembre del 2026", "DMY", "2026-09-05", False),
        ("12 MAR/MARS 2026", "DMY", "2026-03-12", False),
        ("12MAR2026", "DMY", "2026-03-12", False),
        ("17 08 1996", "DMY", "1996-08-17", False),
        ("01/02/2026", "DMY", "2026-02-01", True),
        ("01/02/2026", "MDY", "2026-01-02", True),
        ("02/02/2026", "MDY", "2026-02-02", False),
        ("31/01/2026", "MDY", "2026-01-31", False),
        ("01/31/2026", "DMY", "2026-01-31", False),
        ("31.01.2026", "DMY", "2026-01-31", False),
        ("01.02.2026", "DMY", "2026-02-01", False),
        ("03.04.71", "DMY", "1971-04-03", False),
    ],
)
def test_a_date_is_read(text: str, order: str, expected: str, ambiguous: bool) -> None:
    read = dates.read_date(text, order)

    assert read is not None
    assert (read.value, read.ambiguous, read.partial) == (expected, ambiguous, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zürich, den 12. März 2026", "2026-03-12"),
        ("Fait à Paris, le 12 mars 2026", "2026-03-12"),
        ("Madrid, a 12 de marzo de 2026", "2026-03-12"),
        ("Monday, 3 March 2025", "2025-03-03"),
    ],
)
def test_a_date_among_words_is_read_as_such(text: str, expected: str) -> None:
    read = dates.read_date(text, "DMY")

    assert read is not None
    assert (read.value, read.partial) == (expected, True)


@pytest.mark.parametrize("text", ["", "32/01/2026", "2026-02-30", "13/13/2026", "12 Foo 2026", "2026", "1.234,56"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert dates.read_date(text, "DMY") is None


def test_two_dates_are_no_date() -> None:
    assert dates.read_date("1 March 2026 and 2 March 2026", "DMY") is None


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("1 January 2025 to 31 January 2025", "2025-01-01", "2025-01-31"),
        ("du 1er janvier 2025 au 31 janvier 2025", "2025-01-01", "2025-01-31"),
        ("vom 1. Januar 2025 bis 31. März 2025", "2025-01-01", "2025-03-31"),
        ("1 de enero de 2025 al 31 de enero de 2025", "2025-01-01", "2025-01-31"),
        ("01/01/2025-31/01/2025", "2025-01-01", "2025-01-31"),
        ("2025-01-01 – 2025-01-31", "2025-01-01", "2025-01-31"),
        ("1. – 31. März 2026", "2026-03-01", "2026-03-31"),
        ("10 Oct 2026 - 8 Sep 2026", "2026-10-10", "2026-09-08"),
    ],
)
def test_a_period_is_read(text: str, start: str, end: str) -> None:
    pair = read_range(text, ENGLISH)

    assert pair is not None
    assert (pair[0].value, pair[1].value) == (start, end)


@pytest.mark.parametrize(
    ("text", "expected", "currency"),
    [
        ("1,234.56 CHF", "1234.56", "CHF"),
        ("EUR 1'234.56", "1234.56", "EUR"),
        ("1’234.56", "1234.56", None),
        ("1.234,56", "1234.56", None),
        ("1 234,56 €", "1234.56", "EUR"),
        ("1\u202f234,56\u00a0€", "1234.56", "EUR"),
        ("€1,234.56", "1234.56", "EUR"),
        ("$1,234.56", "1234.56", "USD"),
        ("£5", "5.00", "GBP"),
        ("Fr. 1'234.50", "1234.50", "CHF"),
        ("CHF 1'234.–", "1234.00", "CHF"),
        ("-120.00", "-120.00", None),
        ("−120.00 CHF", "-120.00", "CHF"),
        ("120.00-", "-120.00", None),
        ("120.00+", "120.00", None),
        ("(1,234.56)", "-1234.56", None),
        ("1.234,56 S", "-1234.56", None),
        ("100.00 CR", "100.00", None),
        ("1,234", "1234.00", None),
        ("0.5", "0.50", None),
        ("1,234,567.89", "1234567.89", None),
        ("100", "100.00", None),
    ],
)
def test_an_amount_is_exact(text: str, expected: str, currency: str | None) -> None:
    read = amounts.read_amount(text)

    assert read is not None
    assert (read.value, read.currency) == (expected, currency)


@pytest.mark.parametrize(
    "text", ["", "abc", "1,23,456.00", "1.2.3", "12,34.56,78", "CHF", "--1.00", "1..0", "٣.٠٠", "EUR 5 CHF", "5 ABC"]
)
def test_what_is_no_amount_is_none(text: str) -> None:
    assert amounts.read_amount(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CHF", "CHF"),
        ("€", "EUR"),
        ("Euro", "EUR"),
        ("Swiss francs (CHF)", "CHF"),
        ("Schweizer Franken", "CHF"),
        ("ZZZ", None),
    ],
)
def test_a_currency_is_a_code(text: str, code: str | None) -> None:
    read = amounts.read_currency(text)

    assert (read.value if read else None) == code


@pytest.mark.parametrize(
    ("kind", "text", "value", "proved", "certain"),
    [
        ("iban", "CH93 0076 2011 6238 5295 7", "CH9300762011623852957", True, True),
        ("iban", "de89370400440532013000", "DE89370400440532013000", True, True),
        ("iban", "CH94 0076 2011 6238 5295 7", "CH9400762011623852957", False, False),
        ("bic", "DEUTDEFF", "DEUTDEFF", False, True),
        ("lei", "213800KUD8LAJWSQ9D15", "213800KUD8LAJWSQ9D15", True, True),
        ("lei", "213800KUD8LAJWSQ9D16", "213800KUD8LAJWSQ9D16", False, False),
        ("vat", "CHE-123.456.788 MWST", "CHE123456788MWST", True, True),
        ("vat", "DE 136695976", "DE136695976", True, True),
        ("vat", "DE 136695977", "DE136695977", False, False),
        ("reference", "21 00000 00003 13947 14300 09017", "210000000003139471430009017", True, True),
        ("reference", "RF18 5390 0754 7034", "RF18539007547034", True, True),
    ],
)
def test_a_number_is_proved_by_its_own_check(kind: str, text: str, value: str, proved: bool, certain: bool) -> None:
    read = read_as(kind, text, ENGLISH)

    assert read is not None
    assert (read.value, read.proved, read.certain) == (value, proved, certain)


@pytest.mark.parametrize(
    ("country", "text"),
    [("DEU", "36 574 261 809"), ("CHE", "756.9217.0769.85"), ("ESP", "54362315K"), ("USA", "536-90-4399")],
)
def test_a_tax_number_is_kept_as_printed_and_proved_by_its_country(country: str, text: str) -> None:
    read = numbers.read_tax_number(text, country)

    assert read is not None
    assert (read.value, read.proved) == (text, True)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("iban", "CH93 OO76 2O11 6238 5295 7", "CH9300762011623852957"),
        ("iban", "DE89 3704 O044 0532 0I30 00", "DE89370400440532013000"),
        ("iban", "FRl4 2004 1010 0505 0001 3M02 606", "FR1420041010050500013M02606"),
        ("date", "l2/O3/2026", "2026-03-12"),
        ("date", "12. Marz2026", "2026-03-12"),
        ("date", "12 Febuary 2026", "2026-02-12"),
        ("amount", "1.234,S6 EUR", "1234.56"),
        ("amount", "CHF 1 234 .56", "1234.56"),
        ("amount", "I'234.50", "1234.50"),
        ("year", "2O25", "2025"),
        ("vat", "CHE-I23.456.788 MWST", "CHE123456788MWST"),
    ],
)
def test_letters_that_ocr_takes_for_others_are_taken_back(kind: str, text: str, value: str) -> None:
    read = read_as(kind, text, SCANNED)

    assert read is not None
    assert read.value == value
    plain = read_as(kind, text, ENGLISH)
    assert plain is None or not plain.proved


def test_wrong_check_digits_are_never_repaired_away() -> None:
    read = read_as("iban", "CH94 0076 2011 6238 5295 7", SCANNED)

    assert read == Read("CH9400762011623852957", certain=False)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes", "yes"), ("Nein", "no"), ("Sí", "yes"), ("Oui", "yes"), ("[x] Yes [ ] No", "yes"),
        ("☒ Ja ☐ Nein", "yes"), ("☐ Ja   Nein", "no"),
        ("Yes ☐ No ☑", "no"), ("( ) Oui (X) Non", "no"), ("☐ Sí ☒ No", "no"), ("Oui   ■ Non", "no"),
        ("No, never", "no"),
        ("☒ Yes ☒ No", None), ("☐ Yes", None), ("☒ No", "no"), ("Yes No", None), ("perhaps", None),
    ],
)  # fmt: skip
def test_a_question_is_answered_by_word_or_by_box(text: str, answer: str | None) -> None:
    read = answers.read_yes_no(text)

    assert (read.value if read else None) == answer


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CHE", "CHE"),
        ("D", "DEU"),
        ("Schweiz", "CHE"),
        ("États-Unis", "USA"),
        ("ESPAÑA / SPAIN", "ESP"),
        ("British", "GBR"),
        ("x", None),
    ],
)
def test_a_country_is_its_three_letters(text: str, code: str | None) -> None:
    read = answers.read_country(text)

    assert (read.value if read else None) == code


@pytest.mark.parametrize(
    ("text", "sex"), [("F", "F"), ("M / M", "M"), ("weiblich", "F"), ("X", "X"), ("Hombre", "M"), ("?", None)]
)
def test_a_sex_is_one_letter(text: str, sex: str | None) -> None:
    read = answers.read_sex(text)

    assert (read.value if read else None) == sex


def test_names_stand_one_after_the_other() -> None:
    read = names.read_names("Anna Keller, Beat Frei und Céline Favre")

    assert read is not None
    assert read.value == "Anna Keller; Beat Frei; Céline Favre"


@given(
    st.decimals(min_value=0, max_value=10**9, places=2),
    st.sampled_from(["en_GB", "de_DE", "de_CH", "fr_FR", "es_ES", "de_AT"]),
)
def test_every_amount_comes_back(amount: Decimal, locale: str) -> None:
    read = amounts.read_amount(format_decimal(amount, format="#,##0.00", locale=locale))

    assert read is not None
    assert Decimal(read.value) == amount


@given(
    st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 1, 1)),
    st.sampled_from(["en_GB", "en_US", "de_DE", "de_AT", "fr_FR", "es_ES"]),
    st.sampled_from(["long", "full", "medium", "d MMMM y", "numeric"]),
)
def test_every_date_comes_back(day: date, locale: str, form: str) -> None:
    order = "MDY" if locale == "en_US" else "DMY"
    numeric = "MM/dd/y" if order == "MDY" else "dd/MM/y"
    read = dates.read_date(format_date(day, numeric if form == "numeric" else form, locale), order)

    assert read is not None
    assert read.value == day.isoformat()


@given(st.text(max_size=60))
def test_any_text_is_a_value_or_none(text: str) -> None:
    for kind in TYPES:
        for habits in (ENGLISH, AMERICAN, SCANNED):
            read = read_as(kind, text, habits)
            assert read is None or read.value
    assert read_range(text, SCANNED) is None or len(text) > 5
