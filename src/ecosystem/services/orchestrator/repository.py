"""All SQL of the orchestrator. The history of a run is written by one statement a turn."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg.rows import class_row, dict_row

from ecosystem.contracts.orchestrator import RunState
from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.services.orchestrator.model import LoopRecord, Run, StepRecord, Transition, sources
from ecosystem.workflow.model import Definition
from ecosystem.workflow.port import Loop
from ecosystem.workflow.run import Done

_RUN = """run_id, workflow, version, digest, input, status, state, outcome, output, code, reason, generation,
  created_at, updated_at, started_at, ended_at"""

_ADD = """
with used as (
  update definitions set used_at = %(now)s where digest = %(digest)s and used_at is null
), run as (
  insert into runs (company_id, run_id, workflow, version, digest, key, input, status, state, created_at, updated_at,
                    started_at)
  values (%(company)s, %(run)s, %(workflow)s, %(version)s, %(digest)s, %(key)s, %(input)s::text::jsonb, 'running',
          'VALIDATING', %(now)s, %(now)s, %(now)s)
  on conflict (company_id, workflow, key) do nothing returning run_id
)
insert into transitions (company_id, run_id, state, at)
select %(company)s, run.run_id, moves.state, %(now)s
  from run, (values (1, 'IDLE'), (2, 'VALIDATING')) as moves (n, state) order by moves.n
"""

# Not what stands there: a commit that was done and not heard of is done again.
_DONE = """
with done as (
  insert into steps (company_id, run_id, name, path, pass, agent, task, attempt, began_at, ended_at, code)
  select %(company)s, %(run)s, name, path, %(pass)s, agent, task, attempt, began_at, ended_at, code
    from jsonb_to_recordset(%(done)s::text::jsonb) as s (name text, path text, agent text, task text,
         attempt integer, began_at timestamptz, ended_at timestamptz, code text)
   where not exists (select from steps k where k.company_id = %(company)s and k.run_id = %(run)s and k.path = s.path
                      and k.pass is not distinct from %(pass)s::integer and k.began_at = s.began_at)
)
"""

_TURN = f"""
{_DONE}, moved as (
  update runs set state = %(state)s, updated_at = %(now)s
   where company_id = %(company)s and run_id = %(run)s and state <> %(state)s and state = any(%(sources)s)
  returning run_id
)
insert into transitions (company_id, run_id, state, at, step)
select %(company)s, run_id, %(state)s, %(now)s, %(step)s from moved
"""  # noqa: S608 all text is ours

_FINISH = f"""
{_DONE}, before as (
  select state from runs where company_id = %(company)s and run_id = %(run)s
), moved as (
  update runs set status = 'completed', state = 'IDLE', outcome = %(outcome)s, output = %(output)s::text::jsonb,
         updated_at = %(now)s, ended_at = %(now)s
   where company_id = %(company)s and run_id = %(run)s and status = 'running'
  returning run_id
)
insert into transitions (company_id, run_id, state, at, reason)
select %(company)s, moved.run_id, moves.state, %(now)s, moves.reason
  from moved, before, (values (1, 'FINALIZING', null), (2, 'IDLE', %(outcome)s::text)) as moves (n, state, reason)
 where moves.n = 2 or before.state <> 'FINALIZING' order by moves.n
