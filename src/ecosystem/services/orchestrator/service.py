"""The orchestrator starts workflows and carries each run to its end, whatever dies on the way."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from ecosystem.contracts.orchestrator import (
    ORCHESTRATOR_AGENT,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunRetried,
    RunState,
)
from ecosystem.kernel import context
from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.agent.waiting import WaitingCalls
from ecosystem.kernel.audit.audit import Audit
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.durable.durable import Durable
from ecosystem.kernel.durable.errors import TaskUnknown
from ecosystem.kernel.durable.task import TaskContext, TaskFailure
from ecosystem.kernel.errors import EcosystemError, Failure, Kind, Severity
from ecosystem.kernel.messaging.outbox import Outbox
from ecosystem.kernel.telemetry.log import log
from ecosystem.services.orchestrator.errors import (
    DefinitionChanged,
    DefinitionUnfit,
    RunEnded,
    RunFaulted,
    RunForgotten,
    RunNotFailed,
    RunUnknown,
    WorkflowUnknown,
)
from ecosystem.services.orchestrator.model import Run, Status, after_cancel, state_of, unfit
from ecosystem.services.orchestrator.repository import Runs
from ecosystem.workflow.errors import Fault, InputRefused
from ecosystem.workflow.evaluate import Run as Evaluated
from ecosystem.workflow.evaluate import check_input, evaluate, evaluate_pass
from ecosystem.workflow.model import Definition
from ecosystem.workflow.parse import parse
from ecosystem.workflow.passes import answer_of
from ecosystem.workflow.port import Loop, Pass, Step
from ecosystem.workflow.run import Done, DurablePort

QUEUE, TASK = "orchestrator", "run"
RUN_ATTEMPTS_MAX = 20
"""Each death of a process under a run is one: with the pauses between, about eight minutes of nothing but trouble."""
REASON_LENGTH_MAX = 500


class Agents(Protocol):
    async def call_raw(
        self, to: str, request_type: str, payload: dict[str, Any], *, sender: str,
        timeout_seconds: float | None = None, attempts: int = 1, request_id: str | None = None,
    ) -> dict[str, Any]: ...  # fmt: skip


@dataclass(frozen=True)
class Parts:
    """What the kernel gives to the use cases. `waiting`: the queue of absent agents."""

    database: Database
    durable: Durable
    outbox: Outbox
    audit: Audit
    clock: Clock
    agents: Agents
    cards: dict[str, AgentCard]
    waiting: WaitingCalls | None = None


class WorkflowService:
    """`definitions` are those shipped with this version; the newest of each workflow starts new runs."""

    def __init__(self, runs: Runs, parts: Parts, definitions: Sequence[Definition]) -> None:
        self._runs, self._parts = runs, parts
        self._database, self._clock = parts.database, parts.clock
        self._by_digest = {definition.digest: definition for definition in definitions}
        self._newest: dict[str, Definition] = {}
        for definition in definitions:
            known = self._newest.get(definition.workflow)
            if known is None or _order(known) < _order(definition):
                self._newest[definition.workflow] = definition

    async def keep_definitions(self) -> None:
        """Check and keep what was shipped, before the first run.

        Raises:
            DefinitionUnfit: an agent, a task or a limit that does not exist, with its line.
            DefinitionChanged: a run has used another text of the same version.
        """
        for definition in self._by_digest.values():
            problems = unfit(definition, self._parts.cards, ORCHESTRATOR_AGENT.id)
            follower = after_cancel(definition)
            if follower is not None and follower not in self._newest:
                problems.append(f"metadata.after_cancel names {follower}, which is no workflow here")
            if problems:
                raise DefinitionUnfit(f"{definition.workflow} {definition.version}: {'; '.join(problems)}.")

        async def keep() -> None:
            for definition in self._by_digest.values():
                if not await self._runs.keep_definition(definition, self._clock.now()):
                    raise DefinitionChanged(f"{definition.workflow} {definition.version} was changed after its use.")

        await self._database.run(keep)

    def workflows(self) -> list[Definition]:
        return [self._newest[name] for name in sorted(self._newest)]

    async def start(
        self, workflow: str, value: dict[str, Any], key: str, take_up: Callable[[], Awaitable[None]] | None = None
    ) -> UUID:
        """Start a run, or find the one that `key` has started; in the caller's unit of work, if one is open.

        `take_up` is asked in the same unit to begin it in this process; otherwise the workers of all are woken.

        Raises:
            WorkflowUnknown: nothing of this name was shipped.
            InputRefused: `value` does not fit its schema.
        """
        definition = self._newest.get(workflow)
        if definition is None:
            raise WorkflowUnknown
        check_input(definition, value)

        async def begin() -> UUID:
            now = self._clock.now()
            params = {"digest": definition.digest, "input": value, "started_at": now.isoformat()}
            run_id = await self._parts.durable.start(
                QUEUE, TASK, params, key=f"{workflow}/{key}", max_attempts=RUN_ATTEMPTS_MAX, wake=take_up is None
            )
            if await self._runs.add(run_id, definition, key, value, now):
                if take_up is not None:
                    await take_up()
                return run_id
            before = await self._runs.find(workflow, key)
            if before is None or before == run_id:
                return run_id
            # The task of an old run was forgotten long ago, its history is not: the key stays used.
            await self._parts.durable.cancel(run_id, queue=QUEUE)
            return before

        return await self._database.run(begin)

    async def page(
        self, state: RunState | None, workflow: str | None, after: tuple[str, str] | None, limit: int
    ) -> list[Run]:
        return await self._database.read(lambda: self._runs.page(state and state.value, workflow, after, limit))

    async def show(self, run_id: UUID) -> Run:
        """Raises RunUnknown."""
        waiting = self._parts.waiting

        async def look() -> Run | None:
            run = await self._runs.show(run_id)
            places = await waiting.of_run(run_id) if waiting is not None and run is not None else []
            return run and replace(run, waiting=tuple(places))

        run = await self._database.read(look)
        if run is None:
            raise RunUnknown
        return run

    async def agents_of(self, digest: str) -> frozenset[str]:
        """The agents that a definition names; none where its text is not kept any more."""
        try:
            return frozenset(call.agent for call in (await self._definition(digest)).calls())
        except EcosystemError:
            return frozenset()

    async def cancel(self, run_id: UUID) -> Run:
        """End a run that is under way or stays in ERROR, and start what is to follow. Raises RunUnknown, RunEnded."""

        async def end() -> None:
            before = await self._known(run_id)
            follower = await self._follower(before)
            # A task that was forgotten cannot run any more. The task first: its worker locks in this order too.
            with suppress(TaskUnknown):
                await self._parts.durable.cancel(run_id, queue=QUEUE)
            if not await self._runs.cancel(run_id, self._clock.now()):
                raise RunEnded
            if self._parts.waiting is not None:
                await self._parts.waiting.leave(run_id=run_id)
            await self._tell("run_cancelled", before)
            await self._parts.outbox.add(RunCancelled(run_id=run_id, workflow=before.workflow))
            if follower is not None and before.status == Status.RUNNING:
                await self._follow(follower, before.input, f"after/{run_id}")

        await self._database.run(end)
        return await self.show(run_id)

    async def retry(self, run_id: UUID) -> Run:
        """Let a failed run go on after its finished steps. Raises RunUnknown, RunNotFailed, RunForgotten."""

        async def again() -> None:
            before = await self._known(run_id)
            try:
                failed = await self._parts.durable.retry(run_id, queue=QUEUE)
            except TaskUnknown:
                raise RunForgotten from None
            if not failed:
                raise RunNotFailed
            if not await self._runs.retry(run_id, self._clock.now()):
                raise RunNotFailed
            await self._tell("run_retried", before)
            await self._parts.outbox.add(RunRetried(run_id=run_id, workflow=before.workflow))

        await self._database.run(again)
        return await self.show(run_id)

    async def replace(self, run_id: UUID, value: dict[str, Any]) -> UUID:
        """End a failed run and start its workflow anew with `value`, in one unit of work; the new run.

        Raises RunUnknown, RunNotFailed, InputRefused.
        """

        async def anew() -> UUID:
            before = await self._known(run_id)
            with suppress(TaskUnknown):
                await self._parts.durable.cancel(run_id, queue=QUEUE)
            if before.status != Status.FAILED or not await self._runs.cancel(run_id, self._clock.now()):
                raise RunNotFailed
            instead = await self.start(before.workflow, value, key=f"instead/{run_id}")
            await self._tell("run_replaced", before)
            await self._parts.outbox.add(RunCancelled(run_id=run_id, workflow=before.workflow, instead=instead))
            return instead

        return await self._database.run(anew)

    async def _known(self, run_id: UUID) -> Run:
        run = await self._runs.get(run_id)
        if run is None:
            raise RunUnknown
        return run

    async def _follower(self, run: Run) -> str | None:
        try:
            return after_cancel(await self._definition(run.digest))
        except EcosystemError:
            # A run of a text that cannot be read any more must still be given up by somebody.
            return None

    async def _tell(self, action: str, before: Run) -> None:
        await self._parts.audit.record(
            action, str(before.run_id), before={"state": before.state, "status": before.status}, after=None
        )

    async def carry(self, task: TaskContext) -> dict[str, Any]:
        """Do what is left of a run; the handler of its durable task.

        Raises RunFaulted: the definition's own error, which no retry by itself would change.
        """
        params = task.params
        generation, started_at = 0, params["started_at"]
        if task.attempt > 1:
            kept = await self._database.read(lambda: self._known(task.task_id))
            generation, started_at = kept.generation, kept.started_at.isoformat()
        definition = await self._definition(params["digest"])
        journal = _Journal(self._runs, self._parts, task.task_id, definition.workflow)
        run = Evaluated(str(task.task_id), params["input"], started_at, generation)
        port = self._port(task, definition, run, journal)
        try:
            with context.scope(agent_id=ORCHESTRATOR_AGENT.id):
                output = await evaluate(definition, run, port)
        except Fault as fault:
            await port.keep(None)
            error = fault.error
            reason = f"{error.detail} ({error.instance})"[:REASON_LENGTH_MAX]
            suggestion = "`eco runs retry` goes on after the finished steps, once the cause is gone."
            raise RunFaulted(
                Failure(error.code, reason, Kind.PERMANENT, Severity(error.severity), suggestion, error.status)
            ) from fault
        port.finish(output)
        return {"outcome": outcome_of(output)}

    async def carry_pass(self, task: TaskContext) -> dict[str, Any]:
        """Do one pass of a loop; the handler of its durable task, a child of its run's."""
        params = task.params
        run = Evaluated(params["run_id"], params["input"], params["started_at"], params["generation"])
        one = Pass(**params["pass"])
        definition = await self._definition(params["digest"])
        journal = _PassJournal(self._runs, self._parts, UUID(run.id), definition, one)
        port = self._port(task, definition, run, journal)
        try:
            with context.scope(agent_id=ORCHESTRATOR_AGENT.id):
                output = await evaluate_pass(definition, run, one, port)
        except Fault as fault:
            await port.keep(None)
            return answer_of(fault, run.generation)
        port.finish(output)
        return {"output": output}

    def _port(self, task: TaskContext, definition: Definition, run: Evaluated, journal: "_Journal") -> DurablePort:
        seconds = definition.timeout_seconds
        started_at = datetime.fromisoformat(run.started_at)
        about = {"digest": definition.digest, "run_id": run.id, "input": run.input, "started_at": run.started_at}
        return DurablePort(
            UUID(run.id), run.generation, task, self._parts.agents, journal, self._clock,
            sender=ORCHESTRATOR_AGENT.id, about=about, is_repeatable=self._is_repeatable,
            queue=self._parts.waiting, began_at=started_at,
            deadline=None if seconds is None else started_at + timedelta(seconds=seconds),
        )  # fmt: skip

    def _is_repeatable(self, step: Step) -> bool:
        card = self._parts.cards.get(step.agent)
        task = card.task(step.request_type) if card is not None else None
        return task is not None and (task.effect or task.repeatable)

    async def failed(self, failure: TaskFailure) -> None:
        """Put the run into ERROR, in the transaction that fails its task. A pass that fails is told to its run.

        A definition cannot catch that its run was given up after its last attempt: what follows a cancellation follows.
        """
        if failure.task_name != TASK:
            return
        reason, code = failure.failure.message[:REASON_LENGTH_MAX], failure.failure.code
        workflow = await self._runs.fail(failure.task_id, code, reason, self._clock.now())
        if workflow is None:
            return
        await self._parts.outbox.add(
            RunFailed(run_id=failure.task_id, workflow=workflow, code=code, input=failure.params["input"])
        )
        if failure.failure.kind is not Kind.PERMANENT:
            run = await self._known(failure.task_id)
            if (follower := await self._follower(run)) is not None:
                await self._follow(follower, run.input | {"reason": code}, f"after/{run.run_id}/{run.generation}")

    async def _follow(self, follower: str, value: dict[str, Any], key: str) -> None:
        """Start what follows a run. The run ends also where this version does not have it, or in another form."""
        try:
            await self.start(follower, value, key)
        except (WorkflowUnknown, InputRefused) as error:
            log.error("what follows a run could not be started", workflow=follower, key=key, code=error.code)

    async def _definition(self, digest: str) -> Definition:
        known = self._by_digest.get(digest)
        if known is None:
            text = await self._database.read(lambda: self._runs.definition(digest))
            if text is None:
                raise WorkflowUnknown("The definition of this run is not kept here any more.")
            known = parse(text, f"definition {digest[:12]}")
            if known.digest != digest:
                raise DefinitionChanged("The kept text of this run's definition is not the one it began with.")
            self._by_digest[digest] = known
        return known


