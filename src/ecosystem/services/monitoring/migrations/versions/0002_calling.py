"""Channels and the outbox of messages; who is on call, and pages."""

from alembic import op

from ecosystem.kernel.db.ddl import fence, grant_service

revision, down_revision = "0002_calling", "0001_base"

# The platform's own rows stand under the company 00000000-0000-0000-0000-000000000000. Addresses, names and the texts
# of messages are ciphertext: those of a person under that person's key.
NOTIFYING = """
create table monitoring.channels (
  company_id uuid not null,
  channel_id uuid not null,
  name text not null check (octet_length(name) <= 120),
  service text not null,
  sealed_url bytea not null,
  person_id uuid,
  time_zone text not null,
  quiet text,
  created_at timestamptz not null,
  removed_at timestamptz,
  primary key (company_id, channel_id)
);
create unique index channels_by_name on monitoring.channels (company_id, name) where removed_at is null;
create index channels_of_person on monitoring.channels (company_id, person_id) where removed_at is null;

create table monitoring.notifications (
  company_id uuid not null,
  notification_id uuid not null,
  channel_id uuid not null,
  template text not null,
  dedup_key text not null check (octet_length(dedup_key) <= 200),
  urgent boolean not null,
  sealed_text bytea not null,
  state text not null check (state in ('waiting', 'sending', 'sent', 'failed')),
  attempts integer not null default 0,
  repeats bigint not null default 0,
  problem text,
  created_at timestamptz not null,
  due_at timestamptz not null,
  lease uuid,
  sent_at timestamptz,
  ended_at timestamptz,
  primary key (company_id, notification_id),
  foreign key (company_id, channel_id) references monitoring.channels (company_id, channel_id)
) with (fillfactor = 70);
create index notifications_due on monitoring.notifications (company_id, due_at) where state in ('waiting', 'sending');
create index notifications_newest on monitoring.notifications (company_id, created_at, notification_id);
create index notifications_by_key on monitoring.notifications (company_id, channel_id, dedup_key, created_at);

-- `due_at` of what is being sent is when its lease ends: whoever died with it is followed by another.
create function monitoring.companies_with_due_notifications(due timestamptz) returns setof uuid
language sql stable security definer set search_path = monitoring, pg_temp as $f$
  select distinct company_id from monitoring.notifications where state in ('waiting', 'sending') and due_at <= due
$f$;
create function monitoring.forget_notifications(before timestamptz) returns void
language sql security definer set search_path = monitoring, pg_temp as $f$
  delete from monitoring.notifications where (company_id, notification_id) in (
    select company_id, notification_id from monitoring.notifications where ended_at < before limit 2000)
$f$;
"""

CALLING = """
create table monitoring.people (
  company_id uuid not null,
  person_id uuid not null,
  key_index bytea not null check (length(key_index) = 32),
  sealed bytea not null,
  time_zone text not null,
  quiet text,
  channels uuid[] not null,
  removed_at timestamptz,
  primary key (company_id, person_id)
);
create unique index people_by_key on monitoring.people (company_id, key_index) where removed_at is null;

create table monitoring.rotas (
  company_id uuid primary key,
  version integer not null,
  time_zone text not null,
  rounds integer not null,
  levels jsonb not null,
  set_by text not null,
  set_at timestamptz not null
);

create table monitoring.overrides (
  company_id uuid not null,
  override_id uuid not null,
  level integer not null,
  person_id uuid not null,
  from_at timestamptz not null,
  to_at timestamptz not null,
  set_by text not null,
  set_at timestamptz not null,
  removed_at timestamptz,
  primary key (company_id, override_id),
  foreign key (company_id, person_id) references monitoring.people (company_id, person_id)
);
create index overrides_by_end on monitoring.overrides (company_id, to_at) where removed_at is null;

create table monitoring.pages (
  company_id uuid not null,
  page_id uuid not null,
  incident_id uuid,
  dedup_key uuid not null,
  priority text not null check (priority in ('P1', 'P2', 'P3', 'P4')),
  title text not null,
  summary text not null,
  runbook text,
  state text not null check (state in ('open', 'acknowledged', 'withdrawn', 'unanswered')),
  level integer not null,
  round integer not null,
  climbs_at timestamptz not null,
  requested_at timestamptz not null,
  requested_by text,
  ended_at timestamptz,
  ended_by text,
  primary key (company_id, page_id)
) with (fillfactor = 70);
create unique index pages_open on monitoring.pages (company_id, dedup_key) where state = 'open';
create index pages_due on monitoring.pages (company_id, climbs_at) where state = 'open';
create index pages_of_incident on monitoring.pages (company_id, incident_id);
create index pages_newest on monitoring.pages (company_id, requested_at, page_id);

create table monitoring.page_calls (
  company_id uuid not null,
  page_id uuid not null,
  number bigint generated always as identity,
  at timestamptz not null,
  level integer not null,
  round integer not null,
  person_id uuid,
  notifications uuid[] not null,
  primary key (company_id, page_id, number),
  foreign key (company_id, page_id) references monitoring.pages (company_id, page_id)
);

create function monitoring.companies_with_due_pages(due timestamptz) returns setof uuid
language sql stable security definer set search_path = monitoring, pg_temp as $f$
  select distinct company_id from monitoring.pages where state = 'open' and climbs_at <= due
$f$;
"""

_FENCED = ("channels", "notifications", "people", "rotas", "overrides", "pages", "page_calls")


def upgrade() -> None:
    op.execute(NOTIFYING)
    op.execute(CALLING)
    for table in _FENCED:
        op.execute(fence(f"monitoring.{table}"))
    for function in ("companies_with_due_notifications", "forget_notifications", "companies_with_due_pages"):
        op.execute(f"revoke all on function monitoring.{function}(timestamptz) from public")
        op.execute(f"grant execute on function monitoring.{function}(timestamptz) to eco_monitoring")
    op.execute(grant_service("monitoring"))
    op.execute("revoke update, delete on monitoring.audit_entries from eco_monitoring")


def downgrade() -> None:
    raise RuntimeError("Pages and messages are never taken back: restore a backup instead.")
