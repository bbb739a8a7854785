"""Goal: a definition means one thing, however often it is interrupted. Method: a port that answers from a script."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecosystem.kernel.errors import DeadlineExceeded, Failure, Kind, Severity, Unavailable, describe
from ecosystem.services.orchestrator.adapters import shipped
from ecosystem.workflow.errors import Fault, fault_of
from ecosystem.workflow.evaluate import Run, evaluate
from ecosystem.workflow.parse import parse
from ecosystem.workflow.port import Step
from tests.workflow.support import ASK, HEAD, Killed, MemoryPort

INGESTION = shipped()[0]
RUN = Run("0", {"document_id": "d", "rule_set": "r"}, "2026-11-24T04:00:00+00:00")
ANSWER = {
    "validated": True, "errors": [], "kind": "invoice", "outcome": "review", "compliance_score": None,
    "rule_set": "r", "rule_set_version": 1, "page_batches": [[1, 2], [3]],
}  # fmt: skip
PERMANENT = Failure("refused", "It was refused.", Kind.PERMANENT, Severity.LOW, "", 422)


async def run(body: str, script: Any = None, value: Any = None) -> Any:
    definition, begun = parse(HEAD + body), Run("0", {} if value is None else value, "now")
    port = MemoryPort(script or (lambda step: step.arguments), run=(definition, begun))
    return await evaluate(definition, begun, port)


class TestFlow:
    async def test_data_goes_from_task_to_task(self) -> None:
        output = await run("""
do:
- first: {set: {n: 1}, export: {as: {seen: '${ output.n }'}}}
- second: {input: {from: {m: '${ input.n + 1 }'}}, set: {m: '${ input.m }', seen: '${ context.seen }'}}
- third: {set: '${ input }', output: {as: {m: '${ output.m }', seen: '${ input.seen }', id: '${ workflow.id }'}}}
""")

        assert output == {"m": 2, "seen": 1, "id": "0"}

    async def test_switch_takes_the_first_true_case_else_the_default(self) -> None:
        body = """
do:
- choose: {switch: [big: {when: '${ input.n > 9 }', then: big}, small: {then: small}]}
- big: {set: {size: big}, then: end}
- small: {set: {size: small}}
"""
        assert [await run(body, value={"n": n}) for n in (10, 9)] == [{"size": "big"}, {"size": "small"}]

    async def test_exit_leaves_the_list_and_end_the_workflow(self) -> None:
        body = """
do:
- inner: {do: [a: {set: {at: a}, then: %s}, b: {set: {at: b}}]}
- after: {set: {at: after, from: '${ input.at }'}}
"""
        assert await run(body % "exit") == {"at": "after", "from": "a"}
        assert await run(body % "end") == {"at": "a"}

    async def test_a_condition_that_is_false_skips(self) -> None:
        assert await run("do: [a: {set: {n: 1}}, b: {if: '${ input.n > 1 }', set: {n: 2}}]") == {"n": 1}

    async def test_loops_get_names_of_their_own(self) -> None:
        asked: list[str] = []

        def script(step: Step) -> dict[str, Any]:
            asked.append(step.identity)
            return {"n": len(asked)}

        await run(f"do: [a: {{{ASK}}}, b: {{switch: [more: {{when: '${{ input.n < 3 }}', then: a}}]}}]", script)

        assert asked == ["/do/0/a", "/do/0/a#2", "/do/0/a#3"]

    async def test_each_item_gets_a_pass_that_sees_it_and_nothing_of_the_others(self) -> None:
        asked: list[str] = []

        def script(step: Step) -> dict[str, Any]:
            asked.append(step.identity)
            return dict(step.arguments)

        output = await run(f"""
do:
- start: {{set: {{all: [a, b]}}, export: {{as: {{seen: none}}}}}}
- loop:
    for: {{each: letter, in: '${{ input.all }}', at: place}}
    do:
    - note: {{set: '${{ input }}', export: {{as: {{seen: '${{ letter }}'}}}}}}
    - ask: {{{ASK.replace("${ input }", "${ [letter, string(place), context.seen] }")}}}
- after: {{set: {{n: '${{ input }}', seen: '${{ context.seen }}'}}}}
""", script)  # fmt: skip

        assert output == {"n": [{"n": ["a", "0", "a"]}, {"n": ["b", "1", "b"]}], "seen": "none"}
        assert asked == ["/do/1/loop/for/1/do/1/ask", "/do/1/loop/for/2/do/1/ask"]

    async def test_nothing_to_go_through_is_no_loop(self) -> None:
        definition, begun = parse(HEAD + "do: [a: {for: {in: '${ [] }'}, do: [b: {set: {}}]}]"), Run("0", {}, "now")
        port = MemoryPort(lambda _: None)

        assert await evaluate(definition, begun, port) == []
        assert port.looped == []

    async def test_branches_keep_their_exports_and_join_in_order(self) -> None:
        output = await run("""
