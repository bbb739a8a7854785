"""A port that answers from a script and remembers, as durable execution does, without any database."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecosystem.workflow.errors import Fault
from ecosystem.workflow.evaluate import Run, evaluate_pass
from ecosystem.workflow.model import Definition
from ecosystem.workflow.port import Loop, Step


class Killed(BaseException):
    """The process died here."""


@dataclass
class MemoryPort:
    """`script` answers a call; `kept` outlives the port, as checkpoints do; `effects_left` counts down to its death."""

    script: Callable[[Step], Any]
    kept: dict[str, Any] = field(default_factory=dict)
    effects_left: int | None = None
    asked: list[Step] = field(default_factory=list)
    waited: list[tuple[str, float, float]] = field(default_factory=list)
    looped: list[Loop] = field(default_factory=list)
    run: tuple[Definition, Run] | None = None

    async def call(self, step: Step) -> Any:
        if step.key not in self.kept:
            self._live()
            self.asked.append(step)
            answer = self.script(step)
            self._live()
            self.kept[step.key] = answer
        answer = self.kept[step.key]
        if isinstance(answer, Fault):
            raise answer
        return answer

    async def wait(self, key: str, least_seconds: float, most_seconds: float) -> None:
        if key not in self.kept:
            self._live()
            self.kept[key] = None
        self.waited.append((key, least_seconds, most_seconds))

    async def together(self, branches: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
        return [await branch() for branch in branches]

    async def passes(self, loop: Loop) -> list[Any]:
        assert self.run is not None
        self.looped.append(loop)
        return [await evaluate_pass(*self.run, one, self) for one in loop.passes]

    def _live(self) -> None:
        if self.effects_left is not None:
            if self.effects_left == 0:
                raise Killed
            self.effects_left -= 1


HEAD = """document: {dsl: 1.0.0, namespace: tests, name: tried, version: 1.0.0}
evaluate: {language: cel}
"""
ASK = "call: agent, with: {agent: an-agent, task: a_task, input: {n: '${ input }'}}"
