"""Each attempt of a durable task, for the company whose task it is: who had it, from when to when, how it ended."""

from alembic import op

revision, down_revision = "0031_attempts", "0030_recovery"

QUEUES = ("orchestrator",)
VIEW = """
create view kernel.{queue}_attempts with (security_barrier) as
select r.task_id, (t.headers->>'parent')::uuid as parent_id, r.attempt, r.state, r.claimed_by as worker, r.started_at,
       coalesce(r.completed_at, r.failed_at) as ended_at, r.failure_reason->>'code' as code
  from absurd.r_{queue} r join absurd.t_{queue} t on t.task_id = r.task_id
 where t.headers->>'company_id' = nullif(current_setting('eco.company_id', true), '')
"""


def upgrade() -> None:
    for queue in QUEUES:
        op.execute(VIEW.format(queue=queue))
        op.execute(f"grant select on kernel.{queue}_attempts to eco_service")


def downgrade() -> None:
    for queue in QUEUES:
        op.execute(f"drop view kernel.{queue}_attempts")
