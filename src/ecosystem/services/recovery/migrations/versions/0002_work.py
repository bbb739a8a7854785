"""The queue of work that no machine can finish. Items of the platform itself belong to the company of zeros."""

from alembic import op

from ecosystem.kernel.db.ddl import fence

revision, down_revision = "0002_work", "0001_base"

WORK = """
create table recovery.work (
  company_id uuid not null,
  item_id uuid not null,
  kind text not null check (kind in ('run', 'fault')),
  subject uuid not null,
  what text not null,
  code text not null,
  context jsonb not null default '{}',
  failures integer not null default 1,
  state text not null default 'open' check (state in ('open', 'closed')),
  opened_at timestamptz not null,
  claimed_by text,
  claimed_until timestamptz,
  closed_at timestamptz,
  closed_by text,
  closed_reason text,
  primary key (company_id, item_id)
);
create index work_listed on recovery.work (company_id, state, opened_at, item_id);
"""


def upgrade() -> None:
    op.execute(WORK)
    op.execute(fence("recovery.work"))


def downgrade() -> None:
    op.execute("drop table recovery.work")
