"""The text of a definition becomes a `Definition`, or is refused with every broken rule, its path and line."""

import hashlib
import re
from typing import Any

from ecosystem.workflow.document import Node, read
from ecosystem.workflow.errors import DefinitionRefused
from ecosystem.workflow.model import Definition, walk
from ecosystem.workflow.parts import error_template, retry_policy
from ecosystem.workflow.reader import Reader
from ecosystem.workflow.schema import FORMATS, TEXT_LENGTH_MAX, TYPES, Property, Schema
from ecosystem.workflow.tasks import task_list

DSL_VERSIONS = ("1.0.0", "1.0.1", "1.0.2", "1.0.3")
TASKS_MAX = 200
RUN_SECONDS_MAX = 30 * 86400.0
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_VERSION = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


def parse(text: str, source: str = "definition") -> Definition:
    """Raises DefinitionRefused with all refusals, in the order of the text; `source` is how it is called there."""
    root = read(text, source)
    reader = Reader()
    definition = _definition(reader, root, text)
    if definition is None or reader.refusals:
        raise DefinitionRefused(source, sorted(reader.refusals, key=lambda refusal: (refusal.line, refusal.path)))
    return definition


def _definition(reader: Reader, root: Node, text: str) -> Definition | None:
    members = reader.members(root, "definition", "document", "do")
    if "document" not in members or "do" not in members:
        return None
    about = _about(reader, members["document"])
    _language(reader, root, members.get("evaluate"))
    _use(reader, members.get("use"))
    schema, input_from = _input(reader, members.get("input"))
    output = reader.members(members["output"], "output").get("as") if "output" in members else None
    timeout = members.get("timeout")
    seconds = reader.timeout(timeout, most=RUN_SECONDS_MAX) if timeout else None
    tasks = task_list(reader, members["do"])
    if len(walk(tasks)) > TASKS_MAX:
        reader.refuse("too_many_tasks", members["do"], f"A definition has at most {TASKS_MAX} tasks.")
    return Definition(
        namespace=about["namespace"], name=about["name"], version=about["version"], title=about["title"],
        summary=about["summary"], text=text, digest=digest_of(text), tasks=tasks, schema=schema,
        input_from=input_from, output_as=reader.template(output) if output else None, timeout_seconds=seconds,
    )  # fmt: skip


def digest_of(text: str) -> str:
    """What a run keeps to prove which text it ran: SHA-256, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _about(reader: Reader, node: Node) -> dict[str, str]:
    members = reader.members(node, "document", "dsl", "namespace", "name", "version")
    about = {key: reader.text(members.get(key), f"`{key}`") for key in ("dsl", "namespace", "name", "version")}
    about |= {
        key: reader.text(members.get(key), f"`{key}`", length_max=2000) if key in members else ""
        for key in ("title", "summary")
    }
    if about["dsl"] and about["dsl"] not in DSL_VERSIONS:
        reader.refuse("dsl_version", members["dsl"], f"`dsl` is one of {', '.join(DSL_VERSIONS)}.")
    for key in ("namespace", "name"):
        if about[key] and not _LABEL.fullmatch(about[key]):
            reader.refuse(
                "not_a_label", members[key], f"`{key}` is lower-case letters, digits and hyphens, at most 63."
            )
    if about["version"] and not _VERSION.fullmatch(about["version"]):
        reader.refuse("not_a_version", members["version"], "`version` is three numbers: major.minor.patch.")
    return about


def _language(reader: Reader, root: Node, node: Node | None) -> None:
    """The DSL's default is jq; leaving `evaluate` out would mean another language than the one that runs."""
    members = reader.members(node, "evaluate", "language") if node else {}
    language = members.get("language")
    if node is None or (language is not None and language.value != "cel"):
        reader.refuse(
            "language_not_supported", language or node or root,
            "Expressions are CEL here: say `evaluate: {language: cel}` (docs/adr/0071-expressions-in-cel.md).",
        )  # fmt: skip
    mode = members.get("mode")
    if mode is not None and mode.value != "strict":
        reader.refuse("not_supported", mode, "`mode` is `strict`: expressions stand in `${ }`.")


