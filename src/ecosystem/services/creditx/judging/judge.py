"""From facts to a judgement: pure, exact (Decimal and integers), and recomputable by hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ecosystem.contracts.creditx import Outcome, RuleResult, RuleStatus
from ecosystem.kernel.expressions import cel
from ecosystem.services.creditx.judging.form import VARIABLES, Rule, RuleSet
from ecosystem.services.creditx.judging.rule_set import Published

UNDECIDED = "a rule could not be decided"
EVIDENCE_CHARACTERS_MAX = 2000
_LISTED_MAX = 20
_SOURCE = "{name} version {version}, rule {rule}"


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
        return self._rules(RuleStatus.FAILED)

    @property
    def open_rules(self) -> tuple[str, ...]:
        """What could not be applied here: an approval is one by the other rules, and says so."""
        return self._rules(RuleStatus.NOT_AVAILABLE)

    def _rules(self, status: RuleStatus) -> tuple[str, ...]:
        return tuple(dict.fromkeys(result.rule for result in self.results if result.status is status))


@dataclass(frozen=True)
class _Applied:
    """A result with why it failed (a text about the rule, not about the document) and whether nothing follows."""

    result: RuleResult
    rule: Rule
    reason: str | None = None
    ends: bool = False

    @property
    def rejects(self) -> bool:
        return self.rule.on_failure == "reject" and self.reason == self.rule.reason


def judge(published: Published, inputs: Mapping[str, Any], *, judged_at: datetime) -> Judgement:
    """Apply every rule to the facts of every part (`facts.inputs_of`). The outcome is the worst of the parts.

    Rejected where a rule that rejects failed; approved where none failed, the score is reached, and each part had a
    rule to pass; review otherwise.
    """
    rules = published.rules
    applied: list[_Applied] = []
    judged_parts = True
    for number, part in enumerate(inputs["parts"]):
        found = _apply_all(rules, part["facts"], part["words"], first=number == 0)
        judged_parts = judged_parts and score_of(tuple(one.result for one in found)) is not None
        applied += found
    results = tuple(one.result for one in applied)
    failed = [one for one in applied if one.result.status is RuleStatus.FAILED]
    score = score_of(results)
    if any(one.rejects for one in failed):
        outcome = Outcome.REJECTED
    elif not failed and judged_parts and score is not None and score >= rules.score_to_approve:
        outcome = Outcome.APPROVED
    else:
        outcome = Outcome.REVIEW
    return Judgement(
        rules.name, rules.version, published.sha256, judged_at, date.fromisoformat(inputs["as_of"]), outcome, score,
        results, tuple(dict.fromkeys(one.reason for one in failed if one.reason is not None)),
    )  # fmt: skip


def score_of(results: tuple[RuleResult, ...]) -> Decimal | None:
    """100 × weights passed / weights passed and failed, two decimals, half up; None where no rule applies."""
    passed = sum((result.weight for result in results if result.status is RuleStatus.PASSED), Decimal(0))
    failed = sum((result.weight for result in results if result.status is RuleStatus.FAILED), Decimal(0))
    if passed + failed == 0:
        return None
    return (100 * passed / (passed + failed)).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def _apply_all(
    rules: RuleSet, facts: Mapping[str, Any], words: Mapping[str, str], *, first: bool
) -> list[_Applied]:  # fmt: skip
    applied: list[_Applied] = []
    facts = cel.Bound(facts)
    ended: Rule | None = None
    for rule in rules.rules:
        if rule.per == "document" and not first:
            continue
        one = _apply(rules, rule, facts, words, ended)
        ended = rule if one.ends else ended
        applied.append(one)
    return applied


def _apply(
    rules: RuleSet, rule: Rule, facts: Mapping[str, Any], words: Mapping[str, str], ended: Rule | None
) -> _Applied:
    def result(status: RuleStatus, evidence: str, reason: str | None = None, *, ends: bool = False) -> _Applied:
        name = rule.source or _SOURCE.format(name=rules.name, version=rules.version, rule=rule.id)
        found = RuleResult(
            rule=rule.id, title=rule.title, status=status, weight=rule.weight,
            evidence=evidence[:EVIDENCE_CHARACTERS_MAX],
            values=tuple(name for name in (*rule.needs, *rule.uses) if name in facts["values"]),
            part=None if rule.per == "document" else facts.get("part", 1), source=name, changes=rule.changes,
        )  # fmt: skip
        return _Applied(found, rule, reason, ends)

    try:
        if rule.unavailable_when and _truth(rule.unavailable_when, facts):
            return result(RuleStatus.NOT_AVAILABLE, rule.unavailable or "What the rule needs is not available.")
        if absent := _why_not(rule, facts, ended):
            return result(RuleStatus.NOT_APPLICABLE, absent)
        passed = _truth(rule.check, facts)
        shown = {name: _word(cel.compile(text, VARIABLES).evaluate(facts)) for name, text in rule.show.items()}
        ends = not passed and rule.ends_judging_when is not None and _truth(rule.ends_judging_when, facts)
    except cel.ExpressionFailed:
        # Never an approval, and never a rejection by our own mistake.
        return result(RuleStatus.FAILED, "The rule could not be decided for this document.", UNDECIDED)
    evidence = (rule.passed if passed else rule.failed).format_map(_Words({**words, **shown}))
    if passed:
        return result(RuleStatus.PASSED, evidence)
    return result(RuleStatus.FAILED, evidence, rule.reason, ends=ends)


def _why_not(rule: Rule, facts: Mapping[str, Any], ended: Rule | None) -> str | None:
    """Why the rule does not apply, or None. Raises ExpressionFailed."""
    if ended is not None:
        return f"Not judged, because of {ended.id}."
    if not rule.without_text and facts["characters"] == 0:
        return "The document has no text."
    if not rule.applies_to(facts["kind"]):
        return "The rule is for other kinds of document."
    if absent := [name for name in rule.needs if name not in facts["values"]]:
        return f"Not found: {', '.join(absent)}."
    if rule.when and not _truth(rule.when, facts):
        return "The document shows nothing to apply the rule to."
    return None


def _truth(expression: str, facts: Mapping[str, Any]) -> bool:
    # Facts of an older form lack later names, which older rules do not know either.
    return cel.compile(expression, VARIABLES).truth(facts)


class _Words(dict[str, str]):
    """A value that a sentence may name although it need not stand on the document."""

    def __missing__(self, name: str) -> str:
        return "(not found)"


def _word(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    if all(isinstance(item, str) for item in value):
        # A map has no order in CEL: the same facts must give the same evidence, whoever computes it again.
        value = sorted(value)
    elif any(isinstance(item, list) for item in value):
        value = [f"[{_word(item)}]" if isinstance(item, list) else item for item in value]
    more = f" and {len(value) - _LISTED_MAX} more" if len(value) > _LISTED_MAX else ""
    return ", ".join(map(str, value[:_LISTED_MAX])) + more
