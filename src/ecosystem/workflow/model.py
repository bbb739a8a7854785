"""A definition as frozen values: what the evaluator walks. Made by `parse`, never by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ecosystem.workflow.expressions import Expression, Template
from ecosystem.workflow.schema import Schema

CONTINUE, EXIT, END = "continue", "exit", "end"


@dataclass(frozen=True, kw_only=True)
class Task:
    """What every task has. `then` is a flow directive or the name of a task of the same list."""

    name: str
    path: str
    line: int
    condition: Expression | None = None
    input_from: Template | None = None
    output_as: Template | None = None
    export_as: Template | None = None
    then: str = CONTINUE
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Do(Task):
    tasks: tuple[Task, ...]


@dataclass(frozen=True, kw_only=True)
class Fork(Task):
    """Branches run beside each other; its output is the list of theirs, in the order of the definition."""

    branches: tuple[Task, ...]


@dataclass(frozen=True, kw_only=True)
class For(Task):
    """One pass of `tasks` for each of `items`: they see the item as `each` and its place, from 0, as `at`.

    Passes are independent of each other. Its output is the list of theirs, in the order of the items.
    """

    items: Expression | None
    each: str
    at: str
    at_once: int
    tasks: tuple[Task, ...]


@dataclass(frozen=True, kw_only=True)
class CallAgent(Task):
    agent: str
    request_type: str
    arguments: Template
    timeout_seconds: float


@dataclass(frozen=True)
class Case:
    """`when` is None for the default."""

    name: str
    when: Expression | None
    then: str


@dataclass(frozen=True, kw_only=True)
class Switch(Task):
    cases: tuple[Case, ...]


@dataclass(frozen=True, kw_only=True)
class Set(Task):
    values: Template


@dataclass(frozen=True)
class ErrorTemplate:
    """`status` is constant; the others may be expressions, so that a `catch` can pass on what it caught."""

    type: Template
    status: int
    title: Template
    detail: Template
    instance: Template = None


@dataclass(frozen=True, kw_only=True)
class Raise(Task):
    error: ErrorTemplate


@dataclass(frozen=True)
class Retry:
    """`attempts_max` counts all attempts. The wait before attempt n + 1 is `delay_seconds`, grown by `backoff`."""

    attempts_max: int
    delay_seconds: float
    backoff: Literal["constant", "linear", "exponential"] = "constant"
    jitter_seconds: tuple[float, float] = (0.0, 0.0)
    when: Expression | None = None
    except_when: Expression | None = None


@dataclass(frozen=True)
class Catch:
    """`matching` are members of the error that must be equal; `name` is the variable the error gets."""

    matching: Mapping[str, Any]
    name: str
    when: Expression | None
    except_when: Expression | None
    retry: Retry | None
    tasks: tuple[Task, ...] | None
    path: str


@dataclass(frozen=True, kw_only=True)
class Try(Task):
    tasks: tuple[Task, ...]
    catch: Catch


@dataclass(frozen=True)
class Definition:
    """`digest` (SHA-256, hex) is of the text, which it holds so that it can be kept with the runs that used it."""

    namespace: str
    name: str
    version: str
    title: str
    summary: str
    text: str
    digest: str
    tasks: tuple[Task, ...]
    schema: Schema
    input_from: Template | None
    output_as: Template | None
    timeout_seconds: float | None

    @property
    def workflow(self) -> str:
        """The name on this platform: the DSL allows no underscore, our vocabulary no hyphen."""
        return self.name.replace("-", "_")

    def loops(self) -> tuple[For, ...]:
        """Every loop, in the order of the text."""
        return tuple(task for task in walk(self.tasks) if isinstance(task, For))

    def loop(self, path: str) -> For:
        """The loop at this JSON pointer."""
        return next(loop for loop in self.loops() if loop.path == path)

    def calls(self) -> tuple[CallAgent, ...]:
        """Every call, in the order of the text."""
        return tuple(task for task in walk(self.tasks) if isinstance(task, CallAgent))


def walk(tasks: tuple[Task, ...]) -> list[Task]:
    """Every task below, depth first, in the order of the text."""
    found: list[Task] = []
    for task in tasks:
        found.append(task)
        match task:
            case Do(tasks=inner) | Fork(branches=inner) | For(tasks=inner):
                found += walk(inner)
            case Try(tasks=inner, catch=catch):
                found += walk(inner) + walk(catch.tasks or ())
            case _:
                pass
    return found
