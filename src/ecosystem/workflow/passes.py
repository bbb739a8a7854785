"""The passes of a loop as child tasks: a few beside each other, each kept as a whole once it has ended.

A child answers with the output of its pass, or with the error that nothing in it caught: the error is an answer, so
that the parent can hand it to its own `catch`. A retry of the run asks failed passes again by new children.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol
from uuid import UUID

from ecosystem.kernel.durable.errors import ChildFailed
from ecosystem.workflow.errors import RUNTIME, ErrorValue, Fault
from ecosystem.workflow.port import Loop, Pass

TASK = "pass"
"""The name of the durable task that does one pass."""
_DETAIL_LENGTH_MAX = 500


class Children(Protocol):
    """The part of kernel/durable's TaskContext that starts children and waits for them."""

    async def child(self, name: str, task: str, params: dict[str, Any]) -> UUID: ...

    async def results(self, children: Sequence[UUID]) -> list[Any]: ...


class Passes:
    """`about` is what a child must know about its run."""

    def __init__(self, tasks: Children, generation: int, about: Mapping[str, Any]) -> None:
        self._tasks, self._generation, self._about = tasks, generation, about

    async def outputs(self, loop: Loop) -> list[Any]:
        """The outputs of all passes in their order; suspends while some are under way. Raises Fault."""
        outputs: list[Any] = []
        begun = 0
        for one in loop.passes:
            # Awaited in order: which passes have begun, and which error comes first, follows from the text alone.
            while begun < min(len(loop.passes), one.number - 1 + loop.at_once):
                await self._begin(loop.passes[begun], 0)
                begun += 1
            ended = await self._ended(one)
            if "error" in ended:
                for other in loop.passes[one.number : begun]:
                    # Nothing of a loop goes on behind its error.
                    await self._ended(other)
                raise _fault(ended, one, loop)
            outputs.append(ended["output"])
        return outputs

    async def _ended(self, one: Pass) -> dict[str, Any]:
        """The answer of the pass: its output, or its error in this generation of the run."""
        number = 0
        while True:
            child = await self._begin(one, number)
            try:
                ended: dict[str, Any] = (await self._tasks.results([child]))[0]
            except ChildFailed as failed:
                ended = _died(failed, one.path, number)
            if "output" in ended or ended["generation"] >= self._generation:
                return ended
            number += 1

    async def _begin(self, one: Pass, number: int) -> UUID:
        params = {**self._about, "generation": self._generation, "pass": asdict(one)}
        return await self._tasks.child(f"{one.key}~{number}" if number else one.key, TASK, params)


def answer_of(fault: Fault, generation: int) -> dict[str, Any]:
    """What a child answers whose pass ended with an error."""
    return {"error": fault.error.as_json(), "catchable": fault.catchable, "generation": generation}


def _died(failed: ChildFailed, path: str, number: int) -> dict[str, Any]:
    """The answer of a child that never came to one: its process died too often, or its code is gone."""
    code = str(failed.details.get("code") or failed.code)
    error = ErrorValue(RUNTIME, 500, "Pass failed", "A pass of the loop could not be done.", path, code)
    return answer_of(Fault(error), number)


def _fault(ended: Mapping[str, Any], one: Pass, loop: Loop) -> Fault:
    error = ErrorValue(**ended["error"])
    detail = f"{loop.each} {one.number} of {len(loop.passes)}: {error.detail}"[:_DETAIL_LENGTH_MAX]
    return Fault(replace(error, detail=detail), catchable=ended["catchable"])