class _Journal:
    """The history of one run, written with the checkpoints of its steps."""

    def __init__(self, runs: Runs, parts: Parts, run_id: UUID, workflow: str) -> None:
        self._runs, self._parts, self._run_id, self._workflow = runs, parts, run_id, workflow
        # A run begins in VALIDATING, so that its first step needs no transaction before its call.
        self._state = RunState.VALIDATING
        self._pass: int | None = None

    def is_news(self, coming: Step) -> bool:
        return state_of(coming.metadata) is not self._state

    async def turn(self, done: Sequence[Done], coming: Step | Loop | None) -> None:
        state = state_of(coming.metadata) if coming is not None else None
        now = self._parts.clock.now()
        await self._runs.turn(self._run_id, done, state, coming.name if coming is not None else None, now, self._pass)
        if isinstance(coming, Loop):
            await self._runs.begin_loop(self._run_id, coming, now)
        self._state = state or self._state

    async def finish(self, done: Sequence[Done], output: Any) -> None:
        await self._runs.finish(self._run_id, done, outcome_of(output), output, self._parts.clock.now())
        await self._parts.outbox.add(RunCompleted(run_id=self._run_id, workflow=self._workflow))


class _PassJournal(_Journal):
    """The part of a run's history that one pass of a loop writes. It begins in the state of its loop."""

    def __init__(self, runs: Runs, parts: Parts, run_id: UUID, definition: Definition, one: Pass) -> None:
        super().__init__(runs, parts, run_id, definition.workflow)
        self._state = state_of(definition.loop(one.path).metadata)
        self._pass, self._key = one.number, one.loop_key

    async def finish(self, done: Sequence[Done], output: Any) -> None:
        now = self._parts.clock.now()
        await self._runs.turn(self._run_id, done, None, None, now, self._pass)
        await self._runs.end_pass(self._run_id, self._key, now)


def outcome_of(output: Any) -> str:
    """What the run says it came to: the text `outcome` of its output, else `completed`."""
    outcome = output.get("outcome") if isinstance(output, dict) else None
    return outcome[:100] if isinstance(outcome, str) and outcome else "completed"


def _order(definition: Definition) -> tuple[int, ...]:
    return tuple(int(part) for part in definition.version.split("."))
