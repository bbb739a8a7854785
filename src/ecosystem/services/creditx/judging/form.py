"""What a rule set is made of: the form of its YAML, which `schemas/rule-set.schema.json` tells editors."""

from datetime import date
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ecosystem.contracts.creditx import Outcome, RuleStatus

VARIABLES = (
    "kind", "kind_confidence", "characters", "pages", "pages_without_text", "page_confidences", "part", "parts",
    "values", "confidences", "ambiguous", "dates", "today", "amounts", "movements", "ibans", "required", "missing",
    "missing_pages", "conflicts", "mrz", "signs", "customer", "screening",
)  # fmt: skip
"""What CEL may speak of; `facts.py` says what each is."""
Name = Field(pattern=r"^[a-z][a-z0-9_]{2,60}$")


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Form):
    """One rule. It applies to the `kinds` named (all, if none), where every value in `needs` was read and `when` holds.

    It then passes when `check` is true. One that does not apply counts neither for nor against.
    """

    id: str = Name
    title: str = Field(min_length=3, max_length=200)
    weight: Decimal = Field(gt=0, le=1000, description="How much it counts in the score.")
    on_failure: Literal["reject", "review"] = Field(description="What a failure means for the document.")
    reason: str = Field(min_length=3, max_length=200, description="Why, in words about the rule: it is not sealed.")
    check: str = Field(min_length=1, max_length=4096, description="CEL: passes when true.")
    per: Literal["part", "document"] = Field(
        default="part", description="Apply it to each document in the file, or once to the file."
    )
    kinds: tuple[str, ...] = Field(default=(), max_length=20, description="Kinds of document that it is for.")
    needs: tuple[str, ...] = Field(default=(), max_length=20, description="Values without which it does not apply.")
    uses: tuple[str, ...] = Field(default=(), max_length=40, description="Values it also looks at where they stand.")
    when: str | None = Field(default=None, min_length=1, max_length=4096, description="CEL: applies when true.")
    unavailable_when: str | None = Field(
        default=None, min_length=1, max_length=4096,
        description="CEL: what the rule needs does not exist here; it is shown as not available.",
    )  # fmt: skip
    ends_judging_when: str | None = Field(
        default=None, min_length=1, max_length=4096,
        description="CEL: having failed, no other rule applies any more.",
    )  # fmt: skip
    without_text: bool = Field(default=False, description="Apply it to a document without text too.")
    show: dict[str, str] = Field(default={}, max_length=20, description="CEL by name, for the evidence.")
    passed: str = Field(min_length=1, max_length=500, description="Evidence when it passes; {name} is a value.")
    failed: str = Field(min_length=1, max_length=500, description="Evidence when it fails.")
    unavailable: str = Field(default="", max_length=500, description="What is said where it is not available.")
    source: str = Field(default="", max_length=500, description="The law or standard that asks for it.")
    changes: str = Field(default="", max_length=500, description="What would change the result.")

    def expressions(self) -> dict[tuple[str, ...], str]:
        """Every CEL text by its place in the rule."""
        single = {"check": self.check, "when": self.when, "unavailable_when": self.unavailable_when,
                  "ends_judging_when": self.ends_judging_when}  # fmt: skip
        found: dict[tuple[str, ...], str] = {(name,): text for name, text in single.items() if text is not None}
        return found | {("show", name): text for name, text in self.show.items()}

    def applies_to(self, kind: str) -> bool:
        return not self.kinds or kind in self.kinds


class CustomerGiven(_Form):
    """The customer's file as a test gives it: other kinds on file, and how their values compare."""

    kinds: tuple[str, ...] = ()
    name: Literal["same", "different", "none"] = "same"
    birth_date: Literal["same", "different", "none"] = "none"
    address: Literal["same", "different", "none"] = "none"
    number: Literal["same", "different", "none"] = "none"


class Given(_Form):
    """A document as a test gives it: what was read, without places."""

    kind: str
    today: date = Field(default=date(2026, 11, 24), description="The day of judgement.")
    values: dict[str, str] = Field(default={}, max_length=40)
    confidence: float = Field(default=0.97, ge=0, le=1, description="Of every value.")
    kind_confidence: float = Field(default=0.95, ge=0, le=1)
    ambiguous: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    missing_pages: tuple[int, ...] = Field(default=(), description="Numbers that page numbers name.")
    movements: dict[Literal["count", "sum"], int | str] | None = None
    mrz: tuple[dict[str, Any], ...] = Field(default=(), max_length=4)
    signs: tuple[str, ...] = Field(default=(), max_length=20)
    page_confidences: tuple[float, ...] = Field(default=(1.0,), min_length=1, max_length=20)
    characters: int = Field(default=500, ge=0)
    customer: CustomerGiven | None = None


class RuleTest(_Form):
    """A document, and what the rules must make of it. Rules that are not named may end as they like."""

    name: str = Field(min_length=3, max_length=200)
    given: Given
    expect: dict[str, RuleStatus] = Field(default={}, max_length=100)
    outcome: Outcome | None = None
    score: Decimal | None = None


class RuleSet(_Form):
    """A version of a rule set. From `format` 2 on, each rule has its source, what would change it, and its tests."""

    format: Literal[1, 2] = 1
    name: str = Name
    version: int = Field(ge=1)
    title: str = Field(min_length=3, max_length=200)
    score_to_approve: Decimal = Field(ge=0, le=100)
    rules: tuple[Rule, ...] = Field(min_length=1, max_length=100)
    tests: tuple[RuleTest, ...] = Field(default=(), max_length=300)
