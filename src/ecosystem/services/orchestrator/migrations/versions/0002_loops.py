"""How far the loops of a run have come, and which pass a step belongs to."""

from alembic import op

from ecosystem.kernel.db.ddl import fence

revision, down_revision = "0002_loops", "0001_runs"

TABLES = """
alter table orchestrator.steps add column pass integer;

create table orchestrator.loops (
  company_id uuid not null,
  run_id uuid not null,
  number bigint generated always as identity,
  key text not null,
  name text not null,
  path text not null,
  each text not null,
  passes integer not null,
  ended integer not null default 0,
  began_at timestamptz not null,
  primary key (company_id, run_id, key)
) with (fillfactor = 70);
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(fence("orchestrator.loops"))


def downgrade() -> None:
    raise RuntimeError("Runs are never taken back: restore a backup instead.")