do:
- start: {set: {}, export: {as: {n: 0}}}
- both: {fork: {branches: [a: {set: {n: 1}, export: {as: {n: 1}}}, b: {set: {seen: '${ context.n }'}}]}}
- after: {set: {parts: '${ input }', seen: '${ context.n }'}}
""")

        assert output == {"parts": [{"n": 1}, {"seen": 0}], "seen": 0}


class TestErrors:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ("do: [a: {set: {n: '${ input.absent }'}}]", "expression_failed"),
            ("do: [a: {if: '${ 1 }', set: {}}]", "expression_failed"),
            ("do: [a: {set: {n: '${ [1,2,3,4,5,6,7,8,9].map(a, [1,2,3,4,5,6,7,8,9].map(b, [1,2,3,4,5,6,7,8,9].map(c, "
             "[1,2,3,4,5,6,7,8,9].map(d, [1,2,3,4,5,6,7,8,9].map(e, a))))) }'}}]", "expression_failed"),
            ("do: [a: {set: {n: \"${ timestamp('2026-01-01T00:00:00Z') }\"}}]", "expression_failed"),
            ("do: [a: {set: '${ [input, input] }', then: a}]", "value_too_large"),
            ("do: [a: {set: {}, then: a}]", "run_too_long"),
            ("do: [a: {for: {in: '${ input }'}, do: [b: {set: {}}]}]", "expression_failed"),
            (f"do: [a: {{for: {{in: '${{ [{'1,' * 500}1] }}'}}, do: [b: {{set: {{}}}}]}}]", "too_many_passes"),
            ("do: [a: {raise: {error: {type: 'urn:ecosystem:error:so_it_is', status: 409}}}]", "so_it_is"),
            ("do: [a: {call: agent, with: {agent: a, task: b, input: '${ 1 }'}}]", "expression_failed"),
        ],
    )  # fmt: skip
    async def test_hostile_and_wrong_expressions_end_as_faults(self, body: str, code: str) -> None:
        with pytest.raises(Fault) as raised:
            await run(body)

        found = raised.value.error.code
        assert found == code or (code == "expression_failed" and found == "not_json")
        assert raised.value.error.instance.startswith("/do/0/a")

    async def test_catch_takes_what_it_names_and_lets_the_rest_through(self) -> None:
        body = (
            f"do: [a: {{try: [b: {{{ASK}}}], catch: {{errors: {{with: {{status: 422}}}}, as: e, "
            "do: [c: {set: {code: '${ e.code }'}}]}}]"
        )

        def failing(failure: Failure) -> Any:
            return lambda step: fault_of(failure, step.path)

        assert await run(body, failing(PERMANENT)) == {"code": "refused"}
        with pytest.raises(Fault, match="unavailable"):
            await run(body, failing(describe(Unavailable())))

    @pytest.mark.parametrize(
        ("backoff", "waits"), [("constant", [2, 2, 2]), ("linear", [2, 4, 6]), ("exponential", [2, 4, 8])]
    )
    async def test_backoff_grows_as_it_says_and_ends(self, backoff: str, waits: list[float]) -> None:
        port = MemoryPort(lambda step: fault_of(describe(Unavailable()), step.path))
        text = f"""
do:
- a:
    try: [b: {{{ASK}}}]
    catch:
      retry:
        delay: PT2S
        backoff: {{{backoff}: {{}}}}
        jitter: {{from: PT0S, to: PT1S}}
        limit: {{attempt: {{count: 4}}}}
"""
        with pytest.raises(Fault, match="unavailable"):
            await evaluate(parse(HEAD + text), Run("0", {}, "now"), port)

        assert [wait[1:] for wait in port.waited] == [(seconds, seconds + 1) for seconds in waits]
        assert [(step.key, step.identity, step.attempt) for step in port.asked] == [
            (f"/do/0/a/try{again}/0/b", "/do/0/a/try/0/b", n) for n, again in enumerate(("", "@2", "@3", "@4"), 1)
        ]

    async def test_time_out_of_every_attempt_fails_the_document_and_never_approves_it(self) -> None:
        def script(step: Step) -> Any:
            late = step.request_type == "check_compliance"
            return fault_of(describe(DeadlineExceeded()), step.path) if late else ANSWER

        port = MemoryPort(script, run=(INGESTION, RUN))
        with pytest.raises(Fault) as raised:
            await evaluate(INGESTION, RUN, port)

        assert (raised.value.error.code, raised.value.error.type.rsplit("/", 1)[-1]) == ("timeout", "timeout")
        assert raised.value.error.instance == "/do/0/ingest/try/5/check/try/0/check"
        assert [step.request_type for step in port.asked][4:] == ["check_compliance"] * 3 + ["fail_document"]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["ok", "passing", "refused"]), min_size=6, max_size=24), st.lists(st.integers(0, 5)))
async def test_a_run_that_dies_anywhere_goes_the_same_way(fates: list[str], deaths: list[int]) -> None:
    """A run under sudden deaths asks the same questions and comes to the same end as one that never dies."""

    def script(step: Step) -> Any:
        fate = fates[hash_of(step.key) % len(fates)]
        if fate == "ok":
            return copy.deepcopy(ANSWER)
        return fault_of(PERMANENT if fate == "refused" else describe(Unavailable()), step.path)

    undisturbed = MemoryPort(script, run=(INGESTION, RUN))
    wanted = await end_of(undisturbed)
    kept: dict[str, Any] = {}
    asked: list[str] = []
    for effects in [*deaths, None]:
        port = MemoryPort(script, kept, effects, run=(INGESTION, RUN))
        try:
            end = await end_of(port)
        except Killed:
            end = None
        asked += [step.key for step in port.asked]
        if end is not None:
            assert end == wanted
            break
    assert list(dict.fromkeys(asked)) == [step.key for step in undisturbed.asked]


async def end_of(port: MemoryPort) -> Any:
    try:
        return await evaluate(INGESTION, RUN, port)
    except Fault as fault:
        return fault.error


def hash_of(text: str) -> int:
    return sum(map(ord, text))
