"""Tasks: each kind is read by one function; what they share is read once."""

import re
from collections.abc import Callable
from typing import Any

from ecosystem.workflow.document import Node
from ecosystem.workflow.expressions import NAMES
from ecosystem.workflow.model import (
    CONTINUE,
    END,
    EXIT,
    CallAgent,
    Case,
    Catch,
    Do,
    ErrorTemplate,
    For,
    Fork,
    Raise,
    Retry,
    Set,
    Switch,
    Task,
    Try,
)
from ecosystem.workflow.parts import error_template, retry_policy
from ecosystem.workflow.reader import Reader
from ecosystem.workflow.words import COMMON, RUNS, TASKS

CALL_SECONDS_MAX = 300.0
CALL_SECONDS = 30.0
BRANCHES_MAX = 16
PASSES_AT_ONCE_MAX = 2
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_VARIABLE = re.compile(r"[a-z][A-Za-z0-9]{0,30}")
_DIRECTIVES = (CONTINUE, EXIT, END)
_LOOP_VARIABLES = (("each", "item"), ("at", "index"))


def task_list(reader: Reader, node: Node) -> tuple[Task, ...]:
    """The tasks of a `do`, a `try`, a `catch` or the branches of a `fork`, by unique names."""
    tasks = tuple(_task(reader, name, child) for name, child in _named(reader, node, "A task"))
    known = {task.name for task in tasks}
    for task, item in zip(tasks, node.value if node.is_list else (), strict=False):
        targets = [task.then, *(case.then for case in task.cases)] if isinstance(task, Switch) else [task.then]
        for target in targets:
            if target not in known and target not in _DIRECTIVES:
                reader.refuse("unknown_reference", item, f"`then: {target}` names no task of this list.")
            if target == END and "for" in reader.inside:
                reader.refuse("not_supported", item, "A pass of a `for` ends itself by `exit`, not the workflow.")
    return tasks


def _named(reader: Reader, node: Node, what: str) -> list[tuple[str, Node]]:
    if not node.is_list or not node.value:
        reader.refuse("not_a_list", node, "Tasks and cases are a list of `- name: …`, with at least one.")
        return []
    found: list[tuple[str, Node]] = []
    for item in node.value:
        if not item.is_mapping or len(item.value) != 1:
            reader.refuse("one_name", item, f"{what} is `- name: …`, one name an entry.")
            continue
        ((name, child),) = item.value.items()
        if not _NAME.fullmatch(name) or name in _DIRECTIVES:
            reader.refuse("name_refused", child, f"{what}'s name is letters, digits, `_`, `-`, and no directive.")
        elif any(name == other for other, _ in found):
            reader.refuse("duplicate_name", child, f"The name {name!r} is there twice in one list.")
        found.append((name, child))
    return found


def _task(reader: Reader, name: str, node: Node) -> Task:
    if not node.is_mapping:
        reader.refuse("not_a_mapping", node, "A task is a mapping.")
        return Set(name=name, path=node.path, line=node.line, values=None)
    kinds = [word for word in TASKS if word in node.value]
    if "try" in kinds:
        kinds = ["try"]
    if "for" in kinds:
        kinds = [word for word in kinds if word != "do"]
    kind = kinds[0] if kinds else ""
    if len(kinds) != 1:
        reader.refuse("one_of", node, f"A task is exactly one of {', '.join(RUNS)}.")
    elif kind not in RUNS:
        reader.refuse("not_supported", node, f"`{kind}` is a task of DSL 1.0 that does not run here.", kind)
    if len(kinds) != 1 or kind not in RUNS:
        return Set(name=name, path=node.path, line=node.line, values=None)
    extra = {"call": ("with",), "try": ("catch",), "for": ("while", "do")}.get(kind, ())
    for key in node.value:
        if key not in (kind, *extra, *COMMON):
            reader.refuse("unknown_word", node, f"`{key}` is no word of a `{kind}` task.", key)
    if "timeout" in node.value and kind != "call":
        reader.refuse("not_supported", node, "`timeout` runs here on calls and on the workflow.", "timeout")
    return _KINDS[kind](reader, node, _common(reader, name, node))


