"""The audit trail and incidents, and the kernel's own tables for this service."""

from alembic import op

from ecosystem.kernel.db.ddl import fence, grant_service, kernel_tables

revision, down_revision = "0001_base", None

# The platform's own entries stand under the company 00000000-0000-0000-0000-000000000000, behind the same fence.
TRAIL = """
create table monitoring.audit_entries (
  company_id uuid not null,
  chain smallint not null check (chain between 0 and 15),
  number bigint not null check (number > 0),
  event_id uuid not null,
  action text not null,
  target text not null,
  user_id text,
  agent_id text,
  source text not null,
  trace_id text,
  happened_at timestamptz not null,
  before jsonb,
  after jsonb,
  hash bytea not null,
  primary key (company_id, chain, number),
  unique (company_id, event_id)
);
create index audit_entries_by_time on monitoring.audit_entries (company_id, happened_at, event_id);
create index audit_entries_by_action on monitoring.audit_entries (company_id, action, happened_at, event_id);
create index audit_entries_by_target on monitoring.audit_entries (company_id, target, happened_at, event_id);
create index audit_entries_by_user on monitoring.audit_entries (company_id, user_id, happened_at, event_id);
create index audit_entries_by_agent on monitoring.audit_entries (company_id, agent_id, happened_at, event_id)
  where agent_id is not null;

create table monitoring.audit_heads (
  company_id uuid not null,
  chain smallint not null check (chain between 0 and 15),
  number bigint not null,
  hash bytea not null,
  primary key (company_id, chain)
) with (fillfactor = 50);
"""

# Incidents are the platform's: ids, codes and measures, of no company. What a company may know of one, and that it
# may, stands fenced in `affected`.
INCIDENTS = """
create table monitoring.incidents (
  incident_id uuid primary key,
  number bigint generated always as identity unique,
  state text not null check (state in ('open', 'acknowledged', 'closed')),
  priority text not null check (priority in ('P1', 'P2', 'P3', 'P4')),
  fault text not null,
  component text not null,
  cause text not null,
  runbook text,
  episode_id uuid not null,
  faults bigint not null default 1,
  episodes bigint not null default 1,
  instances text[] not null default '{}',
  companies uuid[] not null default '{}',
  trace_ids text[] not null default '{}',
  opened_at timestamptz not null,
  faulty_since timestamptz not null,
  seen_at timestamptz not null,
  respond_by timestamptz not null,
  help_needed boolean not null default false,
  paged_at timestamptz,
  acknowledged_at timestamptz,
  acknowledged_by text,
  closed_at timestamptz,
  closed_by text,
  closed_reason text
);
create unique index incidents_by_fault on monitoring.incidents (component, fault) where state <> 'closed';
create index incidents_closed_by_fault on monitoring.incidents (component, fault, closed_at) where state = 'closed';
create index incidents_unfinished on monitoring.incidents (number) where state <> 'closed';

create table monitoring.episodes (
  episode_id uuid primary key,
  incident_id uuid not null references monitoring.incidents,
  began_at timestamptz not null,
  cleared_at timestamptz,
  by_itself boolean,
  repair_seconds double precision,
  paged_at timestamptz
);
create index episodes_by_incident on monitoring.episodes (incident_id);

create table monitoring.timeline (
  incident_id uuid not null references monitoring.incidents,
  number integer not null,
  at timestamptz not null,
  what text not null,
  by text,
  said text not null,
  detail jsonb not null default '{}',
  primary key (incident_id, number)
);

create table monitoring.postmortems (
  incident_id uuid primary key references monitoring.incidents,
  written jsonb not null,
  written_by text not null,
  written_at timestamptz not null
);

create table monitoring.affected (
  company_id uuid not null,
  incident_id uuid not null references monitoring.incidents,
  primary key (company_id, incident_id)
);
"""


def upgrade() -> None:
    for statement in (*kernel_tables("monitoring"), TRAIL, INCIDENTS):
        op.execute(statement)
    for table in ("audit_entries", "audit_heads", "affected"):
        op.execute(fence(f"monitoring.{table}"))
    op.execute(grant_service("monitoring"))
    # The trail is appended to: not even its own service changes or removes an entry.
    op.execute("revoke update, delete on monitoring.audit_entries from eco_monitoring")


def downgrade() -> None:
    raise RuntimeError("The audit trail is never taken back: restore a backup instead.")
