"""What the routes of rule sets and judgements answer."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from ecosystem.contracts.creditx import Outcome
from ecosystem.services.creditx.judging.rule_set import Published
from ecosystem.services.creditx.judging.service import Shown
from ecosystem.services.creditx.schemas import DecisionShown, RuleShown, ValueShown


class RuleSetListed(BaseModel):
    """One version. `current`: the newest of its name, by which documents are judged from now on."""

    name: str
    version: int
    title: str
    sha256: str
    current: bool
    rules: int

    @classmethod
    def of(cls, entry: Published, *, current: bool) -> "RuleSetListed":
        rules = entry.rules
        return cls(
            name=rules.name, version=rules.version, title=rules.title, sha256=entry.sha256, current=current,
            rules=len(rules.rules),
        )  # fmt: skip


class RuleSetsShown(BaseModel):
    items: list[RuleSetListed]
    next_cursor: str | None = None


class RuleSetShown(RuleSetListed):
    """`text` is the YAML whose SHA-256 stands with each decision."""

    text: str


class JudgementShown(BaseModel):
    """A judgement with all that it was computed from: with the rules' text of that SHA-256 anybody can recompute it.

    `inputs` are the facts that the rules were applied to, part by part; `inputs_kept` is false for judgements from
    before they were kept, whose inputs follow from what was read. `outcome` is what stands now, with `decision` where
    a person decided.
    """

    document_id: UUID
    kind: str | None
    rule_set: str
    rule_set_version: int
    rule_set_sha256: str
    judged_at: datetime
    judged_as_of: date
    judged_outcome: Outcome
    compliance_score: Decimal | None
    reasons: list[str]
    open_rules: list[str]
    results: list[RuleShown]
    inputs: dict[str, Any]
    inputs_kept: bool
    values: list[ValueShown]
    outcome: Outcome | None
    decision: DecisionShown | None

    @classmethod
    def of(cls, shown: Shown) -> "JudgementShown":
        document = shown.document
        return cls.model_validate({
            "document_id": document.document_id, "kind": document.kind, "rule_set": document.rule_set,
            "rule_set_version": document.rule_set_version, "rule_set_sha256": document.rule_set_sha256,
            "judged_at": document.judged_at, "judged_as_of": document.judged_as_of,
            "judged_outcome": document.judged_outcome, "compliance_score": document.score,
            "reasons": document.reasons, "open_rules": document.open_rules, "results": shown.results,
            "inputs": shown.inputs, "inputs_kept": shown.kept,
            "values": [ValueShown.of(value) for value in shown.values],
            "outcome": shown.standing["outcome"], "decision": shown.standing["decision"],
        })  # fmt: skip
