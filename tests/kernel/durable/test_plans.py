"""Goal: what is planned once in a session is right when the tables have grown. Method: the same session, many rows."""

import psycopg

from tests.kernel.db.fixtures import execute
from tests.kernel.durable.conftest import Tasks

ROWS = 5_000
FULL = f"""
with task as (
  insert into absurd.t_orchestrator (task_id, task_name, params, enqueue_at, state, attempts, last_attempt_run)
  select gen_random_uuid(), 'past', '{{}}', now(), 'completed', 1, gen_random_uuid() from generate_series(1, {ROWS})
  returning task_id, last_attempt_run
), run as (
  insert into absurd.r_orchestrator (run_id, task_id, attempt, state, available_at)
  select last_attempt_run, task_id, 1, 'completed', now() from task
)
insert into absurd.c_orchestrator (task_id, checkpoint_name, state, status, owner_run_id, updated_at)
select task_id, 'one', '1', 'committed', last_attempt_run, now() from task
"""
READ = """
select coalesce(sum(seq_tup_read + idx_tup_fetch), 0) from pg_stat_xact_user_tables
 where schemaname = 'absurd' and relname like '_%orchestrator'
"""


async def test_what_was_planned_on_empty_tables_reads_few_rows_of_full_ones(tasks: Tasks) -> None:
    claim = "select task_id, run_id from kernel.orchestrator_claim('orchestrator/one', 30, 4)"
    with psycopg.connect(tasks.platform.url("eco_orchestrator"), autocommit=True) as session:

        def one_run() -> int:
            """Claim it and keep a step; the rows that were read."""
            with session.transaction():
                (task_id, run_id), nothing_more = session.execute(claim).fetchall()
                session.execute("select kernel.orchestrator_keep(%s, %s, 30, '{one}', '{1}')", (task_id, run_id))
                ((read,),) = session.execute(READ).fetchall()
            assert nothing_more == (None, None)
            return int(read)

        await tasks.start("work")
        of_empty = one_run()
        execute(tasks.platform.admin_url, FULL)
        await tasks.start("work")
        of_full = one_run()

    assert 0 < of_full <= of_empty + 10