def _common(reader: Reader, name: str, node: Node) -> dict[str, Any]:
    members = node.value
    task: dict[str, Any] = {"name": name, "path": node.path, "line": node.line}
    task["condition"] = reader.expression(members.get("if"))
    for part, key, field, names in (
        ("input", "from", "input_from", None),
        ("output", "as", "output_as", reader.names),
        ("export", "as", "export_as", reader.names),
    ):
        if part in members:
            inner = reader.members(members[part], part, key).get(key)
            task[field] = reader.template(inner, names) if inner is not None else None
    if "then" in members:
        task["then"] = reader.text(members["then"], "`then`", length_max=63) or CONTINUE
    if "metadata" in members:
        if members["metadata"].is_mapping:
            task["metadata"] = members["metadata"].plain()
        else:
            reader.refuse("not_a_mapping", members["metadata"], "`metadata` is a mapping.")
    return task


def _do(reader: Reader, node: Node, common: dict[str, Any]) -> Task:
    return Do(**common, tasks=task_list(reader, node.value["do"]))


def _fork(reader: Reader, node: Node, common: dict[str, Any]) -> Task:
    members = reader.members(node.value["fork"], "fork", "branches")
    if "compete" in members and members["compete"].value is not False:
        reader.refuse("not_supported", members["compete"], "`compete` is false here: all branches are awaited.")
    with reader.within("fork"):
        branches = task_list(reader, members["branches"]) if "branches" in members else ()
    if len(branches) > BRANCHES_MAX:
        reader.refuse("too_many_branches", node, f"A fork has at most {BRANCHES_MAX} branches.")
    for branch in branches:
        if branch.then != CONTINUE:
            reader.refuse("not_supported", node, f"Branch {branch.name!r} cannot jump: every branch is awaited.")
    return Fork(**common, branches=branches)


def _for(reader: Reader, node: Node, common: dict[str, Any]) -> Task:
    if reader.inside:
        reader.refuse("not_supported", node, f"A `for` inside of a `{reader.inside[-1]}` does not run here.", "for")
    if "while" in node.value:
        reader.refuse("not_supported", node, "`while` does not run here: passes do not wait for each other.", "while")
    members = reader.members(node.value["for"], "for", "in")
    items = members.get("in")
    if items is not None and not items.is_text:
        reader.refuse("not_an_expression", items, "`in` is an expression `${ … }` that gives a list.")
        items = None
    each, at = (_variable(reader, members.get(key), f"`{key}`", default) for key, default in _LOOP_VARIABLES)
    if each == at:
        reader.refuse("name_refused", node, "`each` and `at` are two names.", "for")
    if "do" not in node.value:
        reader.refuse("missing", node, "`for` needs `do`: the tasks of each pass.")
    expression = reader.expression(items)
    with reader.within("for", each, at):
        tasks = task_list(reader, node.value["do"]) if "do" in node.value else ()
    return For(**common, items=expression, each=each, at=at, at_once=_at_once(reader, node), tasks=tasks)


def _at_once(reader: Reader, node: Node) -> int:
    """An extension of ours in `metadata`; left out, passes come one after the other, as the DSL has it."""
    metadata = node.value.get("metadata")
    given = metadata.value.get("at_once") if metadata is not None and metadata.is_mapping else None
    return 1 if given is None else reader.count(given, "`at_once`", least=1, most=PASSES_AT_ONCE_MAX)


def _variable(reader: Reader, node: Node | None, what: str, default: str) -> str:
    """A name that expressions will see, or `default` after a refusal."""
    name = default if node is None else reader.text(node, what, length_max=31)
    if node is not None and name and (not _VARIABLE.fullmatch(name) or name in NAMES):
        reader.refuse("name_refused", node, f"{what} is a name in camel case that is not taken yet.")
        return default
    return name or default


