"""Goal: a user's expression is a value or a clear error, in bounded time. Method: real CEL, good, odd and hostile."""

from typing import Any

import pytest

from ecosystem.kernel.expressions import cel
from tests.support.poll import ends

ENDLESS = "a.all(p, a.all(q, a.all(r, a.all(s, a.all(t, p + q + r + s + t >= 0)))))"


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("a + 1", {"a": 3}, 4),
        ("a.b == 'x'", {"a": {"b": "x"}}, True),
        ("[1, 2].map(x, x * a)", {"a": 2}, [2, 4]),
        ("has(a.b) ? a.b : 'none'", {"a": {}}, "none"),
        ("a.all(n, n in ['x', 'y'])", {"a": ["x", "y"]}, True),
        ("size('é')", {}, 1),
        ("null", {}, None),
    ],
)  # fmt: skip
def test_an_expression_has_its_value(text: str, values: dict[str, Any], expected: object) -> None:
    bound = cel.Bound(values)
    for given in (values, bound, bound):
        assert cel.compile(text, values).evaluate(given) == expected


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.c == 1", {"a": {}}),
        ("a / 0 == 1", {"a": 1}),
        ("a < 'x'", {"a": 1}),
        ("a == 1", {"a": 2**70}),
        ("a == 1", {"a": object()}),
        ("a + 1", {}),
    ],
)  # fmt: skip
def test_an_error_is_raised_and_never_a_truthy_value(text: str, values: dict[str, Any]) -> None:
    with pytest.raises(cel.ExpressionFailed):
        cel.compile(text, ["a"]).truth(values)
    with pytest.raises(cel.ExpressionFailed):
        cel.compile(text, ["a"]).truth(cel.Bound(values))


@pytest.mark.parametrize("text", ["1", "'true'", "[true]", "null"])
def test_only_a_condition_has_a_truth(text: str) -> None:
    with pytest.raises(cel.ExpressionFailed):
        cel.compile(text, []).truth({})


@pytest.mark.parametrize("text", ["a +", "foo(1)", "b", "1 +" * 2000 + "1", "[1].all(x, " * 40 + "true" + ")" * 40, ""])
def test_what_is_no_expression_is_refused_when_compiled(text: str) -> None:
    with pytest.raises(cel.ExpressionInvalid):
        cel.compile(text, ["a"])


def test_an_expression_that_would_go_on_for_too_long_is_broken_off() -> None:
    with pytest.raises(cel.ExpressionFailed, match="Iteration budget exceeded"):
        cel.compile(ENDLESS, ["a"]).truth({"a": list(range(20))})


def test_values_that_are_bound_outlive_an_expression_that_was_broken_off() -> None:
    bound, values = cel.Bound({"a": list(range(20)), "b": 1}), ["a", "b"]
    for _ in range(3):
        with pytest.raises(cel.ExpressionFailed):
            cel.compile(ENDLESS, values).truth(bound)
        assert cel.compile("b == 1 && a.all(x, x < 20)", values).truth(bound)


def test_a_pattern_that_would_go_back_and_forth_is_answered() -> None:
    with ends():
        assert not cel.compile("s.matches('(x+x+)+y')", ["s"]).truth({"s": "x" * 50_000})
