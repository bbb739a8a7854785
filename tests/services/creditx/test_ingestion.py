"""Goal: each document reaches the outcome that is true of it. Method: specimens through door and agents, real parts."""

import json
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from ecosystem.contracts.creditx import (
    CheckCompliance,
    ExtractMetadata,
    FailDocument,
    StoreDocument,
    ValidateDocument,
)
from ecosystem.kernel.errors import EcosystemError
from specimens.maker import make
from specimens.model import Fault, Kind, Outcome, Specimen
from specimens.selections import demonstration
from tests.services.creditx.conftest import AS_OF, Creditx

SPECIMENS = 14
STATEMENT = make(Kind.BANK_STATEMENT, seed=7, as_of=AS_OF)


@pytest.fixture(scope="module")
def specimens() -> list[Specimen]:
    """Made when a test needs them: pages become photographs, and whoever only collects tests need not wait."""
    return demonstration(7, AS_OF)


def test_every_specimen_is_tried(specimens: list[Specimen]) -> None:
    assert len(specimens) == SPECIMENS


class TestOutcomes:
    @pytest.mark.parametrize("number", range(SPECIMENS))
    async def test_a_specimen_comes_out_as_its_truth_says(
        self, creditx: Creditx, specimens: list[Specimen], number: int
    ) -> None:
        specimen = specimens[number]
        truth = specimen.truth
        if truth.outcome is Outcome.REFUSED:
            answer = await creditx.upload(specimen.content, specimen.name)
            assert (answer.status_code, answer.json()["code"]) == (422, truth.refusal_rule)
            assert creditx.stored() == (0, 0)
            return

        document_id = await creditx.ingest(specimen.content, specimen.name)

        result = await creditx.get(f"/v1/documents/{document_id}/result")
        assert result["outcome"] == truth.outcome
        assert result["kind"] == truth.kind
        # Of what is read from pixels, values may be wrong that say themselves that they are unsure.
        sure = {
            (value["part"], value["name"]): value["value"]
            for value in result["values"]
            if specimen.truth.quality == "text" or value["confidence"] >= 0.9
        }
        printed = {
            (number, name): text for number, part in enumerate(truth.parts, 1) for name, text in part.fields.items()
        }
        assert sure.items() <= printed.items()
        assert len(sure) >= (len(printed) if specimen.truth.quality == "text" else len(printed) / 2)
        failing = {rule["rule"] for rule in result["rules"] if rule["status"] == "failed"}
        assert failing == set(truth.failing_rules)

    async def test_the_score_can_be_recomputed_by_hand(self, creditx: Creditx) -> None:
        specimen = make(Kind.BANK_STATEMENT, seed=3, as_of=AS_OF, fault=Fault.WRONG_IBAN_CHECK_DIGITS)
        document_id = await creditx.ingest(specimen.content)

        result = await creditx.get(f"/v1/documents/{document_id}/result")
        weights = {status: Decimal(0) for status in ("passed", "failed", "not_applicable", "not_available")}
        for rule in result["rules"]:
            weights[rule["status"]] += Decimal(rule["weight"])
        expected = 100 * weights["passed"] / (weights["passed"] + weights["failed"])
        # readable 10, kind 10, pages 10, complete 20, agree 10, strong 10, dates 10, period 10, balance 20, amounts 15
        # against iban 15.
        assert (weights["passed"], weights["failed"]) == (125, 15)
        assert Decimal(result["compliance_score"]) == expected.quantize(Decimal("0.01")) == Decimal("89.29")

    async def test_evidence_points_to_values_on_the_page(self, creditx: Creditx) -> None:
        specimen = make(Kind.PROOF_OF_ADDRESS, seed=3, as_of=AS_OF, fault=Fault.OLD_PROOF_OF_ADDRESS)
        document_id = await creditx.ingest(specimen.content)

        evidence = await creditx.get(f"/v1/documents/{document_id}/evidence")
        old = next(item for item in evidence["items"] if item["rule"] == "address_recent")
        issued = specimen.truth.fields["issue_date"]
        assert old["evidence"].startswith(f"Issued on {issued} (page 1), ")
        (value,) = old["values"]
        left, top, right, bottom = value["box"]
        assert (value["page"], value["method"], value["value"]) == (1, "text_layer", issued)
        assert 0 < left < right < 596
        assert 0 < top < bottom < 842

    async def test_the_day_of_judgement_is_that_of_the_company(self, creditx: Creditx) -> None:
        """At 9:30 UTC it is the 25th already on Kiritimati, and a document of that day is not in the future."""
        await creditx.company(creditx.ours, time_zone="Pacific/Kiritimati")
        creditx.clock.advance(2 * 3600)
        specimen = make(Kind.PROOF_OF_ADDRESS, seed=1, as_of=AS_OF)
        document_id = await creditx.ingest(specimen.content)

        result = await creditx.get(f"/v1/documents/{document_id}/result")
        assert result["judged_as_of"] == "2026-11-25"
        assert result["judged_at"].startswith("2026-11-24T11:30")

    @pytest.mark.parametrize("locale", ["en_GB", "en_US"])
    async def test_numeric_dates_are_read_by_the_habit_of_the_company(self, creditx: Creditx, locale: str) -> None:
        await creditx.company(creditx.ours, locale=locale)
        candidates = (make(Kind.PROOF_OF_ADDRESS, seed=seed, as_of=AS_OF, locale=locale) for seed in range(50))
        specimen = next(candidate for candidate in candidates if _is_numeric(candidate))
        document_id = await creditx.ingest(specimen.content)

        result = await creditx.get(f"/v1/documents/{document_id}/result")
        assert {value["name"]: value["value"] for value in result["values"]} == dict(specimen.truth.fields)

    async def test_a_page_without_text_needs_reading(self, creditx: Creditx) -> None:
        specimen = make(Kind.INVOICE, seed=3, as_of=AS_OF, fault=Fault.UNREADABLE)
        document_id = await creditx.ingest(specimen.content, specimen.name)

        shown = await creditx.get(f"/v1/documents/{document_id}")
        assert (shown["outcome"], shown["reasons"], shown["status"]) == ("review", ["needs reading"], "completed")
        assert creditx.events() == ["compliance_document_created", "compliance_document_review_requested"]

    # The short run sends the same documents through a whole platform: `tests/system/test_demo.py`.
    @pytest.mark.long
    async def test_every_real_document_gets_an_answer(self, creditx: Creditx) -> None:
        folder = Path(__file__).parents[4] / "shared" / "data" / "docs"
        files = sorted(path for path in folder.glob("*") if path.suffix in (".pdf", ".jpg"))
        answers = {}
        for path in files:
            answer = await creditx.upload(path.read_bytes(), path.name)
            if answer.status_code != 202:
                answers[path.stem] = answer.json()["code"]
                continue
            document_id = UUID(answer.json()["document_id"])
            await creditx.work(document_id)
            shown = await creditx.get(f"/v1/documents/{document_id}")
            answers[path.stem] = f"{shown['outcome']}: {shown['reasons'][0]}"

        assert answers == {} if not files else {
            "docling_ocr_test": "review: needs reading",
            "docling_ocr_test_rotated_90": "review: needs reading",
            "docling_qr_bill_example": "review: needs reading",
            "passporteye_passport-td2": "review: needs reading",
            "pypdf_libreoffice-form": "review: the kind of document is not known",
            "pypdf_libreoffice-writer-password": "encrypted_document",
        }  # fmt: skip


