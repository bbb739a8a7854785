"""Rule sets: versioned YAML with CEL, immutable once used."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ecosystem.kernel.expressions import cel
from ecosystem.services.creditx.errors import RuleSetInvalid, RuleSetUnknown

VARIABLES = (
    "kind", "characters", "pages", "pages_without_text", "values", "dates", "today", "amounts", "movements", "ibans",
    "missing", "conflicts",
)  # fmt: skip
_FOLDER = resources.files("ecosystem.services.creditx").joinpath("rule_sets")
# Read at import: a service that gave up its privileges may not reach its own files any more.
_TEXTS = tuple(
    file.read_text(encoding="utf-8")
    for file in sorted(_FOLDER.iterdir(), key=lambda file: file.name)
    if file.name.endswith(".yaml")
)


class Rule(BaseModel):
    """One rule as the file says it; see the head of `rule_sets/kyc_aml_v2.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{2,60}$")
    title: str
    weight: Decimal = Field(gt=0, le=1000)
    on_failure: Literal["reject", "review"]
    reason: str
    check: str
    kinds: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    when: str | None = None
    without_text: bool = False
    show: dict[str, str] = {}
    passed: str
    failed: str

    @property
    def expressions(self) -> tuple[str, ...]:
        return (self.check, *((self.when,) if self.when else ()), *self.show.values())


class RuleSet(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{2,60}$")
    version: int = Field(ge=1)
    title: str
    score_to_approve: Decimal = Field(ge=0, le=100)
    rules: tuple[Rule, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Published:
    """A rule set with the SHA-256 of its text, which is what it is known by."""

    rules: RuleSet
    sha256: str
    text: str


def publish(text: str) -> Published:
    """Check the text of a rule set. Raises RuleSetInvalid naming the rule and what is wrong with it."""
    try:
        rule_set = RuleSet.model_validate(yaml.safe_load(text))
    except yaml.YAMLError:
        raise RuleSetInvalid("The rule set is no YAML.") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise RuleSetInvalid(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    names = [rule.id for rule in rule_set.rules]
    if len(set(names)) != len(names):
        raise RuleSetInvalid("Two rules have the same id.")
    for rule in rule_set.rules:
        for expression in rule.expressions:
            try:
                cel.compile(expression, VARIABLES)
            except cel.ExpressionInvalid as error:
                raise RuleSetInvalid(f"{rule.id}: {error.message}") from None
    return Published(rule_set, hashlib.sha256(text.encode()).hexdigest(), text)


@cache
def shipped() -> Mapping[str, Published]:
    """Every rule set that comes with this service, by name."""
    published = [publish(text) for text in _TEXTS]
    return {entry.rules.name: entry for entry in published}


def rule_set(name: str) -> Published:
    """Raises RuleSetUnknown."""
    if found := shipped().get(name):
        return found
    raise RuleSetUnknown(f"There is no rule set of this name; there are: {', '.join(sorted(shipped()))}.")
