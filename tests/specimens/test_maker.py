"""Goal: a specimen is what its truth says, and the same everywhere. Method: read the PDFs back with another library."""

import io
import json
import re
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pypdf
import pytest
from stdnum import iban as iban_numbers

from specimens.maker import FaultDoesNotFit, make, write
from specimens.model import CONSEQUENCES, KINDS_OF_FAULT, LANGUAGES, Fault, Kind, Outcome, Quality, Specimen

AS_OF = date(2026, 11, 24)
SEEDS = range(6)


def text_of(specimen: Specimen) -> str:
    reader = pypdf.PdfReader(io.BytesIO(specimen.content))
    return "\n".join(page.extract_text() for page in reader.pages)


class TestDeterminism:
    @pytest.mark.parametrize("quality", Quality)
    def test_seed_and_day_give_the_same_bytes(self, quality: Quality) -> None:
        first, second = (make(Kind.INVOICE, seed=5, as_of=AS_OF, quality=quality) for _ in range(2))

        assert first == second

    def test_another_seed_gives_another_document(self) -> None:
        assert len({make(Kind.INVOICE, seed=seed, as_of=AS_OF).content for seed in range(10)}) == 10

    def test_all_date_styles_occur(self) -> None:
        texts = [
            text_of(make(Kind.PROOF_OF_ADDRESS, seed=seed, as_of=AS_OF, language=language))
            for language in LANGUAGES
            for seed in range(15)
        ]

        for pattern in (
            r"\d{1,2} (January|February|March|April|May|June|July|August|September|October|November|December) \d{4}",
            r"\d\d/\d\d/\d{4}",
            r"\d\d\.\d\d\.\d{4}",
            r"\d{1,2} de [a-z]+ de \d{4}",
            r"\d{1,2}\. [A-ZÄ][a-zä]+ \d{4}",
        ):
            assert any(re.search(pattern, text) for text in texts), pattern


