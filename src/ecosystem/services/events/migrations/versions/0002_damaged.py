"""Files of the archive whose object is damaged, until they are restored or known to be lost."""

from alembic import op

from ecosystem.kernel.db.ddl import grant_service

revision, down_revision = "0002_damaged", "0001_archive"

TABLES = """
create table events.damaged (
  object_digest text primary key
);
create index files_by_object on events.files (object_digest);
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(grant_service("events"))


def downgrade() -> None:
    op.execute("drop table events.damaged; drop index events.files_by_object")
