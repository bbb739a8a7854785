"""Goal: one normal form for every way of printing a value. Method: tables of texts, and random ones."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecosystem.services.creditx.reading import values
from ecosystem.services.creditx.reading.extraction import extract
from specimens.model import Outcome
from specimens.selections import everything
from tests.services.creditx.conftest import AS_OF
from tests.services.creditx.files import a_pdf


@pytest.mark.parametrize(
    ("text", "order", "expected", "ambiguous"),
    [
        ("2026-03-12", "DMY", "2026-03-12", False),
        ("12 March 2026", "MDY", "2026-03-12", False),
        ("12 Mar 2026", "DMY", "2026-03-12", False),
        ("12. March 2026", "DMY", "2026-03-12", False),
        ("March 12, 2026", "DMY", "2026-03-12", False),
        ("1st May 2026", "DMY", "2026-05-01", False),
        ("01/02/2026", "DMY", "2026-02-01", True),
        ("01/02/2026", "MDY", "2026-01-02", True),
        ("02/02/2026", "MDY", "2026-02-02", False),
        ("31/01/2026", "MDY", "2026-01-31", False),
        ("01/31/2026", "DMY", "2026-01-31", False),
        ("31.01.2026", "DMY", "2026-01-31", False),
    ],
)
def test_a_date_is_read(text: str, order: str, expected: str, ambiguous: bool) -> None:
    read = values.read_date(text, order)

    assert read is not None
    assert (read.value, read.ambiguous) == (expected, ambiguous)


@pytest.mark.parametrize("text", ["", "32/01/2026", "2026-02-30", "13/13/2026", "12 Foo 2026", "2026", "１２/03/2026x"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert values.read_date(text, "DMY") is None


@pytest.mark.parametrize(
    ("text", "expected", "currency"),
    [
        ("1,234.56 CHF", "1234.56", "CHF"),
        ("EUR 1'234.56", "1234.56", "EUR"),
        ("1’234.56", "1234.56", None),
        ("1.234,56", "1234.56", None),
        ("1 234,56", "1234.56", None),
        ("-120.00", "-120.00", None),
        ("−120.00 CHF", "-120.00", "CHF"),
        ("120.00-", "-120.00", None),
        ("1,234", "1234.00", None),
        ("0.5", "0.50", None),
        ("1,234,567.89", "1234567.89", None),
        ("100", "100.00", None),
    ],
)
def test_an_amount_is_exact(text: str, expected: str, currency: str | None) -> None:
    read = values.read_amount(text)

    assert read is not None
    assert (read.value, read.currency) == (expected, currency)


@pytest.mark.parametrize("text", ["", "abc", "1,23,456.00", "1.2.3", "12,34.56,78", "CHF", "--1.00", "1..0", "٣.٠٠"])
def test_what_is_no_amount_is_none(text: str) -> None:
    assert values.read_amount(text) is None


@pytest.mark.parametrize(
    ("text", "value", "certain"),
    [
        ("CH93 0076 2011 6238 5295 7", "CH9300762011623852957", True),
        ("de89370400440532013000", "DE89370400440532013000", True),
        ("CH94 0076 2011 6238 5295 7", "CH9400762011623852957", False),
    ],
)
def test_an_iban_is_read_with_its_check_digits(text: str, value: str, certain: bool) -> None:
    assert values.read_iban(text) == values.Read(value, certain=certain)


@given(st.decimals(min_value=0, max_value=10**9, places=2), st.sampled_from([",", "'", " "]))
def test_every_amount_comes_back(amount: Decimal, mark: str) -> None:
    read = values.read_amount(f"{amount:,.2f}".replace(",", mark))

    assert read is not None
    assert Decimal(read.value) == amount


@given(st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 1, 1)), st.sampled_from(["DMY", "MDY"]))
def test_every_date_comes_back(day: date, order: str) -> None:
    text = f"{day:%d/%m/%Y}" if order == "DMY" else f"{day:%m/%d/%Y}"
    read = values.read_date(text, order)

    assert read is not None
    assert read.value == day.isoformat()


@given(st.text(max_size=60))
def test_any_text_is_a_value_or_none(text: str) -> None:
    for kind in ("date", "amount", "iban", "bic", "currency", "yes_no", "text"):
        read = values.read_as(kind, text, "DMY")
        assert read is None or read.value
    assert values.read_range(text, "DMY") is None or " " in text


@pytest.mark.parametrize("locale", [None, "en_GB", "en_US"])
def test_everything_that_stands_on_a_specimen_is_read(locale: str | None) -> None:
    for specimen in everything(5, AS_OF, locale):
        if specimen.truth.outcome is Outcome.REFUSED:
            continue
        order = "MDY" if locale == "en_US" else "DMY"
        reading = extract(specimen.content, media_type="application/pdf", date_order=order)
        assert reading["kind"] == specimen.truth.kind, specimen.name
        read = {value["name"]: value["value"] for value in reading["values"]}
        assert read == dict(specimen.truth.fields), specimen.name
        assert all(0 < value["confidence"] <= 1 and value["box"][0] < value["box"][2] for value in reading["values"])


def test_a_value_that_stands_twice_and_differs_is_noted() -> None:
    content = a_pdf("Proof of address", "Name: Anna Keller", "Address: Weg 1", "Issue date: 2026-01-01",
                    "Issuer: City", "Name: Beat Frei")  # fmt: skip
    reading = extract(content, media_type="application/pdf", date_order="DMY")

    assert (reading["kind"], reading["conflicts"]) == ("proof_of_address", ["person_name"])


def test_a_memo_that_speaks_of_labels_is_no_document() -> None:
    content = a_pdf("Memo", "Company policy: name the address.", "The invoice is due. Total amount 12.00 was paid.")
    reading = extract(content, media_type="application/pdf", date_order="DMY")

    assert (reading["kind"], reading["values"]) == ("unknown", [])


def test_text_made_to_be_slow_is_read_soon() -> None:
    lines = ["Bank statement", *("IBAN " + "A" * 100 for _ in range(30)), "1" * 90, ": " * 40, "- " * 40]
    reading = extract(a_pdf(*lines, pages=5), media_type="application/pdf", date_order="DMY")

    assert reading["pages"] == 5