def _use(reader: Reader, node: Node | None) -> None:
    members = reader.members(node, "use") if node else {}

    def entries(key: str) -> dict[str, Node]:
        group = members.get(key)
        if group is None:
            return {}
        if not group.is_mapping:
            reader.refuse("not_a_mapping", group, f"`{key}` is a mapping of names.")
            return {}
        return dict(group.value)

    timeouts: dict[str, float] = {}
    for name, child in entries("timeouts").items():
        if child.is_mapping:
            timeouts[name] = reader.timeout(child, most=RUN_SECONDS_MAX)
        else:
            reader.refuse("not_a_mapping", child, "`timeout` is a mapping.")
    reader.timeouts = timeouts
    reader.errors = {name: error_template(reader, child) for name, child in entries("errors").items()}
    visible, reader.names = reader.names, (*reader.names, "error")
    reader.retries = {name: retry_policy(reader, child) for name, child in entries("retries").items()}
    reader.names = visible


def _input(reader: Reader, node: Node | None) -> tuple[Schema, Any]:
    if node is None:
        return Schema(), None
    members = reader.members(node, "workflow input")
    schema = _schema(reader, members["schema"]) if "schema" in members else Schema()
    return schema, reader.template(members["from"]) if "from" in members else None


def _schema(reader: Reader, node: Node) -> Schema:
    members = reader.members(node, "schema", "document")
    kind = members.get("format")
    if kind is not None and kind.value != "json":
        reader.refuse("not_supported", kind, "`format` of a schema is `json`.")
    if "document" not in members:
        return Schema()
    document = reader.members(members["document"], "schema document", "type")
    if "type" in document and document["type"].value != "object":
        reader.refuse("not_supported", document["type"], "The input of a run is an object.")
    also = document.get("additionalProperties")
    if also is not None and also.value is not False:
        reader.refuse("not_supported", also, "`additionalProperties` is false: unknown fields are refused.")
    properties = document.get("properties")
    rules: dict[str, Property] = {}
    if properties is not None and properties.is_mapping:
        for name, child in properties.value.items():
            if not _FIELD.fullmatch(name):
                reader.refuse("not_a_field", child, "A field is letters, digits and underscores, at most 63.")
            rules[name] = _property(reader, child)
    elif properties is not None:
        reader.refuse("not_a_mapping", properties, "`properties` is a mapping.")
    return Schema(rules, _required(reader, document.get("required"), rules))


def _required(reader: Reader, node: Node | None, rules: dict[str, Property]) -> tuple[str, ...]:
    if node is None:
        return ()
    if not node.is_list or not all(item.is_text and item.value in rules for item in node.value):
        reader.refuse("unknown_reference", node, "`required` is a list of names of `properties`.")
        return ()
    return tuple(item.value for item in node.value)


def _property(reader: Reader, node: Node) -> Property:
    members = reader.members(node, "property", "type")
    kind, wanted, length, choices = (members.get(key) for key in ("type", "format", "maxLength", "enum"))
    if kind is not None and kind.value not in TYPES:
        reader.refuse("not_supported", kind, f"`type` of a field is one of {', '.join(TYPES)}.")
        kind = None
    if wanted is not None and wanted.value not in FORMATS:
        reader.refuse("not_supported", wanted, f"`format` is one of {', '.join(FORMATS)}.")
        wanted = None
    if choices is not None and not (choices.is_list and choices.value and all(_flat(one) for one in choices.value)):
        reader.refuse("not_supported", choices, "`enum` is a list of texts or numbers.")
        choices = None
    length_max = reader.count(length, "`maxLength`", least=1, most=TEXT_LENGTH_MAX) if length else TEXT_LENGTH_MAX
    return Property(
        kind.value if kind else "string", wanted.value if wanted else None, length_max,
        tuple(one.value for one in choices.value) if choices else (),
    )  # fmt: skip


def _flat(node: Node) -> bool:
    return not node.is_list and not node.is_mapping and node.value is not None
