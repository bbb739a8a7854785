"""Each attempt of durable tasks and of their children: who had it, from when to when, how it ended.

A function that fences itself: behind the fence of a view, no index would find the children of a task.
"""

from alembic import op

revision, down_revision = "0031_attempts", "0030_recovery"

ATTEMPTS = """
create function kernel.task_attempts(p_queue text, p_tasks uuid[], p_max integer) returns table (
  task_id uuid, parent_id uuid, attempt integer, worker text, started_at timestamptz, ended_at timestamptz, code text
)
language plpgsql stable security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.check_queue(p_queue);
  return query execute format($sql$
    with wanted as (
      select t.task_id, null::uuid as parent_id from absurd.%2$I t
       where t.task_id = any($1) and t.headers->>'company_id' = $2
      union all
      select t.task_id, (t.headers->>'parent')::uuid from absurd.%2$I t
       where t.headers->>'parent' = any($1::text[]) and t.headers->>'company_id' = $2)
    select w.task_id, w.parent_id, r.attempt, r.claimed_by, r.started_at, coalesce(r.completed_at, r.failed_at),
           r.failure_reason->>'code'
      from wanted w join absurd.%1$I r on r.task_id = w.task_id order by r.started_at limit $3
  $sql$, 'r_' || p_queue, 't_' || p_queue) using p_tasks, kernel.company_text(), p_max;
end $$;
grant execute on function kernel.task_attempts to eco_service;
"""


def upgrade() -> None:
    op.execute(ATTEMPTS)


def downgrade() -> None:
    op.execute("drop function kernel.task_attempts")
