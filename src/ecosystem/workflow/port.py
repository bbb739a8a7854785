"""The four effects of a workflow. The evaluator knows nothing else of the world."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Step:
    """One call of an agent.

    `key` names this very attempt: the JSON pointer of the task, with `#n` for the n-th time in a loop, `@n` for the
    n-th attempt of a `try`, `~n` for a `catch` after the n-th retry of the run. `identity` leaves the attempts out:
    asking again is the same question. `is_last`: when this attempt fails, no `try` around it makes another.
    """

    key: str
    identity: str
    name: str
    path: str
    agent: str
    request_type: str
    arguments: Any
    timeout_seconds: float
    attempt: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    is_last: bool = True


@dataclass(frozen=True)
class Pass:
    """One pass of a loop, JSON-ready: what another process needs to walk it. `number` counts from 1.

    `path` is the JSON pointer of the loop, `loop_key` its key; the other members say where the walk is, and what it
    sees there.
    """

    path: str
    loop_key: str
    number: int
    key: str
    identity: str
    attempt: int
    value: Any
    context: Any
    variables: Mapping[str, Any]


@dataclass(frozen=True)
class Loop:
    """A `for` with all of its passes, of which `at_once` may run beside each other.

    `key` is as in `Step`; `each` is what one item is called.
    """

    key: str
    name: str
    path: str
    each: str
    at_once: int
    passes: tuple[Pass, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Port(Protocol):
    """What it gives must be the same each time it is asked for the same key: that makes an evaluation repeatable."""

    async def call(self, step: Step) -> Any:
        """The agent's answer, JSON-ready. Raises Fault."""

    async def wait(self, key: str, least_seconds: float, most_seconds: float) -> None:
        """Return after a time between the two."""

    async def passes(self, loop: Loop) -> list[Any]:
        """The outputs of all passes, in their order. Raises Fault: that of the first in the order which failed."""

    async def together(self, branches: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """The results of all branches, in their order. A branch that raises ends them all."""
