"""What all parsing functions share: broken rules are collected, so that one look shows all of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ecosystem.workflow.document import Node, pointer
from ecosystem.workflow.errors import Refusal
from ecosystem.workflow.expressions import (
    DEPTH_MAX,
    NAMES,
    Expression,
    ExpressionRefused,
    Template,
    compile_text,
    is_expression,
)
from ecosystem.workflow.model import ErrorTemplate, Retry
from ecosystem.workflow.words import DSL, PARTS, seconds_of

REFUSALS_MAX = 50


class Reader:
    """`retries`, `errors` and `timeouts` are those of `use`, by name; `names` are visible in expressions.

    `inside` are the `for` and `fork` around what is read.
    """

    def __init__(self) -> None:
        self.refusals: list[Refusal] = []
        self.retries: Mapping[str, Retry] = {}
        self.errors: Mapping[str, ErrorTemplate] = {}
        self.timeouts: Mapping[str, float] = {}
        self.names: tuple[str, ...] = NAMES
        self.inside: tuple[str, ...] = ()

    @contextmanager
    def within(self, block: str, *names: str) -> Iterator[None]:
        """Read what stands in a `for` or a `fork`, where `names` are visible too."""
        before = self.inside, self.names
        self.inside, self.names = (*self.inside, block), (*self.names, *names)
        yield
        self.inside, self.names = before

    def refuse(self, rule: str, node: Node, message: str, key: str | None = None) -> None:
        if len(self.refusals) < REFUSALS_MAX:
            path, line = (node.path, node.line) if key is None else (pointer(node.path, key), node.line_of(key))
            self.refusals.append(Refusal(rule, path, line, message))

    def members(self, node: Node, part: str, *needed: str, also: tuple[str, ...] = ()) -> dict[str, Node]:
        """The members of a mapping that `part` may hold; every other one is refused by name."""
        if not node.is_mapping:
            self.refuse("not_a_mapping", node, f"`{part}` is a mapping.")
            return {}
        allowed = (*PARTS[part], *also)
        for key in node.value:
            if key in allowed:
                continue
            if key in DSL.get(part, ()):
                self.refuse("not_supported", node, f"`{key}` of `{part}` is DSL 1.0, and does not run here.", key)
            else:
                known = ", ".join(allowed)
                self.refuse("unknown_word", node, f"`{key}` is no word of `{part}`; there are {known}.", key)
        for key in needed:
            if key not in node.value:
                self.refuse("missing", node, f"`{part}` needs `{key}`.")
        return {key: child for key, child in node.value.items() if key in allowed}

    def text(self, node: Node | None, what: str, *, length_max: int = 500) -> str:
        """A constant text, or "" after a refusal."""
        if node is None:
            return ""
        if not node.is_text or not 0 < len(node.value) <= length_max or not node.value.isprintable():
            self.refuse("not_a_text", node, f"{what} is a text of 1 to {length_max} printable characters.")
            return ""
        if "${" in node.value:
            self.refuse("not_constant", node, f"{what} is constant, so that it can be checked before any run.")
            return ""
        return str(node.value)

    def expression(self, node: Node | None) -> Expression | None:
        """A condition: an expression, with or without `${ }`; a constant true or false is one too."""
        if node is None:
            return None
        value = node.value
        text = ("true" if value else "false") if isinstance(value, bool) else value
        if not isinstance(text, str):
            self.refuse("not_an_expression", node, "A condition is an expression `${ … }`.")
            return None
        return self._compile(text, node, self.names)

    def template(self, node: Node, names: tuple[str, ...] | None = None, depth: int = 0) -> Template:
        """A value with expressions in it; a text is either an expression or holds none."""
        if depth > DEPTH_MAX:
            self.refuse("nested_too_deep", node, f"A template nests at most {DEPTH_MAX} deep.")
            return None
        if node.is_mapping:
            return {key: self.template(child, names, depth + 1) for key, child in node.value.items()}
        if node.is_list:
            return [self.template(child, names, depth + 1) for child in node.value]
        if not node.is_text or "${" not in node.value:
            value: Template = node.value
            return value
        if not is_expression(node.value) or node.value.count("${") > 1:
            self.refuse("expression_not_alone", node, "An expression is the whole text: `${ … }`, nothing around it.")
            return None
        return self._compile(node.value, node, self.names if names is None else names)

    def _compile(self, text: str, node: Node, names: tuple[str, ...]) -> Expression | None:
        try:
            return compile_text(text, names, node.path)
        except ExpressionRefused as error:
            self.refuse("expression_refused", node, f"The expression does not compile: {error}.")
            return None

    def duration(self, node: Node, *, least: float, most: float, what: str) -> float:
        """Seconds within their range, or `most` after a refusal."""
        seconds = seconds_of(node)
        if seconds is None:
            self.refuse("not_a_duration", node, f"{what} is a duration: `PT5S`, or a mapping such as `seconds: 5`.")
            return most
        if not least <= seconds <= most:
            self.refuse("out_of_range", node, f"{what} is {least:g} to {most:g} seconds.")
            return most
        return seconds

    def timeout(self, node: Node, *, most: float) -> float:
        """A timeout, written out or named in `use.timeouts`, in seconds."""
        if node.is_text:
            known = self.timeouts.get(node.value)
            if known is None:
                self.refuse("unknown_reference", node, f"`use.timeouts` has no {node.value!r}.")
                return most
            if known > most:
                self.refuse("out_of_range", node, f"The timeout here is at most {most:g} seconds.")
            return min(known, most)
        after = self.members(node, "timeout", "after").get("after")
        return most if after is None else self.duration(after, least=0.001, most=most, what="`after`")

    def count(self, node: Node, what: str, *, least: int, most: int) -> int:
        value: Any = node.value
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.refuse("out_of_range", node, f"{what} is a whole number from {least} to {most}.")
            return least
        return value
