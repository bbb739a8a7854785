"""Episodes, actions and modes. They are the platform's own, of no company."""

from alembic import op

from ecosystem.kernel.db.ddl import grant_service, kernel_tables

revision, down_revision = "0001_base", None

# The unique indexes are what keeps two replicas from telling one fault twice, or doing one thing twice.
EPISODES = """
create table recovery.episodes (
  episode_id uuid primary key,
  fault text not null,
  component text not null,
  number integer not null,
  instance text,
  waiting text[] not null default '{}',
  quiet_since timestamptz,
  cause text not null,
  severity text not null,
  companies uuid[] not null default '{}',
  runbook text,
  detail jsonb not null default '{}',
  observed_at timestamptz not null,
  help_at timestamptz,
  cleared_at timestamptz,
  unique (component, fault, number)
);
create unique index episodes_open on recovery.episodes (component, fault) where cleared_at is null;
create index episodes_listed on recovery.episodes (observed_at, episode_id);

create table recovery.actions (
  action_id uuid primary key,
  episode_id uuid references recovery.episodes on delete cascade,
  fault text not null,
  component text not null,
  action text not null,
  attempt integer not null,
  outcome text not null,
  reason text not null,
  by text not null,
  target jsonb not null default '{}',
  at timestamptz not null,
  decided_by text,
  unique (episode_id, action, attempt)
);
create index actions_listed on recovery.actions (at, action_id);
create index actions_of_fault on recovery.actions (fault, at);

create table recovery.modes (
  fault text primary key,
  mode text not null check (mode in ('act', 'propose', 'paused')),
  by text not null,
  reason text not null,
  at timestamptz not null
);

create table recovery.journal_position (
  single boolean primary key default true check (single),
  life text not null,
  sequence bigint not null
);
insert into recovery.journal_position (life, sequence) values ('', 0);
"""


def upgrade() -> None:
    for statement in (*kernel_tables("recovery"), EPISODES, grant_service("recovery")):
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop function recovery.companies_with_older_keys, recovery.forget_answers")
    op.execute("drop table recovery.journal_position, recovery.modes, recovery.actions, recovery.episodes")
    op.execute("drop table recovery.data_keys, recovery.answers, recovery.cursors, recovery.inbox, recovery.parked")
