"""The tests that stand inside a rule set: each is a small document and what the rules must make of it.

A rule set of format 2 is published only when every rule was seen to pass and to fail in its own tests, so that a test
stands for each way a document can go; and when no rule is undecidable on a plain document of its kinds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from ecosystem.contracts.creditx import RuleStatus
from ecosystem.kernel.expressions import cel
from ecosystem.services.creditx.judging.customer import Companion
from ecosystem.services.creditx.judging.facts import inputs_of
from ecosystem.services.creditx.judging.form import VARIABLES, Given, RuleTest
from ecosystem.services.creditx.judging.judge import UNDECIDED, Judgement, judge
from ecosystem.services.creditx.judging.rule_set import Problem, Published, publish, refused, tree_of
from ecosystem.services.creditx.reading.kinds import kind_of, kinds

_PLAIN_VALUES = {"date": "2026-06-15", "amount": "100.00", "iban": "CH9300762011623852957", "bic": "POFICHBEXXX",
                 "currency": "CHF", "yes_no": "no"}  # fmt: skip
_PLAIN_DAY = date(2026, 11, 24)


@dataclass(frozen=True)
class Tried:
    """One test: `wrong` says what came out otherwise, one sentence each; empty where it passed."""

    name: str
    line: int
    wrong: tuple[str, ...]


def check(text: str) -> Published:
    """`publish`, the tests inside, and plain documents. Raises RuleSetInvalid, whose problems name the lines."""
    published = publish(text)
    problems = list(_undecidable(published, text))
    if not problems:
        problems = [
            Problem(one.line, "", f"Test {one.name!r}: {said}") for one in try_all(published) for said in one.wrong
        ]
    if not problems and published.rules.format > 1:
        problems = list(_untested(published, text))
    if problems:
        raise refused(problems)
    return published


def try_all(published: Published) -> list[Tried]:
    """Every test of the rule set, in order."""
    tree = tree_of(published.text)
    return [
        Tried(test.name, tree.line_at(("tests", number)), tuple(_wrong(test, judgement_of(published, test.given))))
        for number, test in enumerate(published.rules.tests)
    ]


def judgement_of(published: Published, given: Given) -> Judgement:
    """What the rules make of a document as a test gives it."""
    inputs = inputs_of(_reading(given), given.today, _companions(given))
    if given.customer is not None:
        compared = {name: getattr(given.customer, name) for name in ("name", "birth_date", "address", "number")}
        for document in inputs["parts"][0]["facts"]["customer"]["documents"]:
            document.update(compared)
    return judge(published, inputs, judged_at=moment_of(given.today))


def moment_of(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def reading_of(kind: str, values: dict[str, str]) -> dict[str, Any]:
    """A reading as `reading.extraction.extract` gives it, of values that stand nowhere in particular."""
    return _reading(Given(kind=kind, values=values))


def _wrong(test: RuleTest, judgement: Judgement) -> Iterator[str]:
    came = {result.rule: result for result in judgement.results}
    for name, status in test.expect.items():
        if came[name].status is not status:
            yield f"{name} was to be {status}, and is {came[name].status}: {came[name].evidence}"
    if test.outcome is not None and judgement.outcome is not test.outcome:
        because = ", ".join(judgement.failing) or "no rule failed"
        yield f"the outcome was to be {test.outcome}, and is {judgement.outcome} ({because})"
    if test.score is not None and judgement.score != test.score:
        yield f"the score was to be {test.score}, and is {judgement.score}"


def _untested(published: Published, text: str) -> Iterator[Problem]:
    rules, tree = published.rules, tree_of(text)
    seen: set[tuple[str, RuleStatus]] = set()
    for test in rules.tests:
        seen |= {
            (result.rule, result.status) for result in judgement_of(published, test.given).results
            if result.rule in test.expect
        }  # fmt: skip
    for number, rule in enumerate(rules.rules):
        wanted = (RuleStatus.NOT_AVAILABLE,) if rule.unavailable_when else (RuleStatus.PASSED, RuleStatus.FAILED)
        for status in wanted:
            if (rule.id, status) not in seen:
                line = tree.line_at(("rules", number, "id"))
                yield Problem(line, rule.id, f"No test expects the rule to be {status}.")


def _undecidable(published: Published, text: str) -> Iterator[Problem]:
    """A division by zero, a text as a condition, an endless comprehension: found where every value stands there."""
    tree = tree_of(text)
    for number, rule in enumerate(published.rules.rules):
        for given in _plain_documents(rule.kinds):
            came = judgement_of(_alone(published, number), given)
            if UNDECIDED in came.reasons:
                line = tree.line_at(("rules", number, "check"))
                yield Problem(
                    line,
                    rule.id,
                    f"The rule cannot be decided for a plain {given.kind}: {_cause(published, number, given)}",
                )
                break


def _alone(published: Published, number: int) -> Published:
    rules = published.rules
    return Published(rules.model_copy(update={"rules": (rules.rules[number],)}), published.sha256, published.text)


def _cause(published: Published, number: int, given: Given) -> str:
    facts = inputs_of(_reading(given), given.today, None)["parts"][0]["facts"]
    for place, expression in published.rules.rules[number].expressions().items():
        try:
            program = cel.compile(expression, VARIABLES)
            program.evaluate(facts) if place[0] == "show" else program.truth(facts)
        except cel.ExpressionFailed as error:
            return f"`{'.'.join(place)}`: {error.message}"
    return "an expression fails."


def _plain_documents(wanted: tuple[str, ...]) -> Iterator[Given]:
    for kind in kinds():
        if wanted and kind.kind not in wanted:
            continue
        values = {name: _PLAIN_VALUES.get(field.type, "Anna Keller") for name, field in kind.fields.items()}
        yield Given(
            kind=kind.kind, today=_PLAIN_DAY, values=values, movements={"count": 40, "sum": "10.00"},
            page_confidences=(1.0, 0.9, 0.5), signs=("a_sign",) * 5,
        )  # fmt: skip
    if not wanted:
        yield Given(kind="unknown", today=_PLAIN_DAY, values={})


def _reading(given: Given) -> dict[str, Any]:
    values = [
        {"name": name, "value": text, "raw": text, "page": 1, "box": [0.0, 0.0, 1.0, 1.0], "method": "text_layer",
         "confidence": given.confidence, "currency": None, "ambiguous": name in given.ambiguous, "part": 1}
        for name, text in given.values.items()
    ]  # fmt: skip
    kind = kind_of(given.kind)
    missing = given.missing or tuple(name for name in (kind.required if kind else ()) if name not in given.values)
    unread = sum(confidence == 0 for confidence in given.page_confidences)
    pages = [{"method": "ocr" if one < 1 else "text_layer", "confidence": one} for one in given.page_confidences]
    stated = len(pages) + len(given.missing_pages)
    present = [number for number in range(1, stated + 1) if number not in given.missing_pages]
    return {
        "version": 2, "kind": given.kind, "kind_confidence": given.kind_confidence, "values": values,
        "conflicts": list(given.conflicts), "movements": given.movements, "pages": len(pages),
        "pages_without_text": unread, "page_readings": pages, "characters": given.characters,
        "signs": [{"sign": sign, "page": 1, "part": 1} for sign in given.signs],
        "mrz": [{"part": 1, "format": "TD3", "checks": {}, "against_print": {}, **one} for one in given.mrz],
        "parts": [{"part": 1, "kind": given.kind, "kind_confidence": given.kind_confidence, "missing": list(missing),
                   "first_page": 1, "last_page": len(pages), "page_numbering": {"stated": stated, "present": present},
                   "conflicts": list(given.conflicts), "movements": given.movements}],
    }  # fmt: skip


def _companions(given: Given) -> list[Companion] | None:
    if given.customer is None:
        return None
    return [Companion(f"document-{number}", kind, {}, True) for number, kind in enumerate(given.customer.kinds, 1)]