class TestFaults:
    def test_each_has_a_consequence_and_can_be_made(self) -> None:
        assert set(CONSEQUENCES) == set(Fault)
        for fault in Fault:
            kinds = KINDS_OF_FAULT.get(fault, (Kind.BANK_STATEMENT,))
            for kind in kinds[:1] if fault is Fault.UNREADABLE else kinds:
                truth = make(kind, seed=2, as_of=AS_OF, fault=fault).truth
                assert (truth.fault, truth.outcome) == (fault, CONSEQUENCES[fault].outcome)

    def test_they_follow_from_the_numbers(self) -> None:
        for seed in SEEDS:
            wrong = make(Kind.INVOICE, seed=seed, as_of=AS_OF, fault=Fault.WRONG_IBAN_CHECK_DIGITS)
            assert not iban_numbers.is_valid(wrong.truth.fields["iban"])

            old = make(Kind.PROOF_OF_ADDRESS, seed=seed, as_of=AS_OF, fault=Fault.OLD_PROOF_OF_ADDRESS)
            new = make(Kind.PROOF_OF_ADDRESS, seed=seed, as_of=AS_OF)
            limit = AS_OF - timedelta(days=90)
            assert date.fromisoformat(old.truth.fields["issue_date"]) < limit
            assert limit <= date.fromisoformat(new.truth.fields["issue_date"]) <= AS_OF

            expired = make(Kind.PASSPORT, seed=seed, as_of=AS_OF, fault=Fault.EXPIRED).truth.fields
            valid = make(Kind.PASSPORT, seed=seed, as_of=AS_OF).truth.fields
            assert expired["expiry_date"] < AS_OF.isoformat() < valid["expiry_date"]

    @pytest.mark.parametrize("fault", [None, Fault.BALANCE_DOES_NOT_FOLLOW])
    def test_balance_follows_unless_planted(self, fault: Fault | None) -> None:
        for seed in range(15):
            specimen = make(Kind.BANK_STATEMENT, seed=seed, as_of=AS_OF, fault=fault)
            (part,) = specimen.truth.parts
            (table,) = part.tables
            moved = sum((Decimal(row[table.columns.index("amount")] or "") for row in table.rows), Decimal(0))
            fields = specimen.truth.fields
            follows = Decimal(fields["opening_balance"]) + moved == Decimal(fields["closing_balance"])
            assert follows is (fault is None), specimen.name

    def test_missing_value_is_neither_printed_nor_true(self) -> None:
        whole = make(Kind.INVOICE, seed=1, as_of=AS_OF)
        lacking = make(Kind.INVOICE, seed=1, as_of=AS_OF, fault=Fault.MISSING_VALUE)

        assert "invoice_number" in whole.truth.fields
        assert "invoice_number" not in lacking.truth.fields
        assert not re.search(r"\b(INV|R|F)-2026-\d{5}", text_of(lacking))

    def test_what_contradicts_itself_prints_two_values_and_claims_neither(self) -> None:
        specimen = make(Kind.PROOF_OF_ADDRESS, seed=1, as_of=AS_OF, fault=Fault.CONTRADICTS_ITSELF)

        assert specimen.truth.parts[0].conflicts == ("issue_date",)
        assert "issue_date" not in specimen.truth.fields

    def test_altered_amount_was_saved_again_in_another_font(self) -> None:
        for seed in SEEDS:
            specimen = make(Kind.INVOICE, seed=seed, as_of=AS_OF, fault=Fault.ALTERED_AMOUNT)
            place = specimen.truth.parts[0].places["total_amount"]
            reader = pypdf.PdfReader(io.BytesIO(specimen.content))
            fonts = {str(font.get_object()["/BaseFont"]) for font in reader.pages[0]["/Resources"]["/Font"].values()}

            assert specimen.content.count(b"startxref") == 2
            assert len(fonts) >= 3
            assert place.text.replace(" ", "") in text_of(specimen).replace(" ", "")

    def test_missing_page_leaves_its_number(self) -> None:
        specimen = make(Kind.TAX_FORM, seed=3, as_of=AS_OF, fault=Fault.MISSING_PAGE)
        numbers = re.findall(r"(?:Page )?(\d)(?: of |/)(3)", text_of(specimen))

        assert ("1", "3") in numbers
        assert ("3", "3") in numbers
        assert ("2", "3") not in numbers
        assert len(specimen.truth.pages) == 2

    def test_files_are_faulty_in_the_way_they_say(self) -> None:
        def content(fault: Fault) -> bytes:
            return make(Kind.BANK_STATEMENT, seed=3, as_of=AS_OF, fault=fault).content

        assert pypdf.PdfReader(io.BytesIO(content(Fault.ENCRYPTED))).is_encrypted
        assert b"/JavaScript" in content(Fault.JAVASCRIPT)
        assert not content(Fault.TRUNCATED).rstrip().endswith(b"%%EOF")
        assert content(Fault.RENAMED_EXECUTABLE).startswith(b"\x7fELF")
        assert content(Fault.ZERO_BYTES) == b""

    def test_fault_of_another_kind_is_refused_by_name(self) -> None:
        with pytest.raises(FaultDoesNotFit, match="it fits: bank_statement"):
            make(Kind.INVOICE, seed=1, as_of=AS_OF, fault=Fault.BALANCE_DOES_NOT_FOLLOW)

    def test_fault_that_leaves_no_trace_on_a_scan_is_refused_by_name(self) -> None:
        with pytest.raises(FaultDoesNotFit, match="it fits: text"):
            make(Kind.INVOICE, seed=1, as_of=AS_OF, fault=Fault.ALTERED_AMOUNT, quality=Quality.FAX)


class TestFiles:
    def test_several_documents_are_parts_of_one_file(self) -> None:
        truth = make(Kind.SEVERAL, seed=1, as_of=AS_OF).truth

        assert truth.kind is Kind.SEVERAL
        assert truth.fields == {}
        assert len(truth.parts) >= 2
        pages = [number for part in truth.parts for number in range(part.first_page, part.last_page + 1)]
        assert pages == [page.page for page in truth.pages]

    def test_truth_lies_beside_the_document(self, tmp_path: Path) -> None:
        specimen = make(Kind.PROOF_OF_ADDRESS, seed=2, as_of=AS_OF, fault=Fault.OLD_PROOF_OF_ADDRESS)
        (path,) = write([specimen], tmp_path / "new")

        truth = json.loads((tmp_path / "new" / "proof_of_address-old_proof_of_address-2.truth.json").read_text())
        assert path.read_bytes() == specimen.content
        assert truth["outcome"] == Outcome.REJECTED
        assert truth["failing_rules"] == ["address_recent"]
        assert truth["as_of"] == "2026-11-24"
        assert truth["media_type"] == "application/pdf"
