"""What is waiting for the archive, and the manifest of its files."""

from alembic import op

from ecosystem.kernel.db.ddl import grant_service, kernel_tables

revision, down_revision = "0001_archive", None

TABLES = """
-- Positions only, of all companies: the archive of a company is named by its id, the platform's by 'platform'.
create table events.pending (
  archive text not null,
  day date not null,
  epoch integer not null,
  xid xid8 not null,
  id bigint not null,
  recorded_at timestamptz not null,
  event_id uuid not null,
  size_bytes integer not null,
  primary key (archive, day, epoch, xid, id)
);

create table events.files (
  file_id uuid primary key,
  archive text not null,
  day date not null,
  number integer not null,
  object_name text not null,
  object_size_bytes bigint not null,
  object_digest text not null,
  events bigint not null,
  size_bytes bigint not null,
  content_sha256 text not null,
  first_position text not null,
  last_position text not null,
  previous_sha256 text,
  retain_until date not null,
  made_at timestamptz not null,
  unique (archive, day, number)
);
"""


def upgrade() -> None:
    for statement in kernel_tables("events"):
        op.execute(statement)
    op.execute(TABLES)
    op.execute(grant_service("events"))


def downgrade() -> None:
    raise RuntimeError("The archive's manifest is never taken back: restore a backup instead.")
