"""Goal: a rule set that is wrong, hostile or untested is refused by line. Method: one thing wrong at a time."""

import pytest

from ecosystem.services.creditx.errors import RuleSetInvalid
from ecosystem.services.creditx.judging.rule_set import publish, shipped
from ecosystem.services.creditx.judging.trials import check, try_all
from tests.support.poll import ends

SOUND = """format: 2
name: small
version: 1
title: A small rule set
score_to_approve: 80
rules:
  - id: iban_right
    title: The account number is right
    weight: 2
    on_failure: reject
    reason: the account number is wrong
    needs: [iban]
    check: ibans.iban
    passed: "{iban} is right."
    failed: "{iban} is wrong."
    source: ISO 13616
    changes: The right number.
tests:
  - name: a right one passes
    given: {kind: invoice, values: {iban: CH9300762011623852957}}
    expect: {iban_right: passed}
    outcome: approved
    score: 100.00
  - name: a wrong one is rejected
    given: {kind: invoice, values: {iban: CH9300762011623852958}}
    expect: {iban_right: failed}
    outcome: rejected
"""
CHECK = "    check: ibans.iban"
CHECK_LINE = SOUND[: SOUND.index(CHECK)].count("\n") + 1


def problems_of(text: str) -> list[tuple[int, str]]:
    with pytest.raises(RuleSetInvalid) as refused:
        check(text)
    assert refused.value.message
    return [(one["line"], one["message"]) for one in refused.value.details["problems"]]


@pytest.mark.parametrize(
    "name", [f"{name} {entry.rules.version}" for name, all_ in shipped().items() for entry in all_]
)
def test_what_is_shipped_is_sound_and_its_own_tests_pass(name: str) -> None:
    set_name, version = name.split()
    entry = shipped()[set_name][int(version) - 1]
    published = check(entry.text)

    assert published.sha256 == entry.sha256
    assert [one for one in try_all(published) if one.wrong] == []
    assert published.rules.format == 1 or len(published.rules.tests) >= len(published.rules.rules)


def test_a_sound_one_is_known_by_its_text() -> None:
    assert check(SOUND).sha256 != check(SOUND.replace("A small", "A little")).sha256


class TestForm:
    @pytest.mark.parametrize(
        ("was", "becomes", "line", "said"),
        [
            ("    weight: 2", "    weight: 0", 9, "weight: Input should be greater than 0"),
            ("    weight: 2", "    weigth: 2", 9, "weigth: Extra inputs are not permitted"),
            ("    weight: 2\n", "", 7, "weight: Field required"),
            ("on_failure: reject", "on_failure: approve", 10, "on_failure: Input should be 'reject' or 'review'"),
            ("score_to_approve: 80", "score_to_approve: 101", 5, "less than or equal to 100"),
            ("version: 1", "version: one", 3, "version: Input should be a valid integer"),
            ("    source: ISO 13616\n", "", 7, "The rule has no `source`."),
            ("    changes: The right number.\n", "", 7, "The rule has no `changes`."),
            ('"{iban} is right."', '"{bic} is right."', 14, "{bic} is neither in `needs`, `uses` nor `show`."),
            ('"{iban} is right."', '"{iban.__class__} is right."', 14, "names values as {name}, and nothing more"),
            ('"{iban} is right."', '"{iban:>999999999} is right."', 14, "names values as {name}, and nothing more"),
            ('"{iban} is right."', '"{iban is right."', 14, "no template"),
            ("{iban_right: passed}", "{iban_rigth: passed}", 21, "'iban_rigth', which is no rule"),
            ("{iban_right: passed}", "{iban_right: maybe}", 21, "expect.iban_right: Input should be"),
            ("  - id: iban_right", "  - id: iban_right\n    id: again", 8, "there twice"),
            ("needs: [iban]", "needs: &all [iban]", 12, "Anchors and aliases are not allowed."),
            ("title: A small rule set", "title: !!python/object/apply:os.system [x]", 4, "Tags are not allowed."),
            ("title: A small rule set", "title: [", 4, "This is no YAML"),
        ],
    )
    def test_what_is_wrong_is_named_with_its_line(self, was: str, becomes: str, line: int, said: str) -> None:
        assert was in SOUND
        found = problems_of(SOUND.replace(was, becomes, 1))

        assert any(said in message for _, message in found), found
        assert line in [number for number, _ in found] or "no YAML" in said

    def test_everything_that_is_wrong_is_told_at_once(self) -> None:
        text = SOUND.replace("weight: 2", "weight: 0").replace("on_failure: reject", "on_failure: never")

        assert [line for line, _ in problems_of(text)] == [9, 10]

    def test_two_rules_of_one_name_and_a_rule_that_no_test_sees_fail(self) -> None:
        rule = SOUND[SOUND.index("  - id:") : SOUND.index("tests:")]
        twice = problems_of(SOUND.replace("tests:", rule + "tests:"))
        untested = problems_of(SOUND[: SOUND.index("  - name: a wrong one")])

        assert [message for _, message in twice] == ["Two rules have the same id."]
        assert untested == [(7, "No test expects the rule to be failed.")]

    def test_a_test_that_comes_out_otherwise_names_its_line_and_what_came(self) -> None:
        found = problems_of(
            SOUND.replace("score: 100.00", "score: 99.00").replace("outcome: rejected", "outcome: review")
        )

        assert [line for line, _ in found] == [19, 24]
        assert "the score was to be 99.0, and is 100.00" in found[0][1]
        assert "the outcome was to be review, and is rejected (iban_right)" in found[1][1]