def _call(reader: Reader, node: Node, common: dict[str, Any]) -> Task:
    what = node.value["call"]
    if what.value != "agent":
        shown = what.value if what.is_text and what.value.isprintable() else "this"
        reader.refuse("not_supported", what, f"`call: {shown[:40]}` does not run here; `call: agent` does.")
    members = reader.members(node.value["with"], "call", "agent", "task") if "with" in node.value else {}
    if "with" not in node.value:
        reader.refuse("missing", node, "`call: agent` needs `with`: agent, task and input.")
    timeout = node.value.get("timeout")
    return CallAgent(
        **common,
        agent=reader.text(members.get("agent"), "`agent`", length_max=100),
        request_type=reader.text(members.get("task"), "`task`", length_max=100),
        arguments=reader.template(members["input"]) if "input" in members else {},
        timeout_seconds=reader.timeout(timeout, most=CALL_SECONDS_MAX) if timeout is not None else CALL_SECONDS,
    )


def _switch(reader: Reader, node: Node, common: dict[str, Any]) -> Task:
    cases: list[Case] = []
    for name, child in _named(reader, node.value["switch"], "A case"):
        members = reader.members(child, "case", "then")
        then = reader.text(members.get("then"), "`then`", length_max=63)
        cases.append(Case(name, reader.expression(members.get("when")), then or CONTINUE))
    if any(case.when is None for case in cases[:-1]):
        reader.refuse("default_not_last", node, "Only the last case may have no `when`: those after it never come.")
    return Switch(**common, cases=tuple(cases))


def _set(reader: Reader, node: Node, common: dict[str, Any]) -> Task:
    values = node.value["set"]
    if not values.is_mapping and not values.is_text:
        reader.refuse("not_a_mapping", values, "`set` is a mapping, or one expression.")
    return Set(**common, values=reader.template(values))


def _raise(reader: Reader, node: Node, common: dict[str, Any]) -> Task:
    error = reader.members(node.value["raise"], "raise", "error").get("error")
    template = ErrorTemplate("", 500, None, None)
    if error is not None and error.is_text:
        if error.value in reader.errors:
            template = reader.errors[error.value]
        else:
            reader.refuse("unknown_reference", error, "`use.errors` has no error of this name.")
    elif error is not None:
        template = error_template(reader, error)
    return Raise(**common, error=template)


def _try(reader: Reader, node: Node, common: dict[str, Any]) -> Task:
    tasks = task_list(reader, node.value["try"])
    if "catch" not in node.value:
        reader.refuse("missing", node, "`try` needs `catch`.")
        return Do(**common, tasks=tasks)
    return Try(**common, tasks=tasks, catch=_catch(reader, node.value["catch"]))


def _catch(reader: Reader, node: Node) -> Catch:
    members = reader.members(node, "catch")
    name = _variable(reader, members.get("as"), "`as`", "error")
    matching: dict[str, Any] = {}
    if "errors" in members:
        wanted = reader.members(members["errors"], "catch errors").get("with")
        for key, value in (reader.members(wanted, "error filter") if wanted is not None else {}).items():
            matching[key] = value.value if key == "status" else reader.text(value, f"`{key}`")
    visible = reader.names
    if name not in visible:
        reader.names = (*visible, name)
    catch = Catch(
        matching, name, reader.expression(members.get("when")),
        reader.expression(members.get("exceptWhen")), _retry(reader, members.get("retry")),
        task_list(reader, members["do"]) if "do" in members else None, node.path,
    )  # fmt: skip
    reader.names = visible
    return catch


def _retry(reader: Reader, node: Node | None) -> Retry | None:
    if node is None:
        return None
    if node.is_text:
        if node.value not in reader.retries:
            reader.refuse("unknown_reference", node, "`use.retries` has no policy of this name.")
        return reader.retries.get(node.value)
    return retry_policy(reader, node)


_KINDS: dict[str, Callable[[Reader, Node, dict[str, Any]], Task]] = {
    "do": _do, "for": _for, "fork": _fork, "call": _call, "switch": _switch, "set": _set, "raise": _raise, "try": _try,
}  # fmt: skip
