"""The part of JSON Schema 2020-12 that a run's input needs: an object of flat, bounded ids and choices.

Texts without a bound are cut off at `TEXT_LENGTH_MAX`, because run parameters carry ids, never contents.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool,
}  # fmt: skip
FORMATS = ("uuid", "date", "name")
TEXT_LENGTH_MAX = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Property:
    """`format` `name` is ours: letters, digits, `_`, `.` and `-`."""

    type: str
    format: str | None = None
    length_max: int = TEXT_LENGTH_MAX
    choices: tuple[Any, ...] = ()

    def problem(self, value: Any) -> str | None:
        """The rule that `value` breaks, never the value itself."""
        kind = TYPES[self.type]
        if not isinstance(value, kind) or (isinstance(value, bool) and self.type != "boolean"):
            return f"is not of type {self.type}"
        if self.choices and value not in self.choices:
            return f"is none of {', '.join(map(str, self.choices))}"
        if isinstance(value, str):
            if len(value) > self.length_max:
                return f"has more than {self.length_max} characters"
            if "\0" in value or not _fits(value, self.format):
                return f"is not of format {self.format or 'text'}"
        if isinstance(value, int | float) and not -(2**53) < value < 2**53:
            return "is outside of the numbers that JSON keeps"
        return None

    def as_json(self) -> dict[str, Any]:
        described: dict[str, Any] = {"type": self.type}
        if self.format:
            described["format"] = self.format
        if self.type == "string" and not self.choices:
            described["maxLength"] = self.length_max
        return described | ({"enum": list(self.choices)} if self.choices else {})


@dataclass(frozen=True)
class Schema:
    """The default takes the empty object only."""

    properties: Mapping[str, Property] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def problems(self, value: Any) -> list[str]:
        """Every broken rule of an input, by field."""
        if not isinstance(value, dict):
            return ["the input is not an object"]
        found = [f"{name} is missing" for name in self.required if name not in value]
        # A name that nobody declared may be anything, also about a person: it is counted, not told.
        unknown = sum(name not in self.properties for name in value)
        if unknown:
            found.append(f"{unknown} unknown field(s); known are {', '.join(sorted(self.properties)) or 'none'}")
        for name, rule in self.properties.items():
            if name in value and (problem := rule.problem(value[name])):
                found.append(f"{name} {problem}")
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "type": "object", "additionalProperties": False, "required": list(self.required),
            "properties": {name: rule.as_json() for name, rule in self.properties.items()},
        }  # fmt: skip


def _fits(value: str, wanted: str | None) -> bool:
    try:
        if wanted == "uuid":
            return str(UUID(value)) == value
        if wanted == "date":
            return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
    return wanted != "name" or _NAME.fullmatch(value) is not None