"""  # noqa: S608 all text is ours

_BEGIN_LOOP = """
insert into loops (company_id, run_id, key, name, path, each, passes, began_at)
values (%(company)s, %(run)s, %(key)s, %(name)s, %(path)s, %(each)s, %(passes)s, %(now)s)
on conflict (company_id, run_id, key) do nothing
"""

_END_OF_ONE = """
update loops set ended = ended + 1 where company_id = %(company)s and run_id = %(run)s and key = %(key)s
"""

_FAIL = """
with moved as (
  update runs set status = 'failed', state = 'ERROR', code = %(code)s, reason = %(reason)s, updated_at = %(now)s
   where company_id = %(company)s and run_id = %(run)s and status = 'running'
  returning run_id, workflow
), told as (
  insert into transitions (company_id, run_id, state, at, reason, step)
  select %(company)s, run_id, 'ERROR', %(now)s, %(reason)s,
         (select name from steps where company_id = %(company)s and run_id = %(run)s and code is not null
           order by number desc limit 1)
    from moved
)
select workflow from moved
"""

_CANCEL = """
with moved as (
  update runs set status = 'cancelled', state = 'IDLE', outcome = 'cancelled', updated_at = %(now)s, ended_at = %(now)s
   where company_id = %(company)s and run_id = %(run)s and status in ('running', 'failed')
  returning run_id
), told as (
  insert into transitions (company_id, run_id, state, at, reason)
  select %(company)s, run_id, 'IDLE', %(now)s, 'cancelled' from moved
)
select run_id from moved
"""

_RETRY = """
with moved as (
  update runs set status = 'running', state = 'VALIDATING', code = null, reason = null, generation = generation + 1,
         updated_at = %(now)s, started_at = %(now)s
   where company_id = %(company)s and run_id = %(run)s and status = 'failed'
  returning run_id
), told as (
  insert into transitions (company_id, run_id, state, at, reason)
  select %(company)s, run_id, 'VALIDATING', %(now)s, 'retried' from moved
)
select run_id from moved
"""

_LIST = f"""
select {_RUN} from runs
 where company_id = %(company)s and (%(state)s::text is null or state = %(state)s)
   and (%(workflow)s::text is null or workflow = %(workflow)s)
   and (%(after)s::uuid is null or (created_at, run_id) < (%(after_at)s::timestamptz, %(after)s::uuid))
 order by created_at desc, run_id desc limit %(limit)s
