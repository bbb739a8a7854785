"""All SQL of stories. Each method belongs inside of `database.read`, for the company of the context."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.services.orchestrator.explaining.model import Attempt, Fallback, Wait

_WORKFLOWS = "array(select workflow from definitions)"
_FIND = f"""
select run_id from (
  select run_id, created_at from runs where company_id = %(company)s and run_id = %(id)s
  union
  select run_id, created_at from runs
   where company_id = %(company)s and workflow = any({_WORKFLOWS}) and key = %(key)s) as found
 order by created_at, run_id limit %(limit)s
"""  # noqa: S608 all text is ours
# What follows a run that was cancelled, given up or replaced is named after it.
_AFTER = f"""
select run_id from runs
 where company_id = %(company)s and workflow = any({_WORKFLOWS}) and key = any(%(keys)s)
 order by created_at, run_id limit %(limit)s
"""  # noqa: S608 all text is ours
_ATTEMPTS = """
select coalesce(parent_id, task_id) as run_id, parent_id is not null as is_pass, attempt, worker, started_at, ended_at,
       code
  from kernel.task_attempts('orchestrator', %(tasks)s, %(limit)s)
"""
_WAITS = """
select s.task_id, s.name, s.at, (s.state->>'until')::double precision as until
  from kernel.orchestrator_steps s where s.task_id = any(%(tasks)s) and s.state ? 'until'
 order by s.at limit %(limit)s
"""
# Those of the passes of its loops too.
_FALLBACKS = """
select coalesce(t.parent_id, t.task_id) as run_id, s.at, s.state->>'step' as step, s.state->>'agent' as agent,
       s.state->>'queued' as code, s.state->>'via' as via
  from kernel.orchestrator_tasks t join kernel.orchestrator_steps s on s.task_id = t.task_id
 where (t.task_id = any(%(tasks)s) or t.parent_id = any(%(tasks)s)) and s.state ?| array['queued', 'via']
 order by s.at limit %(limit)s
"""


class Stories:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def runs_of(self, item_id: UUID, limit: int) -> list[UUID]:
        """The run of that id, or those that were started for a document of that id; the oldest first."""
        rows = await self._all(_FIND, id=item_id, key=str(item_id), limit=limit)
        return [row["run_id"] for row in rows]

    async def followers(self, run_id: UUID, generation: int, limit: int) -> list[UUID]:
        keys = [
            f"after/{run_id}",
            f"instead/{run_id}",
            *(f"after/{run_id}/{number}" for number in range(generation + 1)),
        ]
        return [row["run_id"] for row in await self._all(_AFTER, keys=keys, limit=limit)]

    async def attempts(self, run_ids: Sequence[UUID], limit: int) -> list[Attempt]:
        """None of a run whose task was forgotten."""
        return [Attempt(**row) for row in await self._all(_ATTEMPTS, tasks=list(run_ids), limit=limit)]

    async def waits(self, run_ids: Sequence[UUID], limit: int) -> list[Wait]:
        rows = await self._all(_WAITS, tasks=list(run_ids), limit=limit)
        return [
            Wait(row["task_id"], row["at"], datetime.fromtimestamp(row["until"], UTC), "/let-in~" in row["name"])
            for row in rows
        ]

    async def fallbacks(self, run_ids: Sequence[UUID], limit: int) -> list[Fallback]:
        return [Fallback(**row) for row in await self._all(_FALLBACKS, tasks=list(run_ids), limit=limit)]

    async def _all(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        connection = await driver(self._database)
        cursor = await connection.execute(
            statement, {**values, "company": context.current().company_id}, row_factory=dict_row
        )
        return await cursor.fetchall()
