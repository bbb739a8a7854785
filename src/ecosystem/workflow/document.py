"""YAML as a tree that knows its lines: JSON's values only, bounded before anything is built.

Scalars follow YAML 1.2's core schema (`on` and `yes` are texts). Anchors, aliases, tags and duplicate keys are
refused: a definition is read by people, and an alias can make a gigabyte of one line.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from ecosystem.workflow.errors import DefinitionRefused, Refusal

BYTES_MAX = 64 * 1024
DEPTH_MAX = 40
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass(frozen=True)
class Node:
    """A value with its place. `value` is a scalar, a `list[Node]` or a `dict[str, Node]`."""

    value: Any
    path: str
    line: int
    key_lines: dict[str, int] = field(default_factory=dict, compare=False)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    @property
    def is_text(self) -> bool:
        return isinstance(self.value, str)

    def line_of(self, key: str) -> int:
        return self.key_lines.get(key, self.line)

    def line_at(self, place: Iterable[str | int]) -> int:
        """The line of the deepest node on the way to `place`: where it is missing, that of what lacks it."""
        node, line = self, self.line
        for step in place:
            if node.is_mapping and step in node.value:
                line, node = node.line_of(str(step)), node.value[step]
            elif node.is_list and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.line
            else:
                break
        return line

    def plain(self) -> Any:
        """The value without places, JSON-ready."""
        if self.is_mapping:
            return {key: node.plain() for key, node in self.value.items()}
        return [node.plain() for node in self.value] if self.is_list else self.value


def pointer(path: str, key: str | int) -> str:
    """`path` and one more reference token (RFC 6901)."""
    return f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}"


def read(text: str, source: str = "definition") -> Node:
    """The root of one YAML document. Raises DefinitionRefused."""
    if len(text.encode("utf-8", "surrogatepass")) > BYTES_MAX:
        raise DefinitionRefused(
            source, [Refusal("definition_too_large", "", 1, f"A definition has at most {BYTES_MAX} bytes.")]
        )
    try:
        # The loader over libyaml is 15 times as fast; both give the same events with the same lines.
        return _Builder(source, yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))).document()
    except UnicodeEncodeError:
        raise DefinitionRefused(source, [Refusal("yaml_malformed", "", 1, "This is no text.")]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "it holds a character that YAML does not allow"
        line = mark.line + 1 if mark is not None else 1
        raise DefinitionRefused(source, [Refusal("yaml_malformed", "", line, f"This is no YAML: {what}.")]) from None


class _Builder:
    """Builds from events, so that depth is known before a recursion begins."""

    def __init__(self, source: str, events: Iterator[Any]) -> None:
        self._source, self._events = source, events

    def document(self) -> Node:
        next(self._events)
        start = next(self._events)
        if not isinstance(start, yaml.DocumentStartEvent):
            self._refuse("definition_empty", "", start, "There is no document.")
        root = self._node(next(self._events), "", 0)
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._refuse("one_document", "", after, "A file holds one document.")
        return root

    def _refuse(self, rule: str, path: str, event: Any, message: str) -> None:
        raise DefinitionRefused(self._source, [Refusal(rule, path, event.start_mark.line + 1, message)])

    def _node(self, event: Any, path: str, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse("no_anchors", path, event, "Anchors and aliases are not allowed.")
        if getattr(event, "tag", None):
            self._refuse("no_tags", path, event, "Tags are not allowed.")
        if depth > DEPTH_MAX:
            self._refuse("nested_too_deep", path, event, f"Nesting ends at {DEPTH_MAX}.")
        line = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            value = event.value if event.style else _scalar(event.value)
            if isinstance(value, float) and value in (float("inf"), float("-inf")):
                self._refuse("number_too_large", path, event, "The number is too large.")
            return Node(value, path, line)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self._sequence(path, depth), path, line)
        return self._mapping(path, depth, line)

    def _sequence(self, path: str, depth: int) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, pointer(path, len(items)), depth + 1))
        return items

    def _mapping(self, path: str, depth: int, line: int) -> Node:
        members: dict[str, Node] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, path, depth + 1)
            if isinstance(key.value, list | dict) or key.value is None:
                self._refuse("key_not_text", path, event, "A key is a text.")
            name = event.value
            if name in members:
                self._refuse("duplicate_key", pointer(path, name), event, f"The key {name!r} is there twice.")
            lines[name] = key.line
            members[name] = self._node(next(self._events), pointer(path, name), depth + 1)
        return Node(members, path, line, lines)


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
