"""Goal: a judgement follows from its rules and nothing else. Method: readings by hand against small rule sets."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from ecosystem.contracts.creditx import Outcome, RuleResult, RuleStatus
from ecosystem.services.creditx.errors import RuleSetInvalid, RuleSetUnknown
from ecosystem.services.creditx.judging.facts import inputs_of
from ecosystem.services.creditx.judging.judge import UNDECIDED, Judgement, judge, score_of
from ecosystem.services.creditx.judging.rule_set import publish, rule_set, shipped

NOW, TODAY = datetime(2026, 11, 24, 9, tzinfo=UTC), date(2026, 11, 24)
USED = {
    ("kyc_aml_v2", 1): "d8c48b857a76aeec50fcfa8eb657f68bfafe30456f38ff5843c68f7a5e21ab66",
    ("kyc_aml_v2", 2): "eaa22486fca2d042c9ae2fa9dee0afd90f182112ec767db26cf33005b30ac7a2",
}
RULES = """
name: small
version: 1
title: Small
score_to_approve: {least}
rules:
  - {{id: heavy, title: Heavy, weight: 2, on_failure: {on_failure}, reason: heavy failed, check: "{heavy}",
     passed: ok, failed: bad}}
  - {{id: light, title: Light, weight: 1, on_failure: review, reason: light failed, check: "{light}",
     passed: ok, failed: bad}}