def _is_numeric(specimen: Specimen) -> bool:
    from ecosystem.services.creditx.reading.extraction import extract

    reading = extract(specimen.content, media_type="application/pdf", date_order="DMY")
    return any("/" in value["raw"] and value["name"].endswith("date") for value in reading["values"])


class TestAgents:
    async def test_each_answers_by_its_contract(self, creditx: Creditx) -> None:
        specimen = make(Kind.KYC_QUESTIONNAIRE, seed=3, as_of=AS_OF, fault=Fault.PEP_DECLARED)
        document_id = UUID((await creditx.upload(specimen.content)).json()["document_id"])
        validated = await creditx.ask(ValidateDocument(document_id=document_id))
        extracted = await creditx.ask(ExtractMetadata(document_id=document_id))
        checked = await creditx.ask(CheckCompliance(document_id=document_id))
        stored = await creditx.ask(StoreDocument(document_id=document_id))

        assert (validated.status, validated.validated, validated.metadata.pages) == ("validated", True, 1)
        assert (extracted.kind, set(extracted.value_names)) == ("kyc_questionnaire", set(specimen.truth.fields))
        assert (checked.outcome, checked.failing_rules) == ("review", ("pep_declared_no",))
        assert checked.passed + checked.failed + checked.not_applicable + checked.not_available == 20
        assert checked.open_rules == ("sanctions_screening",)
        assert (stored.outcome, stored.cached) == ("review", True)

    async def test_no_answer_and_no_event_carries_what_stands_on_the_document(self, creditx: Creditx) -> None:
        specimen = make(Kind.KYC_QUESTIONNAIRE, seed=3, as_of=AS_OF, fault=Fault.PEP_DECLARED)
        document_id = UUID((await creditx.upload(specimen.content, "Anna Keller.pdf")).json()["document_id"])
        answers = [await creditx.ask(task) for task in creditx.steps(document_id)]

        said = " ".join(answer.model_dump_json() for answer in answers) + json.dumps(
            creditx.harness.events(), default=str
        )
        fields = specimen.truth.fields
        for private in (fields["person_name"], fields["address"], fields["birth_date"], "Keller"):
            assert private not in said

    async def test_asked_twice_each_effect_happens_once(self, creditx: Creditx) -> None:
        specimen = make(Kind.INVOICE, seed=3, as_of=AS_OF, fault=Fault.DUE_BEFORE_INVOICE)
        document_id = UUID((await creditx.upload(specimen.content)).json()["document_id"])
        for task in creditx.steps(document_id):
            first = await creditx.ask(task, request_id=f"r-{task.request_type}")
            assert await creditx.ask(task, request_id=f"r-{task.request_type}") == first
        again = await creditx.ask(StoreDocument(document_id=document_id), request_id="another")

        assert again.outcome == "review"
        assert creditx.events().count("compliance_document_review_requested") == 1

    async def test_a_completed_document_keeps_its_judgement(self, creditx: Creditx) -> None:
        specimen = make(Kind.PROOF_OF_ADDRESS, seed=3, as_of=AS_OF)
        document_id = await creditx.ingest(specimen.content)
        creditx.clock.advance(200 * 86_400)
        await creditx.ask(ExtractMetadata(document_id=document_id))
        checked = await creditx.ask(CheckCompliance(document_id=document_id))
        failed = await creditx.ask(FailDocument(document_id=document_id, reason="late"))

        shown = await creditx.get(f"/v1/documents/{document_id}")
        assert (checked.outcome, failed.outcome, shown["outcome"]) == ("approved", "approved", "approved")
        assert (shown["status"], shown["judged_as_of"]) == ("completed", "2026-11-24")

    async def test_a_failed_ingestion_goes_to_review_and_can_still_be_completed(self, creditx: Creditx) -> None:
        specimen = make(Kind.INVOICE, seed=3, as_of=AS_OF)
        document_id = UUID((await creditx.upload(specimen.content)).json()["document_id"])
        await creditx.ask(FailDocument(document_id=document_id, reason="unavailable at /do/0/extract"))
        failed = await creditx.get(f"/v1/documents/{document_id}")
        for task in creditx.steps(document_id):
            await creditx.ask(task)
        shown = await creditx.get(f"/v1/documents/{document_id}")

        assert (failed["status"], failed["outcome"], failed["failure"]) == ("failed", "review", "unavailable")
        assert (shown["status"], shown["outcome"], shown["failure"]) == ("completed", "approved", None)
        assert creditx.events() == [
            "compliance_document_created", "compliance_document_failed", "compliance_document_review_requested",
        ]  # fmt: skip

    async def test_another_company_s_document_is_not_found(self, creditx: Creditx) -> None:
        document_id = await creditx.ingest(STATEMENT.content, STATEMENT.name)
        for task in [*creditx.steps(document_id), FailDocument(document_id=document_id, reason="x")]:
            with pytest.raises(EcosystemError) as refused:
                await creditx.ask(task, company_id=creditx.theirs)
            assert refused.value.code == "document_not_found"

    async def test_steps_out_of_order_are_refused(self, creditx: Creditx) -> None:
        document_id = UUID((await creditx.upload(STATEMENT.content, STATEMENT.name)).json()["document_id"])
        for task in (CheckCompliance(document_id=document_id), StoreDocument(document_id=document_id)):
            with pytest.raises(EcosystemError) as refused:
                await creditx.ask(task)
            assert refused.value.code == "document_not_read"

    async def test_an_unknown_rule_set_and_a_changed_one_are_refused(self, fresh_creditx: Creditx) -> None:
        document_id = UUID((await fresh_creditx.upload(STATEMENT.content, STATEMENT.name)).json()["document_id"])
        await fresh_creditx.ask(ExtractMetadata(document_id=document_id))
        with pytest.raises(EcosystemError) as unknown:
            await fresh_creditx.ask(CheckCompliance(document_id=document_id, rule_set="kyc'; drop table documents;--"))
        fresh_creditx.harness.platform.rows(
            "insert into creditx.rule_sets_used values ('kyc_aml_v2', 2, 'another text', now()) returning 1"
        )
        with pytest.raises(EcosystemError) as changed:
            await fresh_creditx.ask(CheckCompliance(document_id=document_id))

        assert (unknown.value.code, changed.value.code) == ("rule_set_unknown", "rule_set_changed")
