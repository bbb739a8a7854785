"""The kernel's tables: this service keeps nothing else in the database."""

from alembic import op

from ecosystem.kernel.db.ddl import grant_service, kernel_tables

revision, down_revision = "0001_base", None


def upgrade() -> None:
    for statement in kernel_tables("dragonfly"):
        op.execute(statement)
    op.execute(grant_service("dragonfly"))


def downgrade() -> None:
    op.execute("drop function dragonfly.companies_with_older_keys, dragonfly.forget_answers")
    op.execute(
        "drop table dragonfly.data_keys, dragonfly.answers, dragonfly.cursors, dragonfly.inbox, dragonfly.parked"
    )
