"""What was read on pages that are pictures, encrypted under the document's key and erased with it."""

from alembic import op

from ecosystem.kernel.db.ddl import fence

revision, down_revision = "0002_page_texts", "0001_documents"

TABLES = """
create table creditx.page_texts (
  company_id uuid not null,
  document_id uuid not null,
  page integer not null,
  sealed bytea not null,
  engine text,
  confidence numeric(4, 3) not null,
  characters integer not null,
  read_at timestamptz not null,
  primary key (company_id, document_id, page),
  foreign key (company_id, document_id) references creditx.documents (company_id, document_id)
);
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(fence("creditx.page_texts"))


def downgrade() -> None:
    raise RuntimeError("Documents are kept by law: restore a backup instead.")
