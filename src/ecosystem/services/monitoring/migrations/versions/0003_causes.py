"""The incident that is the cause of another, by its number."""

from alembic import op

revision, down_revision = "0003_causes", "0002_calling"


def upgrade() -> None:
    op.execute("alter table monitoring.incidents add column caused_by bigint references monitoring.incidents (number)")
    op.execute(
        "create index incidents_by_cause on monitoring.incidents (caused_by)"
        " where caused_by is not null and state <> 'closed'"
    )


def downgrade() -> None:
    op.execute("alter table monitoring.incidents drop column caused_by")
