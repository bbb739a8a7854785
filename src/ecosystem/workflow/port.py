"""The three effects of a workflow. The evaluator knows nothing else of the world."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Step:
    """One call of an agent.

    `key` names this very attempt: the JSON pointer of the task, with `#n` for the n-th time in a loop, `@n` for the
    n-th attempt of a `try`, `~n` for a `catch` after the n-th retry of the run. `identity` leaves the attempts out:
    asking again is the same question.
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


class Port(Protocol):
    """What it gives must be the same each time it is asked for the same key: that makes an evaluation repeatable."""

    async def call(self, step: Step) -> Any:
        """The agent's answer, JSON-ready. Raises Fault."""

    async def wait(self, key: str, least_seconds: float, most_seconds: float) -> None:
        """Return after a time between the two."""

    async def together(self, branches: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """The results of all branches, in their order. A branch that raises ends them all."""
