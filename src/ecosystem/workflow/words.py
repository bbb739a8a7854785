"""The vocabulary of DSL 1.0, and which part of it runs here: what is refused is refused by name."""

import re

from ecosystem.workflow.document import Node

RUNS = ("do", "for", "fork", "call", "switch", "set", "try", "raise")
TASKS = (*RUNS, "emit", "listen", "run", "wait")
COMMON = ("if", "input", "output", "export", "timeout", "then", "metadata")
PARTS: dict[str, tuple[str, ...]] = {
    "definition": ("document", "evaluate", "input", "output", "use", "timeout", "do"),
    "document": ("dsl", "namespace", "name", "version", "title", "summary"),
    "evaluate": ("language", "mode"),
    "use": ("retries", "errors", "timeouts"),
    "workflow input": ("schema", "from"),
    "input": ("from",), "output": ("as",), "export": ("as",),
    "schema": ("format", "document"),
    "schema document": ("type", "properties", "required", "additionalProperties", "title", "description"),
    "property": ("type", "format", "maxLength", "enum", "title", "description"),
    "call": ("agent", "task", "input"),
    "fork": ("branches", "compete"),
    "for": ("each", "in", "at"),
    "case": ("when", "then"),
    "raise": ("error",),
    "error": ("type", "status", "title", "detail", "instance"),
    "catch": ("errors", "as", "when", "exceptWhen", "retry", "do"),
    "catch errors": ("with",),
    "error filter": ("type", "status", "title", "detail", "instance"),
    "retry": ("when", "exceptWhen", "delay", "backoff", "limit", "jitter"),
    "backoff": ("constant", "linear", "exponential"),
    "limit": ("attempt",), "attempt limit": ("count",),
    "jitter": ("from", "to"),
    "timeout": ("after",),
}  # fmt: skip
"""The words that each part may hold here."""

DSL: dict[str, tuple[str, ...]] = {
    "definition": ("schedule",),
    "document": ("tags", "metadata"),
    "use": ("authentications", "extensions", "functions", "secrets", "catalogs"),
    "input": ("schema",), "output": ("schema",), "export": ("schema",),
    "schema": ("resource",),
    "limit": ("duration",), "attempt limit": ("duration",),
}  # fmt: skip
"""Further words of DSL 1.0 that do not run here."""

_DURATION = re.compile(
    r"P(?!$)(?:(?P<days>\d{1,4})D)?(?:T(?!$)(?:(?P<hours>\d{1,4})H)?(?:(?P<minutes>\d{1,6})M)?"
    r"(?:(?P<seconds>\d{1,8}(?:\.\d{1,3})?)S)?)?"
)
_UNITS = {"days": 86400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0, "milliseconds": 0.001}


def seconds_of(node: Node) -> float | None:
    """A duration of the DSL (ISO 8601 text, or a mapping of units) in seconds; None where it is none."""
    if node.is_text:
        match = _DURATION.fullmatch(node.value)
        if match is None:
            return None
        return sum(float(amount) * _UNITS[unit] for unit, amount in match.groupdict().items() if amount)
    if not node.is_mapping or not node.value or not set(node.value) <= set(_UNITS):
        return None
    total = 0.0
    for unit, amount in node.value.items():
        if isinstance(amount.value, bool) or not isinstance(amount.value, int | float) or amount.value < 0:
            return None
        total += amount.value * _UNITS[unit]
    return total
