"""What waits for a time is due as well when a clock that went back has put its beginning into the future."""

from alembic import op

revision, down_revision = "0004_clocks", "0003_causes"

DUE = """
alter table monitoring.pages add column called_at timestamptz;

create or replace function monitoring.companies_with_due_pages(due timestamptz) returns setof uuid
language sql stable security definer set search_path = monitoring, pg_temp as $f$
  select distinct company_id from monitoring.pages
   where state = 'open' and (climbs_at <= due or called_at > due + interval '1 minute')
$f$;

create or replace function monitoring.companies_with_due_notifications(due timestamptz) returns setof uuid
language sql stable security definer set search_path = monitoring, pg_temp as $f$
  select distinct company_id from monitoring.notifications
   where (state in ('waiting', 'sending') and due_at <= due)
      or (state = 'waiting' and created_at > due + interval '1 minute')
$f$;
"""


def upgrade() -> None:
    op.execute(DUE)


def downgrade() -> None:
    raise RuntimeError("Pages and messages are never taken back: restore a backup instead.")
