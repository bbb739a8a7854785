"""Goal: what does not run here is refused by name, path and line. Method: broken definitions; mutations of a good."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecosystem.services.orchestrator.adapters import shipped
from ecosystem.workflow.document import BYTES_MAX, read
from ecosystem.workflow.errors import DefinitionRefused
from ecosystem.workflow.parse import parse
from ecosystem.workflow.words import seconds_of
from tests.workflow.support import ASK, HEAD

GOOD = shipped()[0].text


def refusals(text: str) -> list[tuple[str, str, int]]:
    with pytest.raises(DefinitionRefused) as refused:
        parse(text)
    return [(one.rule, one.path, one.line) for one in refused.value.refusals]


class TestWords:
    @pytest.mark.parametrize("word", ["emit", "listen", "run", "wait"])
    def test_other_tasks_of_the_dsl_are_refused_by_name(self, word: str) -> None:
        with pytest.raises(DefinitionRefused, match=f"`{word}` is a task of DSL 1.0 that does not run here"):
            parse(HEAD + f"do:\n- it:\n    {word}: {{}}\n")

        assert refusals(HEAD + f"do:\n- it:\n    {word}: {{}}\n") == [("not_supported", f"/do/0/it/{word}", 5)]

    @pytest.mark.parametrize("call", ["http", "grpc", "openapi", "asyncapi", "a-function"])
    def test_other_calls_are_refused_by_name(self, call: str) -> None:
        text = HEAD + f"do:\n- it:\n    call: {call}\n    with: {{agent: a, task: b}}\n"
        with pytest.raises(DefinitionRefused, match=f"`call: {call}` does not run here"):
            parse(text)

    @pytest.mark.parametrize(
        ("part", "body", "path"),
        [
            ("schedule", "schedule: {every: PT1H}\ndo: [a: {set: {}}]", "/schedule"),
            ("functions", "use: {functions: {}}\ndo: [a: {set: {}}]", "/use/functions"),
            ("secrets", "use: {secrets: []}\ndo: [a: {set: {}}]", "/use/secrets"),
            ("duration", f"do: [a: {{try: [b: {{{ASK}}}], catch: {{retry: {{limit: {{duration: PT1S, attempt: "
             "{count: 2}}}}}]", "/do/0/a/catch/retry/limit/duration"),
            ("schema", "do: [a: {set: {}, input: {schema: {}, from: {}}}]", "/do/0/a/input/schema"),
        ],
    )  # fmt: skip
    def test_other_parts_of_the_dsl_are_refused_by_name(self, part: str, body: str, path: str) -> None:
        assert ("not_supported", path) in [one[:2] for one in refusals(HEAD + body)], part

    @pytest.mark.parametrize(
        ("rule", "body"),
        [
            ("unknown_word", "do: [a: {set: {}, sett: 1}]"),
            ("unknown_word", "extra: 1\ndo: [a: {set: {}}]"),
            ("missing", "do: [a: {call: agent}]"),
            ("missing", f"do: [a: {{try: [b: {{{ASK}}}]}}]"),
            ("one_of", "do: [a: {set: {}, do: []}]"),
            ("one_of", "do: [a: {}]"),
            ("one_name", "do: [{a: {set: {}}, b: {set: {}}}]"),
            ("not_a_list", "do: {a: {set: {}}}"),
            ("not_a_list", "do: []"),
            ("not_a_mapping", "do: [a: 1]"),
            ("name_refused", "do: [continue: {set: {}}]"),
            ("name_refused", "do: ['a b': {set: {}}]"),
            ("duplicate_name", "do: [a: {set: {}}, a: {set: {}}]"),
            ("unknown_reference", "do: [a: {set: {}, then: nowhere}]"),
            ("unknown_reference", "do: [a: {switch: [b: {then: nowhere}]}]"),
            ("unknown_reference", "do: [a: {raise: {error: unnamed}}]"),
            ("unknown_reference", f"do: [a: {{try: [b: {{{ASK}}}], catch: {{retry: unnamed}}}}]"),
            ("unknown_reference", f"do: [a: {{{ASK}, timeout: unnamed}}]"),
            ("default_not_last", "do: [a: {switch: [b: {then: end}, c: {when: '${ true }', then: end}]}]"),
            ("not_a_duration", f"do: [a: {{{ASK}, timeout: {{after: soon}}}}]"),
            ("out_of_range", f"do: [a: {{{ASK}, timeout: {{after: PT301S}}}}]"),
            ("out_of_range", f"do: [a: {{try: [b: {{{ASK}}}],"
             " catch: {retry: {limit: {attempt: {count: 99}}}}}]"),
            ("not_supported", "do: [a: {set: {}, timeout: {after: PT1S}}]"),
            ("not_supported", "do: [a: {fork: {compete: true, branches: [b: {set: {}}]}}]"),
            ("missing", "do: [a: {for: {each: x}, do: [b: {set: {}}]}]"),
            ("missing", "do: [a: {for: {in: '${ input }'}}]"),
            ("not_a_mapping", "do: [a: {for: each, do: [b: {set: {}}]}]"),
            ("unknown_word", "do: [a: {for: {in: '${ input }', of: x}, do: [b: {set: {}}]}]"),
            ("not_an_expression", "do: [a: {for: {in: [1, 2]}, do: [b: {set: {}}]}]"),
            ("expression_refused", "do: [a: {for: {in: '${ item }'}, do: [b: {set: {}}]}]"),
            ("expression_refused", "do: [a: {for: {in: '${ input }'}, do: [b: 1]}, c: {if: '${ item }', set: {}}]"),
            ("name_refused", "do: [a: {for: {in: '${ input }', each: Item}, do: [b: {set: {}}]}]"),
            ("name_refused", "do: [a: {for: {in: '${ input }', each: input}, do: [b: {set: {}}]}]"),
            ("name_refused", "do: [a: {for: {in: '${ input }', each: x, at: x}, do: [b: {set: {}}]}]"),
            ("not_supported", "do: [a: {for: {in: '${ input }'}, while: '${ true }', do: [b: {set: {}}]}]"),
            ("not_supported", "do: [a: {for: {in: '${ input }'}, do: [b: {set: {}, then: end}]}]"),
            ("not_supported", "do: [a: {for: {in: '${ input }'}, do: [b: {for: {in: '${ item }'}, do: [c: 1]}]}]"),
            ("not_supported", "do: [a: {fork: {branches: [b: {for: {in: '${ input }'}, do: [c: {set: {}}]}]}}]"),
            ("out_of_range", "do: [a: {for: {in: '${ input }'}, metadata: {at_once: 3}, do: [b: {set: {}}]}]"),
            ("one_of", "do: [a: {for: {in: '${ input }'}, do: [b: {set: {}}], set: {}}]"),
            ("not_constant", "do: [a: {call: agent, with: {agent: '${ input.who }', task: t}}]"),
            ("expression_refused", "do: [a: {set: {b: '${ nobody.x }'}}]"),
            ("expression_refused", "do: [a: {set: {b: '${ 1 + }'}}]"),
            ("expression_refused", "do: [a: {set: {b: '${ }'}}]"),
            ("expression_refused", "do: [a: {if: '${ error.code }', set: {}}]"),
            ("expression_not_alone", "do: [a: {set: {b: 'hello ${ input.x }'}}]"),
            ("language_not_supported", "evaluate: {language: jq}\ndo: [a: {set: {}}]"),
        ],
    )  # fmt: skip
    def test_every_broken_rule_has_its_name_and_line(self, rule: str, body: str) -> None:
        text = body if body.startswith("evaluate") else HEAD + body
        text = HEAD.splitlines()[0] + "\n" + body if body.startswith("evaluate") else text
        found = refusals(text)

        assert rule in [one[0] for one in found]
        assert all(line > 0 for *_, line in found)

    def test_leaving_the_language_out_would_mean_jq(self) -> None:
        text = HEAD.splitlines()[0] + "\ndo: [a: {set: {}}]\n"

        assert refusals(text) == [("language_not_supported", "", 1)]

    def test_all_refusals_come_at_once_in_the_order_of_the_text(self) -> None:
        found = refusals(HEAD + "do:\n- a:\n    wait: {}\n- b:\n    call: http\n    with: {agent: x, task: y}\n")

        assert [line for *_, line in found] == [5, 7]

    @pytest.mark.parametrize(
        ("rule", "document"),
        [
            ("dsl_version", "{dsl: 0.9.0, namespace: a, name: a, version: 1.0.0}"),
            ("not_a_label", "{dsl: 1.0.0, namespace: a, name: Under_score, version: 1.0.0}"),
            ("not_a_version", "{dsl: 1.0.0, namespace: a, name: a, version: latest}"),
            ("missing", "{dsl: 1.0.0, namespace: a, name: a}"),
        ],
    )
    def test_about_the_document(self, rule: str, document: str) -> None:
        text = f"document: {document}\nevaluate: {{language: cel}}\ndo: [a: {{set: {{}}}}]\n"

        assert rule in [one[0] for one in refusals(text)]


class TestYaml:
    @pytest.mark.parametrize(
        ("rule", "text"),
        [
            ("no_anchors", "a: &a [1]\nb: *a"),
            ("no_tags", "a: !!python/object/apply:os.system ['true']"),
            ("duplicate_key", "a: 1\na: 2"),
            ("nested_too_deep", "[" * 20_000),
            ("nested_too_deep", "a: " + "{a: " * 60 + "1" + "}" * 60),
            ("one_document", "a: 1\n---\nb: 2"),
            ("definition_empty", "# nothing"),
            ("yaml_malformed", "a: [1"),
            ("yaml_malformed", "a: \x00"),
            ("definition_too_large", "#" * (BYTES_MAX + 1)),
            ("key_not_text", "? [a]\n: 1"),
        ],
    )
    def test_what_could_hurt_is_refused_before_it_is_built(self, rule: str, text: str) -> None:
        assert refusals(text)[0][0] == rule

    def test_words_of_old_yaml_are_texts(self) -> None:
        values = read("a: on\nb: yes\nc: 0777\nd: 1.5\ne: true\nf: ~\ng: 12:30:00").plain()

        assert values == {"a": "on", "b": "yes", "c": 777, "d": 1.5, "e": True, "f": None, "g": "12:30:00"}

    @given(st.text(max_size=300))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        try:
            parse(text)
            accepted = True
        except DefinitionRefused as refused:
            accepted = not refused.refusals
        assert not accepted

    @given(st.data())
    def test_any_mutation_of_a_good_text_is_parsed_or_refused_by_line(self, data: Any) -> None:
        lines = GOOD.splitlines()
        index = data.draw(st.integers(0, len(lines) - 1))
        other = data.draw(st.sampled_from(lines) | st.text(max_size=30))
        lines[index] = data.draw(st.sampled_from([other, lines[index] + other, lines[index].strip(), ""]))
        try:
            fine = bool(parse("\n".join(lines)).tasks)
        except DefinitionRefused as refused:
            fine = all(1 <= one.line <= len(lines) + 1 and one.rule for one in refused.refusals)
        assert fine


class TestDurations:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("PT5S", 5), ("PT1M30S", 90), ("P1DT1H", 90000), ("PT0.25S", 0.25), ("{minutes: 2, seconds: 1}", 121),
            ("P", None), ("PT", None), ("5s", None), ("{seconds: -1}", None), ("{weeks: 1}", None), ("{}", None),
            ("7", None),
        ],
    )  # fmt: skip
    def test_both_forms(self, text: str, seconds: float | None) -> None:
        assert seconds_of(read(text)) == seconds


def test_shipped_definitions_are_files_named_like_their_workflow() -> None:
    folder = Path(__file__).parents[2] / "src/ecosystem/services/orchestrator/definitions"

    assert {definition.workflow for definition in shipped()} == {file.stem for file in folder.glob("*.yaml")}
