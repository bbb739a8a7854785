"""Rule sets: versioned YAML with CEL, immutable once used. Every version that ever judged stays at hand."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from string import Formatter

from pydantic import ValidationError

from ecosystem.kernel.expressions import cel
from ecosystem.services.creditx.errors import RuleSetInvalid, RuleSetUnknown
from ecosystem.services.creditx.judging.form import VARIABLES, Rule, RuleSet
from ecosystem.workflow.document import Node, read
from ecosystem.workflow.errors import DefinitionRefused

NESTED_MAX = 2
"""Comprehensions inside each other: CEL's own budget of iterations ends what is still too long."""
_MACROS = (".all(", ".exists(", ".exists_one(", ".filter(", ".map(")
_FOLDER = resources.files("ecosystem.services.creditx").joinpath("rule_sets")
# Read at import: a service that gave up its privileges may not reach its own files any more.
_TEXTS = tuple(
    file.read_text(encoding="utf-8")
    for file in sorted(_FOLDER.iterdir(), key=lambda file: file.name)
    if file.name.endswith(".yaml")
)


@dataclass(frozen=True)
class Problem:
    """What is wrong in one line of a rule set; `rule` is the id of the rule it stands in, `` for the set itself."""

    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}{f', {self.rule}' if self.rule else ''}: {self.message}"


@dataclass(frozen=True)
class Published:
    """A rule set with the SHA-256 of its text, which is what it is known by."""

    rules: RuleSet
    sha256: str
    text: str


def publish(text: str) -> Published:
    """Check the text of a rule set. Raises RuleSetInvalid, whose problems name the lines."""
    rules, tree = _form(text)
    problems = [*_doubles(rules, tree)]
    for number, rule in enumerate(rules.rules):
        problems += _rule_problems(rule, tree.value["rules"].value[number], described=rules.format > 1)
    if problems:
        raise refused(problems)
    return _published(rules, text)


def _published(rules: RuleSet, text: str) -> Published:
    return Published(rules, hashlib.sha256(text.encode()).hexdigest(), text)


def refused(problems: Iterable[Problem]) -> RuleSetInvalid:
    found = sorted(problems, key=lambda problem: problem.line)
    return RuleSetInvalid("; ".join(map(str, found[:20])), problems=[asdict(problem) for problem in found])


def tree_of(text: str) -> Node:
    """Raises RuleSetInvalid: no YAML, an alias (a bomb), a tag, a double key, too long or too deep."""
    try:
        return read(text, "rule set")
    except DefinitionRefused as error:
        raise refused(
            Problem(one.line, "", one.message.replace("definition", "rule set")) for one in error.refusals
        ) from None


def _form(text: str) -> tuple[RuleSet, Node]:
    tree = tree_of(text)
    try:
        return RuleSet.model_validate(tree.plain()), tree
    except ValidationError as error:
        found = {one["loc"]: one["msg"] for one in error.errors(include_url=False, include_input=False)}
        # A list that lost a wrong item may then be too short: that says nothing new.
        causes = [place for place in found if not any(place == other[: len(place)] for other in found.keys() - {place})]
        raise refused(
            Problem(tree.line_at(place), _rule_at(tree, place), _said(place, found[place])) for place in causes
        ) from None


def _said(place: tuple[str | int, ...], message: str) -> str:
    where = ".".join(str(step) for step in place if isinstance(step, str))
    return f"{where}: {message}" if where else message


def _rule_at(tree: Node, place: tuple[str | int, ...]) -> str:
    if len(place) < 2 or place[0] != "rules" or not isinstance(place[1], int):
        return ""
    rule = tree.value["rules"].value[place[1]]
    found = rule.value.get("id") if rule.is_mapping else None
    return found.value if found is not None and found.is_text else f"rule {place[1] + 1}"


def _doubles(rules: RuleSet, tree: Node) -> list[Problem]:
    seen: set[str] = set()
    found = []
    for number, rule in enumerate(rules.rules):
        if rule.id in seen:
            found.append(Problem(tree.line_at(("rules", number, "id")), rule.id, "Two rules have the same id."))
        seen.add(rule.id)
    for number, test in enumerate(rules.tests):
        for name in sorted(test.expect.keys() - {rule.id for rule in rules.rules}):
            line = tree.line_at(("tests", number, "expect", name))
            found.append(Problem(line, "", f"The test expects something of {name!r}, which is no rule."))
    return found


def _rule_problems(rule: Rule, node: Node, *, described: bool) -> list[Problem]:
    found = []
    for place, expression in rule.expressions().items():
        try:
            if _nested(expression) > NESTED_MAX:
                raise cel.ExpressionInvalid(f"At most {NESTED_MAX} comprehensions stand inside each other.")
            cel.compile(expression, VARIABLES)
        except cel.ExpressionInvalid as error:
            found.append(Problem(node.line_at(place), rule.id, error.message))
    for name in ("passed", "failed", "unavailable"):
        found += [Problem(node.line_at((name,)), rule.id, message) for message in _blanks(rule, getattr(rule, name))]
    if described:
        missing = [name for name in ("source", "changes") if not getattr(rule, name)]
        if rule.unavailable_when and not rule.unavailable:
            missing.append("unavailable")
        found += [Problem(node.line, rule.id, f"The rule has no `{name}`.") for name in missing]
    return found


def _nested(expression: str) -> int:
    """How deep comprehensions stand in each other; texts in quotes count too, which refuses more, never less."""
    deepest, open_at = 0, []
    depth = 0
    for position, letter in enumerate(expression):
        if letter == "(":
            depth += 1
            if expression[: position + 1].endswith(_MACROS):
                open_at.append(depth)
                deepest = max(deepest, len(open_at))
        elif letter == ")":
            if open_at and open_at[-1] == depth:
                open_at.pop()
            depth -= 1
    return deepest


def _blanks(rule: Rule, template: str) -> list[str]:
    """What is wrong with the places that a sentence leaves for values."""
    known = {*rule.show, *rule.needs, *rule.uses, "today", "movements"}
    try:
        blanks = [(name, form, how) for _, name, form, how in Formatter().parse(template) if name is not None]
    except ValueError as error:
        return [f"The sentence is no template: {error}."]
    plain = [name for name, form, how in blanks if name.isidentifier() and not form and how is None]
    if len(plain) != len(blanks):
        return ["A sentence names values as {name}, and nothing more."]
    return [f"{{{name}}} is neither in `needs`, `uses` nor `show`." for name in plain if name not in known]


@cache
def shipped() -> dict[str, tuple[Published, ...]]:
    """Every version of every rule set that comes with this service, by name, oldest first.

    Their expressions are compiled when they are first used: the suite has published each, tests and all.
    """
    found: dict[str, dict[int, Published]] = {}
    for text in _TEXTS:
        rules, _ = _form(text)
        found.setdefault(rules.name, {})[rules.version] = _published(rules, text)
    return {name: tuple(versions[number] for number in sorted(versions)) for name, versions in found.items()}


def rule_set(name: str, version: int | None = None) -> Published:
    """The newest version, or the one asked for. Raises RuleSetUnknown."""
    versions = shipped().get(name, ())
    if version is None and versions:
        return versions[-1]
    for entry in versions:
        if entry.rules.version == version:
            return entry
    if versions:
        there = ", ".join(str(entry.rules.version) for entry in versions)
        raise RuleSetUnknown(f"There is no such version of this rule set; there are: {there}.")
    raise RuleSetUnknown(f"There is no rule set of this name; there are: {', '.join(sorted(shipped()))}.")
