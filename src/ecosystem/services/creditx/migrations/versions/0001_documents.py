"""Documents with what was read and judged (encrypted under the document's key), search terms, uploads, companies."""

from alembic import op

from ecosystem.kernel.db.ddl import fence, grant_service, kernel_tables

revision, down_revision = "0001_documents", None

TABLES = """
-- What a company is like, as its company_created said: dates are read and judged by its habits.
create table creditx.companies (
  company_id uuid primary key,
  time_zone text not null,
  locale text not null,
  currency text not null
);

create table creditx.documents (
  company_id uuid not null,
  document_id uuid not null,
  status text not null check (status in ('received', 'processing', 'completed', 'failed')),
  uploaded_at timestamptz not null,
  uploaded_by text,
  updated_at timestamptz not null,
  file_name bytea not null,
  media_type text not null,
  size_bytes bigint not null,
  facts jsonb not null,
  inspector_version integer not null,
  object_name text not null,
  object_digest text not null,
  retain_until date not null,
  rule_set text not null,
  kind text,
  kind_confidence numeric(3, 2),
  reading bytea,
  read_at timestamptz,
  judged_at timestamptz,
  judged_as_of date,
  judged_outcome text check (judged_outcome in ('approved', 'rejected', 'review')),
  score numeric(5, 2),
  rule_set_version integer,
  rule_set_sha256 text,
  decision bytea,
  failing text[] not null default '{}',
  reasons text[] not null default '{}',
  outcome text check (outcome in ('approved', 'rejected', 'review')),
  completed_at timestamptz,
  failure text,
  erased_at timestamptz,
  primary key (company_id, document_id)
);
create index documents_newest on creditx.documents (company_id, uploaded_at desc, document_id desc);

create table creditx.terms (
  company_id uuid not null,
  term bytea not null,
  document_id uuid not null,
  primary key (company_id, term, document_id),
  foreign key (company_id, document_id) references creditx.documents (company_id, document_id)
);
create index terms_of_document on creditx.terms (company_id, document_id);

create table creditx.uploads (
  company_id uuid not null,
  client_id text not null,
  key_digest bytea not null,
  fingerprint bytea not null,
  document_id uuid not null,
  uploaded_at timestamptz not null,
  primary key (company_id, client_id, key_digest)
);

-- Of the platform, not of a company: which text a version of a rule set had when it was first used.
create table creditx.rule_sets_used (
  name text not null,
  version integer not null,
  sha256 text not null,
  used_at timestamptz not null,
  primary key (name, version)
);
"""


def upgrade() -> None:
    for statement in kernel_tables("creditx"):
        op.execute(statement)
    op.execute(TABLES)
    for table in ("companies", "documents", "terms", "uploads"):
        op.execute(fence(f"creditx.{table}"))
    op.execute(grant_service("creditx"))
    op.execute("revoke update, delete on creditx.rule_sets_used from eco_creditx")


def downgrade() -> None:
    raise RuntimeError("Documents are kept by law: restore a backup instead.")
