"""Documents on their way to an outcome are counted for each upload: that must cost nothing while there are few."""

from alembic import op

revision, down_revision = "0004_unfinished", "0003_judging"


def upgrade() -> None:
    op.execute(
        "create index documents_unfinished on creditx.documents (company_id) where status in ('received', 'processing')"
    )


def downgrade() -> None:
    op.execute("drop index creditx.documents_unfinished")
