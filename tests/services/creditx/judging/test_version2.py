"""Goal: kyc_aml_v2 judges files of several documents, and customers. Method: readings of version 2 by hand."""

from datetime import UTC, date, datetime
from typing import Any

from ecosystem.contracts.creditx import Outcome, RuleStatus
from ecosystem.services.creditx.judging.customer import Companion
from ecosystem.services.creditx.judging.facts import inputs_of
from ecosystem.services.creditx.judging.judge import Judgement, judge
from ecosystem.services.creditx.judging.rule_set import rule_set

NOW, TODAY = datetime(2026, 11, 24, 9, tzinfo=UTC), date(2026, 11, 24)
ADDRESS = {"person_name": "Anna Keller", "address": "Bahnhofstrasse 12, 8001 Zürich", "issue_date": "2026-11-01",
           "issuer": "Stadt Zürich"}  # fmt: skip
QUESTIONS = {"person_name": "KELLER Anna Maria", "birth_date": "1985-03-14", "nationality": "Swiss",
             "address": "Bahnhofstr. 12, 8001 Zuerich", "occupation": "Engineer", "pep": "no",
             "signature_date": "2026-11-20"}  # fmt: skip


def a_part(number: int, kind: str, values: dict[str, str], **more: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    part = {"part": number, "kind": kind, "kind_confidence": 0.95, "first_page": number, "last_page": number,
            "missing": [], "conflicts": [], "movements": None, **more}  # fmt: skip
    found = [
        {"name": name, "value": text, "raw": text, "page": number, "box": [1.0, 2.0, 3.0, 4.0], "confidence": 0.95,
         "method": "ocr", "currency": None, "ambiguous": False, "part": number}
        for name, text in values.items()
    ]  # fmt: skip
    return part, found


def a_reading(*parts: tuple[dict[str, Any], list[dict[str, Any]]], **more: Any) -> dict[str, Any]:
    pages = [{"page": n, "method": "ocr", "engine": "rapidocr", "confidence": 0.95} for n in range(1, len(parts) + 1)]
    return {
        "version": 2, "kind": parts[0][0]["kind"] if len(parts) == 1 else "several", "kind_confidence": 0.95,
        "language": "de", "country": "CHE", "values": [value for _, values in parts for value in values],
        "tables": [], "movements": None, "conflicts": [], "mrz": [], "barcodes": [], "signs": [],
        "parts": [part for part, _ in parts], "pages": len(parts), "pages_without_text": 0, "characters": 900,
        "page_readings": pages, **more,
    }  # fmt: skip


def judged(reading: dict[str, Any], companions: list[Companion] | None = None) -> Judgement:
    return judge(rule_set("kyc_aml_v2", 2), inputs_of(reading, TODAY, companions), judged_at=NOW)


def statuses(judgement: Judgement, rule: str) -> list[tuple[int | None, str]]:
    return [(one.part, one.status.value) for one in judgement.results if one.rule == rule]


class TestParts:
    def test_each_document_is_judged_and_the_worst_is_the_outcome(self) -> None:
        old = ADDRESS | {"issue_date": "2026-01-01"}
        both = judged(a_reading(a_part(1, "kyc_questionnaire", QUESTIONS), a_part(2, "proof_of_address", old)))
        good = judged(a_reading(a_part(1, "kyc_questionnaire", QUESTIONS), a_part(2, "proof_of_address", ADDRESS)))

        assert (both.outcome, both.failing, good.outcome) == (Outcome.REJECTED, ("address_recent",), Outcome.APPROVED)
        assert statuses(both, "address_recent") == [(1, "not_applicable"), (2, "failed")]
        assert statuses(both, "pep_declared_no") == [(1, "passed"), (2, "not_applicable")]

    def test_what_is_of_the_file_is_looked_at_once(self) -> None:
        both = judged(a_reading(a_part(1, "kyc_questionnaire", QUESTIONS), a_part(2, "proof_of_address", ADDRESS)))

        for rule in ("readable", "customer_complete", "sanctions_screening"):
            assert [part for part, _ in statuses(both, rule)] == [None]

    def test_a_sign_or_a_zone_of_one_document_is_not_held_against_the_other(self) -> None:
        signs = [{"sign": "number_set_in_two_ways", "detail": "Two fonts.", "page": 2, "box": None, "part": 2}]
        both = judged(
            a_reading(a_part(1, "kyc_questionnaire", QUESTIONS), a_part(2, "proof_of_address", ADDRESS), signs=signs)
        )

        assert statuses(both, "amounts_unaltered") == [(1, "passed"), (2, "failed")]
        assert both.outcome is Outcome.REVIEW

    def test_a_part_that_no_rule_applies_to_is_for_a_person(self) -> None:
        blank = judged(a_reading(a_part(1, "unknown", {}), characters=0, page_readings=[{"method": "none"}]))

        assert (blank.outcome, blank.failing) == (Outcome.REVIEW, ("readable",))


class TestScreening:
    def test_it_is_named_as_open_and_neither_passes_nor_fails(self) -> None:
        good = judged(a_reading(a_part(1, "proof_of_address", ADDRESS)))
        (screened,) = [one for one in good.results if one.rule == "sanctions_screening"]

        assert (good.outcome, str(good.score), good.open_rules) == (
            Outcome.APPROVED, "100.00", ("sanctions_screening",),
        )  # fmt: skip
        assert screened.status is RuleStatus.NOT_AVAILABLE
        assert "not screened here yet" in screened.evidence


class TestUnsure:
    def test_an_unreadable_page_among_readable_ones_is_for_a_person_and_the_rest_is_judged(self) -> None:
        pages = [{"method": "ocr", "confidence": 0.95}, {"method": "none", "confidence": None}]
        old = ADDRESS | {"issue_date": "2026-01-01"}
        reading = a_reading(a_part(1, "proof_of_address", old), pages=2, page_readings=pages)

        assert judged(reading).failing == ("readable", "address_recent")

    def test_a_zone_misread_by_ocr_is_told_with_the_digits_that_do_not_fit(self) -> None:
        zone = {"part": 1, "page": 1, "box": [0, 0, 1, 1], "format": "TD3", "lines": ["P<"],
                "repaired": 2,
                "checks": {"document_number": True, "birth_date": False},
                "against_print": {"birth_date": "different"}}  # fmt: skip
        found = judged(a_reading(a_part(1, "passport", {"surname": "KELLER"}), mrz=[zone]))
        (digits,) = [one for one in found.results if one.rule == "mrz_check_digits"]

        assert (digits.status, found.outcome) == (RuleStatus.FAILED, Outcome.REJECTED)
        assert "birth_date" in digits.evidence


class TestCustomer:
    PASSPORT = Companion(
        "d1", "passport", {"surname": "KELLER", "given_names": "ANNA MARIA", "birth_date": "1985-03-14"}, True
    )
    PROOF = Companion("d2", "proof_of_address", ADDRESS, True)

    def of(self, *companions: Companion, values: dict[str, str] = QUESTIONS) -> Judgement:
        return judged(a_reading(a_part(1, "kyc_questionnaire", values)), list(companions))

    def test_a_whole_file_of_one_person_is_approved(self) -> None:
        found = self.of(self.PASSPORT, self.PROOF)

        assert found.outcome is Outcome.APPROVED
        assert statuses(found, "customer_consistent") == [(1, "passed")]

    def test_another_name_or_birth_date_is_for_a_person_and_names_the_document(self) -> None:
        other = self.of(self.PASSPORT, self.PROOF, values=QUESTIONS | {"birth_date": "1985-03-15"})
        (consistent,) = [one for one in other.results if one.rule == "customer_consistent"]

        assert (other.outcome, other.failing) == (Outcome.REVIEW, ("customer_consistent",))
        assert "in the date of birth from [passport d1]" in consistent.evidence
        assert "KELLER" not in consistent.evidence

    def test_what_is_missing_is_named_and_a_rejected_document_does_not_count(self) -> None:
        expired = Companion("d1", "passport", {}, False)
        found = self.of(expired)
        (complete,) = [one for one in found.results if one.rule == "customer_complete"]

        assert complete.status is RuleStatus.FAILED
        assert complete.evidence == (
            "Missing in the file: passport or identity_card, proof_of_address. On file: kyc_questionnaire."
        )

    def test_without_a_customer_nothing_is_compared(self) -> None:
        found = judged(a_reading(a_part(1, "kyc_questionnaire", QUESTIONS)))

        assert statuses(found, "customer_consistent") == [(1, "not_applicable")]
        assert statuses(found, "customer_complete") == [(None, "not_applicable")]

    def test_the_documents_of_one_file_are_compared_with_each_other(self) -> None:
        other = ADDRESS | {"person_name": "Hans Meier"}
        parts = (a_part(1, "kyc_questionnaire", QUESTIONS), a_part(2, "proof_of_address", other))

        assert statuses(judged(a_reading(*parts), []), "customer_consistent") == [(1, "failed"), (2, "failed")]

    def test_a_company_is_compared_by_its_name_and_its_officers_are_not(self) -> None:
        company = {
            "company_name": "Alder Werke AG", "registration_number": "CHE-123.456.789",
            "incorporation_date": "2010-01-01", "registered_address": "Bahnhofstrasse 12, 8001 Zürich",
        }  # fmt: skip
        register = Companion("d3", "register_extract", company | {"company_name": "ALDER WERKE A.G."}, True)
        certificate = a_reading(a_part(1, "certificate_of_incorporation", company))
        same = judged(certificate, [register, self.PASSPORT])
        other = judged(
            certificate,
            [Companion("d4", "register_extract", company | {"company_name": "Heron AG"}, True), self.PASSPORT],
        )

        assert (same.outcome, other.failing) == (Outcome.APPROVED, ("customer_consistent",))

    def test_what_is_kept_holds_no_value_of_another_document(self) -> None:
        kept = str(inputs_of(a_reading(a_part(1, "kyc_questionnaire", QUESTIONS)), TODAY, [self.PASSPORT, self.PROOF]))

        assert "Stadt" not in kept
        assert "ANNA MARIA" not in kept
