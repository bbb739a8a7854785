"""Goal: real documents are read as a person reads them. Method: `../shared/data/docs` (see its SOURCES.md), through OCR
in the real sandbox, and extraction; beside each file stands what a person reads on it.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.services.creditx.paging.pages import OCR
from ecosystem.services.creditx.reading.extraction import extract

FOLDER = Path(__file__).resolve().parents[5] / "shared" / "data" / "docs"


def content(name: str) -> bytes:
    if not (FOLDER / name).is_file():
        message = f"{name} is not in ../shared/data/docs; put the shared data beside the checkout"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return (FOLDER / name).read_bytes()


async def text_of(sandbox: Sandbox, name: str, media_type: str) -> dict[str, Any]:
    """What stands on its first page."""
    arguments = {"media_type": media_type, "pages": [1]}
    (text,) = await sandbox.run(
        f"{OCR}:read_pages", content(name), arguments, timeout_seconds=60, memory_bytes_max=1 << 30
    )
    return dict(text)


async def reading_of(sandbox: Sandbox, name: str, media_type: str) -> dict[str, Any]:
    texts = [await text_of(sandbox, name, media_type)]
    return extract(content(name), media_type=media_type, date_order="DMY", page_texts=texts)


def values_of(reading: dict[str, Any]) -> dict[str, str]:
    return {value["name"]: value["value"] for value in reading["values"]}


async def test_a_swiss_bill_gives_what_is_to_be_paid_to_whom(sandbox: Sandbox) -> None:
    """A letter of a gardener, without the word invoice, and a payment part with its QR code."""
    reading = await reading_of(sandbox, "docling_qr_bill_example.jpg", "image/jpeg")
    code = reading["barcodes"][0]

    assert (reading["kind"], reading["language"], reading["country"]) == ("invoice", "en", "CHE")
    assert values_of(reading) == {
        "issuer": "Robert Schneider AG", "invoice_number": "3139", "invoice_date": "2020-07-01",
        "total_amount": "3949.75", "currency": "CHF", "iban": "CH5800791123000889012",
    }  # fmt: skip
    assert (code["meaning"], code["fields"]["total_amount"]) == ("swiss_qr_bill", "3949.75")
    assert reading["conflicts"] == []


async def test_an_identity_card_gives_what_its_zone_proves_and_its_print_repeats(sandbox: Sandbox) -> None:
    reading = await reading_of(sandbox, "passporteye_passport-td2.jpg", "image/jpeg")
    zone = reading["mrz"][0]

    assert reading["kind"] == "identity_card"
    assert values_of(reading) == {
        "surname": "ERIKSSON", "given_names": "ANNA MARIA", "document_number": "D23145890", "nationality": "UTO",
        "birth_date": "1974-08-12", "sex": "F", "expiry_date": "2012-04-15", "issuing_state": "UTO",
        "mrz": "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nD231458907UTO7408122F1204159<<<<<<<6",
    }  # fmt: skip
    assert (zone["format"], all(zone["checks"].values())) == ("TD2", True)
    assert "different" not in zone["against_print"].values()


@pytest.mark.parametrize("name", ["docling_ocr_test.pdf", "docling_ocr_test_rotated_90.pdf"])
async def test_a_page_of_prose_is_read_and_is_no_document_of_ours(sandbox: Sandbox, name: str) -> None:
    text = await text_of(sandbox, name, "application/pdf")
    reading = extract(content(name), media_type="application/pdf", date_order="DMY", page_texts=[text])

    assert " ".join(line["text"] for line in text["lines"]) == (
        "Docling bundles PDF document conversion to JSON and Markdown in an easy self contained package"
    )
    assert (reading["kind"], reading["values"], reading["pages_without_text"]) == ("unknown", [], 0)


def test_a_form_is_read_with_what_was_filled_in() -> None:
    """A form that is no KYC questionnaire: printed labels, two first names filled in, no box ticked."""
    reading = extract(content("pypdf_libreoffice-form.pdf"), media_type="application/pdf", date_order="DMY")
    labels = (
        "Example for a Form", "First Name", "Last Name", "Birthday", "Gender:", "Female", "Male", "Nationality:",
        "Agree to privacy policy", "Other",
    )  # fmt: skip
    boxes_empty, filled = 4, ("Alice", "Bob")

    assert (reading["kind"], reading["pages_without_text"]) == ("unknown", 0)
    assert reading["characters"] >= sum(map(len, (*labels, *filled))) + boxes_empty