"""  # noqa: S608 the columns are ours


class Runs:
    """Runs of the company of the context, and the definitions that all companies share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, workflow: str, key: str) -> UUID | None:
        """The run that this key started."""
        rows = await self._all("select run_id from runs where company_id = %(company)s and workflow = %(workflow)s"
                               " and key = %(key)s", workflow=workflow, key=key)  # fmt: skip
        return rows[0]["run_id"] if rows else None

    async def add(self, run_id: UUID, definition: Definition, key: str, value: dict[str, Any], now: datetime) -> bool:
        """A new run in VALIDATING; False where this key has started one already."""
        connection = await driver(self._database)
        values = {
            "company": context.current().company_id, "run": run_id, "workflow": definition.workflow,
            "version": definition.version, "digest": definition.digest, "key": key, "input": _json(value), "now": now,
        }  # fmt: skip
        return (await connection.execute(_ADD, values)).rowcount > 0

    async def get(self, run_id: UUID) -> Run | None:
        """Without transitions and steps."""
        return await self._run(run_id)

    async def show(self, run_id: UUID) -> Run | None:
        """With every transition and step, in the order in which they were written."""
        run = await self._run(run_id)
        if run is None:
            return None
        where = "where company_id = %(company)s and run_id = %(run)s order by number"
        transitions = await self._all(f"select state, at, step, reason from transitions {where}", run=run_id)  # noqa: S608
        loops = await self._all(f"select name, path, each, passes, ended, began_at from loops {where}", run=run_id)  # noqa: S608
        steps = await self._all(
            "select name, path, pass as pass_number, agent, task, attempt, began_at, ended_at, code"  # noqa: S608
            f" from steps {where}",
            run=run_id,
        )
        shown = {
            "transitions": tuple(Transition(**row) for row in transitions),
            "loops": tuple(LoopRecord(**row) for row in loops),
        }
        return Run(**{**vars(run), **shown, "steps": tuple(StepRecord(**row) for row in steps)})

    async def page(
        self, state: str | None, workflow: str | None, after: tuple[str, str] | None, limit: int
    ) -> list[Run]:
        """At most `limit` runs, newest first, that come after (created_at, run_id)."""
        at, run_id = after or (None, None)
        rows = await self._all(_LIST, state=state, workflow=workflow, after=run_id, after_at=at, limit=limit)
        return [Run(**row) for row in rows]

    async def turn(
        self, run_id: UUID, done: Sequence[Done], coming: RunState | None, step: str | None, now: datetime,
        pass_number: int | None = None,
    ) -> None:  # fmt: skip
        """Write finished steps (those of a pass with its number), and move to `coming` where the state machine allows
        it and the run is not there.
        """
        state = (coming or RunState.IDLE).value
        allowed = sources(coming) if coming is not None else []
        values = {"done": _steps(done), "state": state, "sources": allowed, "step": step, "pass": pass_number}
        await self._execute(_TURN, run_id, now, **values)

    async def finish(self, run_id: UUID, done: Sequence[Done], outcome: str, output: Any, now: datetime) -> None:
        values = {"done": _steps(done), "outcome": outcome, "output": _json(output), "pass": None}
        await self._execute(_FINISH, run_id, now, **values)

    async def begin_loop(self, run_id: UUID, loop: Loop, now: datetime) -> None:
        """Note how many passes there will be. A loop that goes on after a retry keeps its count."""
        values = {"key": loop.key, "name": loop.name, "path": loop.path, "each": loop.each}
        await self._execute(_BEGIN_LOOP, run_id, now, passes=len(loop.passes), **values)

    async def end_pass(self, run_id: UUID, key: str, now: datetime) -> None:
        """Count a pass that came to its end, in the transaction that completes it."""
        await self._execute(_END_OF_ONE, run_id, now, key=key)

    async def fail(self, run_id: UUID, code: str, reason: str, now: datetime) -> str | None:
        """The name of the workflow, or None where the run was not under way."""
        rows = await self._all(_FAIL, run=run_id, code=code, reason=reason, now=now)
        return rows[0]["workflow"] if rows else None

    async def cancel(self, run_id: UUID, now: datetime) -> bool:
        return bool(await self._all(_CANCEL, run=run_id, now=now))

    async def retry(self, run_id: UUID, now: datetime) -> bool:
        return bool(await self._all(_RETRY, run=run_id, now=now))

    async def keep_definition(self, definition: Definition, now: datetime) -> bool:
        """Keep the text; False where a run has used another text of this version."""
        rows = await self._all(
            "insert into definitions (digest, workflow, version, body, added_at)"
            " values (%(digest)s, %(workflow)s, %(version)s, %(body)s, %(now)s)"
            " on conflict (workflow, version) do update set digest = excluded.digest, body = excluded.body,"
            " added_at = excluded.added_at where definitions.used_at is null or definitions.digest = excluded.digest"
            " returning digest",
            digest=definition.digest, workflow=definition.workflow, version=definition.version,
            body=definition.text, now=now,
        )  # fmt: skip
        return bool(rows)

    async def definition(self, digest: str) -> str | None:
        """The text of a definition that was shipped once."""
        rows = await self._all("select body from definitions where digest = %(digest)s", digest=digest)
        return rows[0]["body"] if rows else None

    async def _run(self, run_id: UUID) -> Run | None:
        connection = await driver(self._database)
        cursor = await connection.execute(
            f"select {_RUN} from runs where company_id = %s and run_id = %s",  # noqa: S608 the columns are ours
            (context.current().company_id, run_id),
            row_factory=class_row(Run),
        )
        return await cursor.fetchone()

    async def _all(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        connection = await driver(self._database)
        cursor = await connection.execute(
            statement, {"company": context.current().company_id} | values, row_factory=dict_row
        )
        return await cursor.fetchall()

    async def _execute(self, statement: str, run_id: UUID, now: datetime, **values: Any) -> None:
        connection = await driver(self._database)
        fixed = {"company": context.current().company_id, "run": run_id, "now": now}
        await connection.later(statement, fixed | values)


def _steps(done: Sequence[Done]) -> str:
    return _json([
        {
            "name": one.step.name, "path": one.step.path, "agent": one.step.agent, "task": one.step.request_type,
            "attempt": one.step.attempt, "began_at": one.began_at, "ended_at": one.ended_at,
            "code": one.error.code if one.error else None,
        }
        for one in done
    ])  # fmt: skip


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