HOSTILE = {
    "an endless comprehension": "values.all(a, values.all(b, values.all(c, true)))",
    "a comprehension over more than the budget": f"{list(range(150))}.all(a, {list(range(150))}.all(b, a + b >= 0))",
    "a division by zero": "1 / 0 == 1",
    "a modulo by zero": "today % 0 == 1",
    "an overflow": "9223372036854775807 + today > 0",
    "a text as a condition": "'true'",
    "types that do not compare": "kind > 1",
    "a value that is never there": "values.nothing == 'x'",
    "recursion": "(" * 500 + "true" + ")" * 500,
    "a huge expression": " && ".join(["true"] * 2000),
    "an unknown name": "documents.size() > 0",
    "an unknown function": "open('/etc/passwd') == ''",
    "no CEL": "kind ==",
}  # fmt: skip


class TestHostile:
    @pytest.mark.parametrize("expression", HOSTILE.values(), ids=HOSTILE.keys())
    def test_is_refused_by_line(self, expression: str) -> None:
        text = SOUND.replace(
            CHECK, f"    check: {expression!r}" if "'" not in expression else f'    check: "{expression}"'
        )
        with ends():
            found = problems_of(text)

        assert {line for line, _ in found} == {CHECK_LINE}

    def test_an_expression_to_show_is_looked_at_too(self) -> None:
        found = problems_of(SOUND.replace("    passed:", "    show: {sum: 1 / 0}\n    passed:", 1))

        assert "`show.sum`" in found[0][1]
        assert "divide by zero" in found[0][1]

    @pytest.mark.parametrize(
        "text",
        [
            SOUND + "# " + "x" * 1_000_000,
            SOUND.replace("ISO 13616", "'" + "x" * 1_000_000 + "'"),
            "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n",
            "[" * 10_000 + "]" * 10_000,
            "- " * 20_000,
            "a: " + "{b: " * 500 + "1" + "}" * 500,
            SOUND + "---\n" + SOUND,
            "\x00", "\ud800", "", "null", "[]", "42",
        ],
    )  # fmt: skip
    def test_a_file_that_is_a_bomb_or_nothing_is_refused(self, text: str) -> None:
        with ends(), pytest.raises(RuleSetInvalid) as refused:
            publish(text)

        assert refused.value.details["problems"][0]["line"] >= 1
        assert len(refused.value.message) < 20_000

    def test_a_hundred_rules_are_enough(self) -> None:
        rule = SOUND[SOUND.index("  - id:") : SOUND.index("tests:")]
        many = "".join(rule.replace("iban_right", f"rule_{number}") for number in range(101))

        assert "at most 100" in problems_of(SOUND.replace(rule, many))[0][1]
