"""Since when there was trouble, beside when it was noticed."""

from alembic import op

revision, down_revision = "0005_began", "0004_clocks"


def upgrade() -> None:
    op.execute("alter table monitoring.incidents add column began_at timestamptz")
    op.execute("update monitoring.incidents set began_at = opened_at")
    op.execute("alter table monitoring.incidents alter column began_at set not null")


def downgrade() -> None:
    op.execute("alter table monitoring.incidents drop column began_at")
