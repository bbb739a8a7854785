"""A judgement in sentences and in arithmetic that can be done by hand, and where a recomputed one differs."""

import argparse
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ecosystem.cli import screen
from ecosystem_client.models import Judgement, Rule, Value

_ORDER = ("failed", "not_available", "passed", "not_applicable")
_HEADS = {
    "failed": "What failed", "not_available": "What could not be applied here", "passed": "What passed",
    "not_applicable": "What did not apply",
}  # fmt: skip


def sentences(judgement: Judgement) -> Iterator[str]:
    """Line by line: the outcome, each rule with its evidence, places, law and what would change it, the score."""
    yield (
        f"Document {judgement.document_id} ({judgement.kind}) was judged {judgement.judged_outcome} as of"
        f" {judgement.judged_as_of} by {judgement.rule_set} version {judgement.rule_set_version}."
    )
    if judgement.decision is not None:
        said = judgement.decision
        yield f"A person decided: {said.outcome}, {said.decided_by} at {screen.when(said.decided_at)}: {said.reason}"
    if judgement.reasons:
        yield f"Because: {'; '.join(judgement.reasons)}."
    if judgement.open_rules:
        yield f"Open, and not part of this outcome: {', '.join(judgement.open_rules)}."
    for status in _ORDER:
        results = [rule for rule in judgement.results if rule.status == status]
        if results:
            yield ""
            yield f"{_HEADS[status]}:"
        for rule in results:
            yield from _rule(rule, judgement.values)
    yield ""
    yield from arithmetic(judgement.results, judgement.compliance_score)


def arithmetic(results: Sequence[Rule], score: object) -> Iterator[str]:
    """The score, sum by sum."""
    passed = [rule for rule in results if rule.status == "passed"]
    failed = [rule for rule in results if rule.status == "failed"]
    if not passed and not failed:
        yield "No rule applied: there is no score."
        return
    yield f"Passed: {_sum(passed)}"
    yield f"Failed: {_sum(failed)}"
    total, lost = _weight(passed), _weight(failed)
    yield f"Score = 100 × {total} / ({total} + {lost}) = {score}"


def differences(judgement: Judgement, again: Mapping[str, Any]) -> list[str]:
    """Where `again` (the judgement recomputed from its inputs) is not what is stored."""
    found = []
    stored = None if judgement.compliance_score is None else str(judgement.compliance_score)
    for name, before, now in (
        ("outcome", judgement.judged_outcome, again["outcome"]), ("score", stored, again["score"]),
        ("reasons", list(judgement.reasons), again["reasons"]),
    ):  # fmt: skip
        if before != now:
            found.append(f"the {name} is stored as {before} and recomputed as {now}")
    results = [(one["rule"], one["status"], one["evidence"]) for one in again["results"]]
    kept = [(one.rule, one.status, one.evidence) for one in judgement.results]
    found += [f"{one[0]} is stored as {one[1]} and recomputed otherwise" for one in kept if one not in results]
    found += [f"{one[0]} is recomputed as {one[1]} and not stored so" for one in results if one not in kept]
    return found


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def moment(text: str) -> datetime:
    """A date or a time as options take it; UTC unless it says otherwise."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a date such as 2026-11-24") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _rule(rule: Rule, values: Sequence[Value]) -> Iterator[str]:
    part = f", part {rule.part}" if rule.part not in (None, 1) else ""
    yield f"  {rule.rule}{part} (weight {rule.weight}): {rule.evidence}"
    if rule.status in ("passed", "failed"):
        for value in values:
            if value.name in rule.values and rule.part in (None, value.part):
                yield f"    {value.name} = {value.value}: {_place(value)}"
    if rule.status != "not_applicable":
        yield f"    Source: {rule.source}"
    if rule.status in ("failed", "not_available") and rule.changes:
        yield f"    What would change it: {rule.changes}"


def _place(value: Value) -> str:
    box = ", ".join(f"{edge:.0f}" for edge in value.box)
    return f"page {value.page}, box [{box}], read by {value.method} with confidence {value.confidence}"


def _sum(rules: Sequence[Rule]) -> str:
    if not rules:
        return "nothing = 0"
    several = len({rule.part for rule in rules if rule.part is not None}) > 1
    named = [f"{rule.rule}{f' ({rule.part})' if several and rule.part else ''} {rule.weight}" for rule in rules]
    return f"{' + '.join(named)} = {_weight(rules)}"


def _weight(rules: Sequence[Rule]) -> object:
    return sum(rule.weight for rule in rules if rule.weight is not None)
