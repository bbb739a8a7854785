"""Runtime expressions `${ … }` in CEL, alone or inside of a template, compiled when the definition is read.

The names in them: `input` (of the task), `output` (in `output.as` and `export.as`), `context`, `workflow` (`id`,
`input`, `startedAt`), `task` (`name`, `reference`), and in a `catch` the name that it gives to the error.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ecosystem.kernel.expressions import cel
from ecosystem.workflow.document import Node

NAMES = ("input", "output", "context", "workflow", "task")
LENGTH_MAX = 2000
DEPTH_MAX = 30


class ExpressionRefused(Exception):
    """The text does not compile; the message says where."""


@dataclass(frozen=True)
class Expression:
    text: str
    path: str
    program: cel.Program

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Raises cel.ExpressionFailed."""
        return self.program.evaluate(values)

    def truth(self, values: Mapping[str, Any]) -> bool:
        """Whether it is `true`. Raises cel.ExpressionFailed, also for what is no condition."""
        return self.program.truth(values)


Template = Expression | list[Any] | dict[str, Any] | str | int | float | bool | None


def is_expression(text: str) -> bool:
    stripped = text.strip()
    return stripped.startswith("${") and stripped.endswith("}")


def compile_text(text: str, names: Iterable[str], path: str) -> Expression:
    """`text` with or without its `${ }`. Raises ExpressionRefused."""
    inner = text.strip()
    if is_expression(inner):
        inner = inner[2:-1].strip()
    if not inner:
        raise ExpressionRefused("it is empty")
    if len(inner) > LENGTH_MAX:
        raise ExpressionRefused(f"it is longer than {LENGTH_MAX} characters")
    try:
        return Expression(inner, path, cel.compile(inner, tuple(names)))
    except cel.ExpressionInvalid as error:
        raise ExpressionRefused(error.message) from None


def fill(template: Template, values: Mapping[str, Any]) -> Any:
    """`template` with every expression replaced by its value. Raises cel.ExpressionFailed."""
    if isinstance(template, Expression):
        return template.evaluate(values)
    if isinstance(template, dict):
        return {key: fill(value, values) for key, value in template.items()}
    return [fill(value, values) for value in template] if isinstance(template, list) else template


def texts(node: Node) -> list[Node]:
    """Every text of a template, keys left out."""
    if node.is_mapping:
        return [text for child in node.value.values() for text in texts(child)]
    if node.is_list:
        return [text for child in node.value for text in texts(child)]
    return [node] if node.is_text else []
