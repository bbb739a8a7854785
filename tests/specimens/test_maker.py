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

from specimens.maker import FaultDoesNotFit, demonstration, everything, make, write
from specimens.model import CONSEQUENCES, Fault, Kind, Outcome, Specimen
from specimens.page import Layout

AS_OF = date(2026, 11, 24)
SEEDS = range(12)
KNOWN = [kind for kind in Kind if kind is not Kind.UNKNOWN]


def text_of(specimen: Specimen) -> str:
    reader = pypdf.PdfReader(io.BytesIO(specimen.content))
    return "\n".join(page.extract_text() for page in reader.pages)


class TestDeterminism:
    def test_seed_and_day_give_the_same_bytes(self) -> None:
        assert everything(5, AS_OF) == everything(5, AS_OF)

    def test_another_seed_gives_other_documents(self) -> None:
        first, second = everything(5, AS_OF), everything(6, AS_OF)

        assert all(one.content != other.content for one, other in zip(first, second, strict=True) if one.content)

    def test_all_layouts_and_date_styles_occur(self) -> None:
        texts = [text_of(make(Kind.PROOF_OF_ADDRESS, seed=seed, as_of=AS_OF, locale="en_GB")) for seed in range(60)]

        for pattern in (
            r"\d{4}-\d\d-\d\d",
            r"\d{1,2} [A-Z][a-z]+ \d{4}",
            r"[A-Z][a-z]+ \d{1,2}, \d{4}",
            r"\d\d/\d\d/\d{4}",
        ):
            assert any(re.search(pattern, text) for text in texts), pattern


class TestTruth:
    @pytest.mark.parametrize("kind", KNOWN)
    def test_good_documents_show_what_their_truth_names(self, kind: Kind) -> None:
        for seed in SEEDS:
            specimen = make(kind, seed=seed, as_of=AS_OF)
            text = text_of(specimen)
            for name, value in specimen.truth.fields.items():
                if name.endswith(("_date", "start", "end", "balance", "amount")):
                    continue
                squeezed = text.replace(" ", "") if name == "iban" else text
                assert value.lower() in squeezed.lower(), (specimen.name, name)
            assert specimen.truth.outcome is Outcome.APPROVED

    def test_faults_follow_from_the_numbers(self) -> None:
        for seed in SEEDS:
            wrong = make(Kind.INVOICE, seed=seed, as_of=AS_OF, fault=Fault.WRONG_IBAN_CHECK_DIGITS)
            right = make(Kind.INVOICE, seed=seed, as_of=AS_OF)
            assert not iban_numbers.is_valid(wrong.truth.fields["iban"])
            assert iban_numbers.is_valid(right.truth.fields["iban"])

            old = make(Kind.PROOF_OF_ADDRESS, seed=seed, as_of=AS_OF, fault=Fault.OLD_PROOF_OF_ADDRESS)
            new = make(Kind.PROOF_OF_ADDRESS, seed=seed, as_of=AS_OF)
            limit = AS_OF - timedelta(days=90)
            assert date.fromisoformat(old.truth.fields["issue_date"]) < limit
            assert limit <= date.fromisoformat(new.truth.fields["issue_date"]) <= AS_OF

    @pytest.mark.parametrize("fault", [None, Fault.BALANCE_DOES_NOT_FOLLOW])
    def test_balance_follows_unless_planted(self, fault: Fault | None) -> None:
        for seed in SEEDS:
            specimen = make(Kind.BANK_STATEMENT, seed=seed, as_of=AS_OF, fault=fault, layout=Layout.LINES)
            movements = [
                Decimal(match.replace(",", "").replace("'", ""))
                for line in text_of(specimen).splitlines()
                if (match := (re.findall(r"^-?[\d,']+\.\d\d$", line) or [""])[0])
            ]
            fields = specimen.truth.fields
            follows = Decimal(fields["opening_balance"]) + sum(movements) == Decimal(fields["closing_balance"])
            assert follows is (fault is None), specimen.name

    def test_missing_value_is_neither_printed_nor_true(self) -> None:
        whole = make(Kind.INVOICE, seed=1, as_of=AS_OF)
        lacking = make(Kind.INVOICE, seed=1, as_of=AS_OF, fault=Fault.MISSING_VALUE)

        assert set(whole.truth.fields) - set(lacking.truth.fields) == {"invoice_number"}
        assert "INV-" not in text_of(lacking)

    def test_fault_of_another_kind_is_refused_by_name(self) -> None:
        with pytest.raises(FaultDoesNotFit, match="it fits: bank_statement"):
            make(Kind.INVOICE, seed=1, as_of=AS_OF, fault=Fault.BALANCE_DOES_NOT_FOLLOW)


class TestFiles:
    def test_files_are_faulty_in_the_way_they_say(self) -> None:
        by_fault = {specimen.truth.fault: specimen for specimen in everything(3, AS_OF)}

        assert pypdf.PdfReader(io.BytesIO(by_fault[Fault.ENCRYPTED].content)).is_encrypted
        assert b"/JavaScript" in by_fault[Fault.JAVASCRIPT].content
        assert not by_fault[Fault.TRUNCATED].content.rstrip().endswith(b"%%EOF")
        assert by_fault[Fault.RENAMED_EXECUTABLE].content.startswith(b"\x7fELF")
        assert by_fault[Fault.RENAMED_EXECUTABLE].name.endswith(".pdf")
        assert by_fault[Fault.ZERO_BYTES].content == b""
        assert text_of(by_fault[Fault.PAGE_WITHOUT_TEXT]).strip() == ""
        assert set(by_fault) == {None, *CONSEQUENCES}

    def test_demonstration_has_every_outcome(self) -> None:
        for seed in SEEDS:
            outcomes = [specimen.truth.outcome for specimen in demonstration(seed, AS_OF)]
            assert len(outcomes) == 10
            assert set(outcomes) == set(Outcome)

    def test_truth_lies_beside_the_document(self, tmp_path: Path) -> None:
        specimens = everything(2, AS_OF)
        paths = write(specimens, tmp_path / "new")

        assert [path.read_bytes() for path in paths] == [specimen.content for specimen in specimens]
        truth = json.loads((tmp_path / "new" / "proof_of_address-old_proof_of_address-2.truth.json").read_text())
        assert truth["outcome"] == "rejected"
        assert truth["failing_rules"] == ["address_recent"]
        assert truth["as_of"] == "2026-11-24"
