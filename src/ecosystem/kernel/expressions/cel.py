"""CEL behind one small module (`cel-expr-python`, Google's cel-cpp).

It bounds itself: an iteration budget, a recursion limit, regular expressions without backtracking. Its run-time
errors come back as values that are truthy; here they are raised, and `truth()` is true for nothing but `true`.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from ecosystem.kernel.errors import EcosystemError, Kind, Severity

TEXT_CHARACTERS_MAX = 4096


class ExpressionInvalid(EcosystemError):
    code, status, kind, severity = "expression_invalid", 422, Kind.PERMANENT, Severity.LOW
    rule = "An expression is CEL over the variables that its place offers."
    suggestion = "Correct the expression; the message names the position."


class ExpressionFailed(EcosystemError):
    code, status, kind, severity = "expression_failed", 422, Kind.PERMANENT, Severity.LOW
    rule = "An expression has a value for what it is given."
    suggestion = "Guard what may be absent with has(...), and compare values of one type."


class Bound(dict[str, Any]):
    """Values that many expressions are asked of, and that stay as they are: each is converted once, when it is used."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._activations: dict[Any, Any] = {}

    def activation(self, environment: Any) -> Any:
        """The values as expressions of this environment see them."""
        if environment not in self._activations:
            self._activations[environment] = environment.Activation(dict(self))
        return self._activations[environment]


class Program:
    """A compiled expression; safe to keep and to share."""

    def __init__(self, text: str, environment: Any) -> None:
        self.text, self._environment = text, environment
        self._compiled = environment.compile(text)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Its value for `values` (JSON-ready: no dates inside maps, no Decimal; 64-bit integers).

        Raises:
            ExpressionFailed: a run-time error, a bound that was reached, or values that CEL cannot hold.
        """
        try:
            if isinstance(values, Bound):
                result = self._compiled.eval(values.activation(self._environment))
            else:
                result = self._compiled.eval(data=dict(values))
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise ExpressionFailed(_shorten(error), expression=self.text) from None
        if result.type() == cel.Type.ERROR:
            raise ExpressionFailed(_shorten(result.value()), expression=self.text)
        return result.plain_value()

    def truth(self, values: Mapping[str, Any]) -> bool:
        """Whether its value is `true`. Raises ExpressionFailed as `evaluate` does, and for a value that is no bool."""
        value = self.evaluate(values)
        if value is not True and value is not False:
            raise ExpressionFailed("The expression is not a condition.", expression=self.text)
        return value is True


@lru_cache(maxsize=64)
def _environment(variables: tuple[str, ...]) -> Any:
    """Made once for a place: making one takes longer than to compile most expressions."""
    return cel.NewEnv(variables=dict.fromkeys(variables, cel.Type.DYN))


@lru_cache(maxsize=1024)
def _compile(text: str, variables: tuple[str, ...]) -> Program:
    try:
        return Program(text, _environment(variables))
    except (RuntimeError, TypeError, ValueError) as error:
        raise ExpressionInvalid(_shorten(error), expression=text) from None


def compile(text: str, variables: Iterable[str]) -> Program:  # noqa: A001 the word CEL uses
    """Check `text` against the names of `variables`. Raises ExpressionInvalid."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise ExpressionInvalid(f"An expression has at most {TEXT_CHARACTERS_MAX} characters.")
    return _compile(text, tuple(sorted(variables)))


def _shorten(error: object) -> str:
    return " ".join(str(error).split())[:300]
