"""What was created under an Idempotency-Key, so that the same request again creates nothing more."""

from alembic import op

from ecosystem.kernel.db.ddl import fence, grant_service

revision, down_revision = "0002_creations", "0001_identity"

# `company_id` and `client_id` are of who asked. Neither the key nor a secret is kept.
TABLE = """
create table authn.creations (
  company_id uuid not null,
  client_id text not null,
  key_digest bytea not null check (length(key_digest) = 32),
  fingerprint bytea not null check (length(fingerprint) = 32),
  made_id text not null,
  made_at timestamptz not null,
  primary key (company_id, client_id, key_digest)
)
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(fence("authn.creations"))
    op.execute(grant_service("authn"))


def downgrade() -> None:
    raise RuntimeError("Clients and keys are never taken back: restore a backup instead.")
