"""The evaluator: a definition and an input become calls, waits and an output. No clock, no chance, no IO of its own.

Everything it does between two effects follows from the definition and the answers so far, so a run that is taken
up again by another process goes the same way through its finished steps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from ecosystem.kernel.expressions.cel import Bound, ExpressionFailed
from ecosystem.workflow.errors import (
    EXPRESSION,
    OURS,
    RUNTIME,
    ErrorValue,
    Fault,
    InputRefused,
    fault,
)
from ecosystem.workflow.expressions import Expression, Template, fill
from ecosystem.workflow.model import (
    CONTINUE,
    END,
    EXIT,
    CallAgent,
    Catch,
    Definition,
    Do,
    For,
    Fork,
    Raise,
    Retry,
    Set,
    Switch,
    Task,
    Try,
)
from ecosystem.workflow.port import Loop, Pass, Port, Step

TASKS_RUN_MAX = 2000
PASSES_MAX = 500
VALUE_BYTES_MAX = 64 * 1024
BACKOFF_SECONDS_MAX = 3600.0


@dataclass(frozen=True)
class Run:
    """What is fixed for a run. `generation` counts its retries by a person; `started_at` is ISO 8601."""

    id: str
    input: dict[str, Any]
    started_at: str
    generation: int = 0


def check_input(definition: Definition, value: Any) -> None:
    """Raises InputRefused naming each field and its rule."""
    problems = definition.schema.problems(value)
    if problems:
        raise InputRefused(f"{definition.workflow}: {'; '.join(problems)}.")


async def evaluate(definition: Definition, run: Run, port: Port) -> Any:
    """The output of the workflow. Raises Fault for an error that nothing caught, and whatever `port` raises."""
    return await _Walk(definition, run, port, {}).whole()


async def evaluate_pass(definition: Definition, run: Run, one: Pass, port: Port) -> Any:
    """The output of one pass of a loop. Raises as `evaluate` does."""
    return await _Walk(definition, run, port, one.context).one_pass(definition.loop(one.path), one)


@dataclass(frozen=True)
class _Place:
    """Where the walk is: see `Step.key` and `Step.identity`. `variables` are visible errors, items and indexes."""

    key: str = ""
    identity: str = ""
    attempt: int = 1
    variables: Mapping[str, Any] | None = None
    is_last: bool = True

    def down(self, token: str) -> "_Place":
        return replace(self, key=f"{self.key}/{token}", identity=f"{self.identity}/{token}")

    def again(self, attempt: int) -> "_Place":
        """The n-th attempt of what is here."""
        if attempt == 1:
            return self
        return replace(self, key=f"{self.key}@{attempt}", attempt=self.attempt + attempt - 1)


class _Walk:
    """One lane of a run. A branch of a fork or a pass of a loop is a lane of its own: its exports stay in it, so no
    race can show.
    """

    def __init__(self, definition: Definition, run: Run, port: Port, seen: Any) -> None:
        self._definition, self._run, self._port = definition, run, port
        self._context = seen
        self._tasks_run = [0]
        self._workflow = {"id": run.id, "input": run.input, "startedAt": run.started_at}

    async def whole(self) -> Any:
        place, value = _Place(), self._run.input
        value = self._fill(self._definition.input_from, "", self._names(place, value), value)
        value, _ = await self._list(self._definition.tasks, place.down("do"), value)
        names = self._names(place, value) | {"output": value}
        return self._fill(self._definition.output_as, "", names, value)

    async def one_pass(self, loop: For, one: Pass) -> Any:
        place = _Place(one.key, one.identity, one.attempt, one.variables)
        value, _ = await self._list(loop.tasks, place.down("do"), one.value)
        return value

    async def _list(self, tasks: tuple[Task, ...], place: _Place, value: Any) -> tuple[Any, str]:
        """The last output, and END where the whole workflow is to end."""
        positions = {task.name: index for index, task in enumerate(tasks)}
        visits = [0] * len(tasks)
        index = 0
        while index < len(tasks):
            task = tasks[index]
            self._count(task)
            visits[index] += 1
            again = f"#{visits[index]}" if visits[index] > 1 else ""
            value, then = await self._task(task, place.down(f"{index}/{task.name}{again}"), value)
            if then == END:
                return value, END
            if then == EXIT:
                break
            index = index + 1 if then == CONTINUE else positions[then]
        return value, CONTINUE

    def _count(self, task: Task) -> None:
        self._tasks_run[0] += 1
        if self._tasks_run[0] > TASKS_RUN_MAX:
            detail = f"A run does at most {TASKS_RUN_MAX} tasks: a loop has no end."
            raise fault(RUNTIME, "run_too_long", detail, task.path, status=500, catchable=False)

    async def _task(self, task: Task, place: _Place, value: Any) -> tuple[Any, str]:
        names = self._names(place, value) | {"task": {"name": task.name, "reference": task.path}}
        if task.condition is not None and not self._truth(task.condition, names):
            return value, CONTINUE
        value = self._fill(task.input_from, task.path, names, value)
        names["input"] = value
        output, then = await self._do(task, place, names)
        if task.output_as is not None or task.export_as is not None:
            names["output"] = output
            output = names["output"] = self._fill(task.output_as, task.path, names, output)
            self._context = self._fill(task.export_as, task.path, names, self._context)
        return output, task.then if then == CONTINUE else then

    async def _do(self, task: Task, place: _Place, names: dict[str, Any]) -> tuple[Any, str]:
        match task:
            case CallAgent():
                return await self._call(task, place, names), CONTINUE
            case Set():
                return self._fill(task.values, task.path, names, None), CONTINUE
            case Do():
                return await self._list(task.tasks, place.down("do"), names["input"])
            case For():
                return await self._for(task, place, names), CONTINUE
            case Switch():
                for case in task.cases:
                    if case.when is None or self._truth(case.when, names):
                        return names["input"], case.then
                return names["input"], CONTINUE
            case Try():
                return await self._try(task, place, names["input"])
            case Fork():
                return await self._fork(task, place, names["input"])
            case Raise():
                raise self._raised(task, names)
            case _:
                raise TypeError(f"no task: {task!r}")

    async def _call(self, task: CallAgent, place: _Place, names: dict[str, Any]) -> Any:
        arguments = self._fill(task.arguments, task.path, names, None)
        if not isinstance(arguments, dict):
            raise fault(EXPRESSION, "expression_failed", "The input of an agent is an object.", task.path)
        answer = await self._port.call(
            Step(
                place.key, place.identity, task.name, task.path, task.agent, task.request_type, arguments,
                task.timeout_seconds, place.attempt, task.metadata, place.is_last,
            )
        )  # fmt: skip
        return _bounded(answer, task.path, "answer_too_large")

    async def _for(self, task: For, place: _Place, names: dict[str, Any]) -> Any:
        items = self._fill(task.items, task.path, names, None)
        if not isinstance(items, list):
            raise fault(EXPRESSION, "expression_failed", "`in` of a loop gives a list.", task.path)
        if len(items) > PASSES_MAX:
            raise fault(RUNTIME, "too_many_passes", f"A loop has at most {PASSES_MAX} passes.", task.path)
        if not items:
            return []
        here = place.down("for")
        passes = tuple(
            Pass(
                task.path, here.key, number, f"{here.key}/{number}", f"{here.identity}/{number}", place.attempt,
                names["input"], self._context, {**(place.variables or {}), task.each: item, task.at: number - 1},
            )
            for number, item in enumerate(items, 1)
        )  # fmt: skip
        loop = Loop(here.key, task.name, task.path, task.each, task.at_once, passes, task.metadata)
        return _bounded(await self._port.passes(loop), task.path, "value_too_large")

    async def _fork(self, task: Fork, place: _Place, value: Any) -> tuple[Any, str]:
        async def branch(index: int) -> tuple[Any, str] | Fault:
            lane = _Walk(self._definition, self._run, self._port, self._context)
            lane._tasks_run = self._tasks_run
            one = task.branches[index]
            try:
                lane._count(one)
                return await lane._task(one, place.down(f"fork/branches/{index}/{one.name}"), value)
            except Fault as error:
                return error

        def lane_of(index: int) -> Callable[[], Any]:
            return lambda: branch(index)

        results = await self._port.together([lane_of(index) for index in range(len(task.branches))])
        # Not the first in time but the first in the text: another process must come to the same error.
        outputs, then = [], CONTINUE
        for result in results:
            if isinstance(result, Fault):
                raise result
            outputs.append(result[0])
            then = END if result[1] == END else then
        return _bounded(outputs, task.path, "value_too_large"), then

    async def _try(self, task: Try, place: _Place, value: Any) -> tuple[Any, str]:
        context, attempt = self._context, 1
        while True:
            here = place.down("try").again(attempt)
            if task.catch.retry is not None:
                here = replace(here, is_last=attempt >= task.catch.retry.attempts_max)
            try:
                return await self._list(task.tasks, here, value)
            except Fault as caught:
                names = self._names(place, value) | {"task": {"name": task.name, "reference": task.path}}
                names |= {"error": caught.error.as_json(), task.catch.name: caught.error.as_json()}
                if not caught.catchable or not self._matches(task.catch, caught.error, names):
                    raise
                seconds = self._retry_after(task.catch.retry, attempt, names)
                if seconds is None:
                    return await self._caught(task, place, caught, value)
            await self._port.wait(f"{here.key}/retry~{self._run.generation}", *seconds)
            self._context = context
            attempt += 1

    def _matches(self, catch: Catch, error: ErrorValue, names: Mapping[str, Any]) -> bool:
        if any(getattr(error, member) != value for member, value in catch.matching.items()):
            return False
        if catch.when is not None and not self._truth(catch.when, names):
            return False
        return catch.except_when is None or not self._truth(catch.except_when, names)

    def _retry_after(self, retry: Retry | None, attempt: int, names: Mapping[str, Any]) -> tuple[float, float] | None:
        """The least and the most seconds before the next attempt; None where there is none."""
        if retry is None or attempt >= retry.attempts_max:
            return None
        if retry.when is not None and not self._truth(retry.when, names):
            return None
        if retry.except_when is not None and self._truth(retry.except_when, names):
            return None
        growth = {"constant": 1, "linear": attempt, "exponential": 2 ** (attempt - 1)}[retry.backoff]
        seconds = min(retry.delay_seconds * growth, BACKOFF_SECONDS_MAX)
        low, high = retry.jitter_seconds
        return seconds + low, seconds + high

    async def _caught(self, task: Try, place: _Place, caught: Fault, value: Any) -> tuple[Any, str]:
        """What comes after the last attempt: the tasks of the `catch`, or the error itself where retrying was all."""
        catch = task.catch
        if catch.tasks is None:
            if catch.retry is not None:
                raise caught
            return value, CONTINUE
        # A run that a person has retried and that fails again must tell so again: these are new questions.
        generation = f"~{self._run.generation}" if self._run.generation else ""
        visible = {**(place.variables or {}), catch.name: caught.error.as_json()}
        here = replace(place, variables=visible).down(f"catch{generation}/do")
        return await self._list(catch.tasks, here, value)

    def _raised(self, task: Raise, names: Mapping[str, Any]) -> Fault:
        error = task.error
        kind, title, detail, instance = (
            self._fill(part, task.path, names, "") for part in (error.type, error.title, error.detail, error.instance)
        )
        if not all(isinstance(part, str) for part in (kind, title, detail, instance)) or not kind:
            return fault(EXPRESSION, "expression_failed", "The members of an error are texts.", task.path)
        code = _code_of(kind)
        text = detail[:500] or title[:500] or "The workflow raised this error."
        return Fault(ErrorValue(kind[:200], error.status, title[:200] or code, text, instance[:500] or task.path, code))

    def _names(self, place: _Place, value: Any) -> dict[str, Any]:
        # `output` is declared for every expression, yet has a value only where a task has ended.
        names = {"input": value, "context": self._context, "workflow": self._workflow, "output": None, "task": {}}
        return {**names, **place.variables} if place.variables else names

    def _truth(self, expression: Expression, names: Mapping[str, Any]) -> bool:
        try:
            return expression.truth(names)
        except ExpressionFailed as error:
            raise _expression_failed(error, expression.path) from error

    def _fill(self, template: Template, path: str, names: Mapping[str, Any], otherwise: Any) -> Any:
        """`template` filled in, or `otherwise` where there is none."""
        if template is None:
            return otherwise
        try:
            value = fill(template, Bound(names))
        except ExpressionFailed as error:
            raise _expression_failed(error, path) from error
        return _bounded(value, path, "value_too_large")


def _expression_failed(error: Exception, path: str) -> Fault:
    return fault(EXPRESSION, "expression_failed", f"An expression failed: {str(error)[:300]}", path)


def _bounded(value: Any, path: str, code: str) -> Any:
    try:
        size = len(orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME))
    except (TypeError, ValueError) as error:
        raise fault(EXPRESSION, "not_json", "An expression gave what JSON cannot hold.", path) from error
    if size > VALUE_BYTES_MAX:
        raise fault(RUNTIME, code, f"A value has at most {VALUE_BYTES_MAX} bytes: workflows carry ids.", path)
    return value


def _code_of(kind: str) -> str:
    """`document_invalid` of `urn:ecosystem:error:document_invalid`, `timeout` of `https://…/errors/timeout`."""
    last = kind.removeprefix(OURS).rsplit("/", 1)[-1].rsplit(":", 1)[-1]
    code = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in last.lower())[:60]
    return code.strip("_") or "raised"
