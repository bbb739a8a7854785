"""Customers, what a judgement was computed from, decisions of persons, and the queue of documents that await one."""

from alembic import op

from ecosystem.kernel.db.ddl import fence, grant_service

revision, down_revision = "0003_judging", "0002_page_texts"

CHANGES = """
alter table creditx.documents
  -- The company's own reference for its customer: sealed, and as a blind index to find it by.
  add column customer bytea,
  add column customer_index bytea,
  -- The facts that the rules were applied to, sealed: from them and the rules' text the score can be recomputed.
  add column decision_inputs bytea,
  add column open_rules text[] not null default '{}',
  -- What a person decided; `outcome` is then that decision, `judged_outcome` what the rules had said.
  add column decided_at timestamptz,
  add column decided_by text,
  add column decided_reason bytea;
create index documents_of_customer on creditx.documents (company_id, customer_index, uploaded_at desc)
  where customer_index is not null;

-- Documents that await the decision of a person; a row goes when it is made. A claim is a lease.
create table creditx.reviews (
  company_id uuid not null,
  document_id uuid not null,
  requested_at timestamptz not null,
  claimed_by text,
  claimed_until timestamptz,
  primary key (company_id, document_id),
  foreign key (company_id, document_id) references creditx.documents (company_id, document_id)
);
create index reviews_oldest on creditx.reviews (company_id, requested_at, document_id);
insert into creditx.reviews (company_id, document_id, requested_at)
select company_id, document_id, updated_at from creditx.documents where outcome = 'review' and erased_at is null;
"""


def upgrade() -> None:
    op.execute(CHANGES)
    op.execute(fence("creditx.reviews"))
    op.execute(grant_service("creditx"))
    op.execute("revoke update, delete on creditx.rule_sets_used from eco_creditx")


def downgrade() -> None:
    raise RuntimeError("Documents are kept by law: restore a backup instead.")
