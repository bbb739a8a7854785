"""Definitions that were shipped here, runs, their transitions and their steps."""

from alembic import op

from ecosystem.kernel.db.ddl import fence, grant_service, kernel_tables

revision, down_revision = "0001_runs", None

TABLES = """
-- The same for all companies. A text that a run has used stays as it is.
create table orchestrator.definitions (
  digest text primary key,
  workflow text not null,
  version text not null,
  body text not null,
  added_at timestamptz not null,
  used_at timestamptz,
  unique (workflow, version)
);

create table orchestrator.runs (
  company_id uuid not null,
  run_id uuid not null,
  workflow text not null,
  version text not null,
  digest text not null,
  key text not null,
  input jsonb not null,
  status text not null check (status in ('running', 'completed', 'failed', 'cancelled')),
  state text not null,
  outcome text,
  output jsonb,
  code text,
  reason text,
  generation integer not null default 0,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  started_at timestamptz not null,
  ended_at timestamptz,
  primary key (company_id, run_id),
  unique (company_id, workflow, key)
) with (fillfactor = 70);
create index runs_newest on orchestrator.runs (company_id, created_at, run_id);

create table orchestrator.transitions (
  company_id uuid not null,
  run_id uuid not null,
  number bigint generated always as identity,
  state text not null,
  at timestamptz not null,
  step text,
  reason text,
  primary key (company_id, run_id, number)
);

create table orchestrator.steps (
  company_id uuid not null,
  run_id uuid not null,
  number bigint generated always as identity,
  name text not null,
  path text not null,
  agent text not null,
  task text not null,
  attempt integer not null,
  began_at timestamptz not null,
  ended_at timestamptz not null,
  code text,
  primary key (company_id, run_id, number)
);
"""


def upgrade() -> None:
    for statement in kernel_tables("orchestrator"):
        op.execute(statement)
    op.execute(TABLES)
    for table in ("runs", "transitions", "steps"):
        op.execute(fence(f"orchestrator.{table}"))
    op.execute(grant_service("orchestrator"))


def downgrade() -> None:
    raise RuntimeError("Runs are never taken back: restore a backup instead.")