"""


def a_text(heavy: str = "true", light: str = "true", on_failure: str = "reject", least: str = "80") -> str:
    return RULES.format(heavy=heavy, light=light, on_failure=on_failure, least=least)


def a_value(name: str, value: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "raw": value, "page": 1, "box": (1.0, 1.0, 2.0, 2.0), "confidence": 0.9,
            "method": "text_layer", "currency": None, "ambiguous": False, **more}  # fmt: skip


def a_reading(kind: str = "bank_statement", **values: str) -> dict[str, Any]:
    return {"kind": kind, "kind_confidence": 0.9, "values": [a_value(*item) for item in values.items()],
            "movements": None, "conflicts": [], "pages": 1, "pages_without_text": 0, "characters": 100}  # fmt: skip


def small(heavy: str = "true", light: str = "true", on_failure: str = "reject", least: str = "80") -> Judgement:
    published = publish(a_text(heavy, light, on_failure, least))
    return judge(published, inputs_of(a_reading(), TODAY), judged_at=NOW)


def full(reading: dict[str, Any], as_of: date = TODAY) -> dict[str, RuleResult]:
    found = judge(rule_set("kyc_aml_v2", 1), inputs_of(reading, as_of), judged_at=NOW)
    return {result.rule: result for result in found.results}


class TestOutcome:
    @pytest.mark.parametrize(
        ("heavy", "light", "on_failure", "outcome", "score"),
        [
            ("true", "true", "reject", Outcome.APPROVED, "100.00"),
            ("false", "true", "reject", Outcome.REJECTED, "33.33"),
            ("false", "true", "review", Outcome.REVIEW, "33.33"),
            ("true", "false", "reject", Outcome.REVIEW, "66.67"),
            ("false", "false", "reject", Outcome.REJECTED, "0.00"),
            ("values.absent == 'x'", "true", "reject", Outcome.REVIEW, "33.33"),
            ("'true'", "true", "reject", Outcome.REVIEW, "33.33"),
            ("1 / 0 == 1", "true", "reject", Outcome.REVIEW, "33.33"),
        ],
    )
    def test_it_follows_from_the_rules(
        self, heavy: str, light: str, on_failure: str, outcome: Outcome, score: str
    ) -> None:
        judgement = small(heavy, light, on_failure)

        assert (judgement.outcome, str(judgement.score)) == (outcome, score)

    def test_a_rule_that_cannot_be_decided_never_approves_and_never_rejects(self) -> None:
        judgement = small("values.absent == 'x'")

        assert judgement.reasons == (UNDECIDED,)
        assert judgement.outcome is Outcome.REVIEW

    def test_half_a_hundredth_is_rounded_up(self) -> None:
        results = tuple(
            RuleResult(rule=str(weight), title="", status=status, weight=Decimal(weight), evidence="")
            for weight, status in ((1, RuleStatus.PASSED), (799, RuleStatus.FAILED), (9, RuleStatus.NOT_APPLICABLE))
        )

        assert score_of(results) == Decimal("0.13")
        assert score_of(()) is None

    def test_the_moment_and_the_text_of_the_rules_are_kept(self) -> None:
        judgement = small()

        assert (judgement.judged_at, judgement.as_of, len(judgement.sha256)) == (NOW, TODAY, 64)


def test_a_version_that_was_used_is_never_edited() -> None:
    """Change the rules under a new version, in a new file, and add its line to USED once it has been delivered."""
    texts = {(entry.rules.name, entry.rules.version): entry.sha256 for entry in shipped()["kyc_aml_v2"]}

    assert texts.items() >= USED.items()
    assert [entry.rules.version for entry in shipped()["kyc_aml_v2"]] == list(range(1, len(texts) + 1))


class TestVersion1:
    def test_it_has_the_rules_that_others_know_by_name(self) -> None:
        assert [rule.id for rule in rule_set("kyc_aml_v2", 1).rules.rules] == [
            "readable_text", "kind_known", "values_complete", "iban_check_digits", "dates_not_in_future",
            "address_recent", "period_ordered", "balance_follows", "due_after_invoice", "pep_declared_no",
            "names_consistent",
        ]  # fmt: skip

    @pytest.mark.parametrize(("day", "status"), [("2026-08-26", "passed"), ("2026-08-25", "failed")])
    def test_an_address_is_recent_for_90_days(self, day: str, status: str) -> None:
        result = full(a_reading("proof_of_address", issue_date=day))["address_recent"]

        assert result.status == status
        assert f"{day} (page 1)" in result.evidence
        assert result.values == ("issue_date",)

    @pytest.mark.parametrize(("day", "status"), [("2026-11-24", "passed"), ("2026-11-25", "failed")])
    def test_a_date_may_be_today_and_not_tomorrow(self, day: str, status: str) -> None:
        assert full(a_reading("invoice", invoice_date=day))["dates_not_in_future"].status == status

    def test_a_due_date_may_lie_in_the_future(self) -> None:
        results = full(a_reading("invoice", invoice_date="2026-11-20", due_date="2026-12-20"))

        assert results["dates_not_in_future"].status == "passed"
        assert full(a_reading("invoice", due_date="2026-12-20"))["dates_not_in_future"].status == "not_applicable"

    @pytest.mark.parametrize(
        ("opening", "total", "closing", "status"),
        [
            ("0.10", "0.20", "0.30", "passed"),
            ("0.10", "0.20", "0.31", "failed"),
            ("999999999999.99", "0.01", "1000000000000.00", "passed"),
            ("-5.00", "-5.00", "-10.00", "passed"),
            ("1.00", "99999999999999999999.00", "1.00", "not_applicable"),
        ],
    )
    def test_balances_are_compared_exactly(self, opening: str, total: str, closing: str, status: str) -> None:
        reading = a_reading(opening_balance=opening, closing_balance=closing)
        reading["movements"] = {"count": 3, "sum": total}

        assert full(reading)["balance_follows"].status == status

    def test_without_movements_nothing_is_said_about_balances(self) -> None:
        results = full(a_reading(opening_balance="1.00", closing_balance="2.00"))

        assert results["balance_follows"].status == "not_applicable"

    def test_a_document_without_text_is_judged_by_one_rule(self) -> None:
        reading = a_reading("unknown") | {"characters": 0, "pages_without_text": 1}
        judgement = judge(rule_set("kyc_aml_v2", 1), inputs_of(reading, TODAY), judged_at=NOW)

        assert (judgement.outcome, judgement.reasons, judgement.failing) == (
            Outcome.REVIEW, ("needs reading",), ("readable_text",),
        )  # fmt: skip
        assert sum(result.status is RuleStatus.NOT_APPLICABLE for result in judgement.results) == 10

    def test_one_page_without_text_among_others_needs_reading_too(self) -> None:
        reading = a_reading("invoice", invoice_number="1") | {"pages": 3, "pages_without_text": 1}
        judgement = judge(rule_set("kyc_aml_v2", 1), inputs_of(reading, TODAY), judged_at=NOW)

        assert judgement.reasons[0] == "needs reading"
        assert judgement.outcome is Outcome.REVIEW

    @pytest.mark.parametrize("text", ["{today}", "{0}", "{x.__class__}", "%s", "{missing}", "'; drop table"])
    def test_what_stands_on_a_document_is_never_a_template(self, text: str) -> None:
        result = full(a_reading("kyc_questionnaire", pep=text))["pep_declared_no"]

        assert result.evidence == f"The answer is {text} (page 1)."


class TestRuleSets:
    @pytest.mark.parametrize(
        "text",
        [
            "", "- 1", "name: [", "name: x\nversion: 1", "!!python/object/apply:os.system ['true']",
            a_text(heavy="nothing("), a_text(heavy="unknown_name"), a_text(on_failure="approve"), a_text(least="101"),
            a_text().replace("id: light,", "id: heavy,"),
        ],
    )  # fmt: skip
    def test_a_broken_one_is_refused_by_what_is_wrong(self, text: str) -> None:
        with pytest.raises(RuleSetInvalid) as refused:
            publish(text)

        assert refused.value.message

    def test_an_unknown_one_is_refused_without_repeating_its_name(self) -> None:
        with pytest.raises(RuleSetUnknown) as refused:
            rule_set("../../etc/passwd")

        assert "passwd" not in refused.value.message
