"""From what was read to a judgement: pure, exact (Decimal and integers), and recomputable by hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ecosystem.contracts.creditx import Outcome, RuleResult, RuleStatus
from ecosystem.kernel.expressions import cel
from ecosystem.services.creditx.judging.rule_set import VARIABLES, Published, Rule, RuleSet
from ecosystem.services.creditx.reading.kinds import kind_of
from ecosystem.services.creditx.reading.values import iban_check_digits_right

_SCALE = 10_000
_INT64 = 2**63
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_SOURCE = "{name} version {version}, rule {rule}"
UNDECIDED = "a rule could not be decided"


@dataclass(frozen=True)
class Judgement:
    """`as_of` is the day that rules took for today, in the company's time zone at `judged_at`."""

    rule_set: str
    version: int
    sha256: str
    judged_at: datetime
    as_of: date
    outcome: Outcome
    score: Decimal | None
    results: tuple[RuleResult, ...]
    reasons: tuple[str, ...]

    @property
    def failing(self) -> tuple[str, ...]:
        return tuple(result.rule for result in self.results if result.status is RuleStatus.FAILED)


def judge(published: Published, reading: Mapping[str, Any], *, judged_at: datetime, as_of: date) -> Judgement:
    """Apply every rule to a reading (the answer of `reading.extraction.extract`)."""
    rules = published.rules
    facts, words = _facts(reading, as_of), _words(reading, as_of)
    judged = [(rule, *_apply(rules, rule, facts, words)) for rule in rules.rules]
    results = tuple(result for _, result, _ in judged)
    failed = [(rule, reason) for rule, result, reason in judged if result.status is RuleStatus.FAILED]
    score = score_of(results)
    rejected = any(rule.on_failure == "reject" and reason == rule.reason for rule, reason in failed)
    if rejected:
        outcome = Outcome.REJECTED
    elif not failed and score is not None and score >= rules.score_to_approve:
        outcome = Outcome.APPROVED
    else:
        outcome = Outcome.REVIEW
    return Judgement(
        rules.name, rules.version, published.sha256, judged_at, as_of, outcome, score, results,
        tuple(dict.fromkeys(reason for _, reason in failed if reason is not None)),
    )  # fmt: skip


def score_of(results: tuple[RuleResult, ...]) -> Decimal | None:
    """100 × weights passed / weights passed and failed, two decimals, half up; None where no rule applies."""
    passed = sum((result.weight for result in results if result.status is RuleStatus.PASSED), Decimal(0))
    failed = sum((result.weight for result in results if result.status is RuleStatus.FAILED), Decimal(0))
    if passed + failed == 0:
        return None
    return (100 * passed / (passed + failed)).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def _apply(
    rules: RuleSet, rule: Rule, facts: Mapping[str, Any], words: Mapping[str, str]
) -> tuple[RuleResult, str | None]:
    """The result of one rule, and why it failed (a text about the rule, not about the document)."""

    def result(status: RuleStatus, evidence: str) -> RuleResult:
        return RuleResult(
            rule=rule.id, title=rule.title, status=status, weight=rule.weight, evidence=evidence,
            values=tuple(name for name in (*rule.needs, *rule.uses) if name in facts["values"]),
            source=_SOURCE.format(name=rules.name, version=rules.version, rule=rule.id),
        )  # fmt: skip

    if not rule.without_text and facts["characters"] == 0:
        return result(RuleStatus.NOT_APPLICABLE, "The document has no text."), None
    if rule.kinds and facts["kind"] not in rule.kinds:
        return result(RuleStatus.NOT_APPLICABLE, "The rule is for other kinds of document."), None
    absent = [name for name in rule.needs if name not in facts["values"]]
    if absent:
        return result(RuleStatus.NOT_APPLICABLE, f"Not found: {', '.join(absent)}."), None
    try:
        if rule.when and not cel.compile(rule.when, VARIABLES).truth(facts):
            return result(RuleStatus.NOT_APPLICABLE, "The document shows nothing to apply the rule to."), None
        passed = cel.compile(rule.check, VARIABLES).truth(facts)
        shown = {name: _word(cel.compile(text, VARIABLES).evaluate(facts)) for name, text in rule.show.items()}
    except cel.ExpressionFailed:
        # Never an approval, and never a rejection by our own mistake.
        return result(RuleStatus.FAILED, "The rule could not be decided for this document."), UNDECIDED
    evidence = (rule.passed if passed else rule.failed).format_map({**words, **shown})
    if passed:
        return result(RuleStatus.PASSED, evidence), None
    return result(RuleStatus.FAILED, evidence), rule.reason


def _facts(reading: Mapping[str, Any], as_of: date) -> dict[str, Any]:
    read = {value["name"]: value for value in reading["values"]}
    kind = kind_of(reading["kind"])
    fields = kind.fields if kind else {}
    types = {name: field.type for name, field in fields.items()}
    texts = {name: value["value"] for name, value in read.items()}
    movements = reading.get("movements") or {"count": 0, "sum": "0"}
    total = _scaled(movements["sum"])
    amounts = {name: _scaled(text) for name, text in texts.items() if types.get(name) == "amount"}
    return {
        "kind": reading["kind"],
        "characters": reading["characters"],
        "pages": reading["pages"],
        "pages_without_text": reading["pages_without_text"],
        "values": texts,
        "dates": {name: _day(text) for name, text in texts.items() if types.get(name) == "date"},
        "today": as_of.toordinal() - _EPOCH_DAY,
        "amounts": {name: amount for name, amount in amounts.items() if amount is not None},
        "movements": {"count": movements["count"] if total is not None else 0, "sum": total or 0},
        "ibans": {name: iban_check_digits_right(text) for name, text in texts.items() if types.get(name) == "iban"},
        "missing": [name for name in kind.required if name not in texts] if kind else [],
        "conflicts": list(reading["conflicts"]),
    }


def _words(reading: Mapping[str, Any], as_of: date) -> dict[str, str]:
    """What evidence may name: each value as read with the page it stands on."""
    words = {value["name"]: _with_page(value) for value in reading["values"]}
    movements = reading.get("movements") or {"sum": "0"}
    return words | {"today": as_of.isoformat(), "movements": movements["sum"]}


def _with_page(value: Mapping[str, Any]) -> str:
    noted = ", numeric date read by the company's habit" if value.get("ambiguous") else ""
    currency = f" {value['currency']}" if value.get("currency") else ""
    return f"{value['value']}{currency} (page {value['page']}{noted})"


def _word(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - _EPOCH_DAY


def _scaled(text: str) -> int | None:
    """Ten-thousandths, exactly; None beyond four places or 64 bits."""
    scaled = Decimal(text) * _SCALE
    return int(scaled) if scaled == scaled.to_integral_value() and abs(scaled) < _INT64 // 4 else None
