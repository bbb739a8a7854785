"""Sweeps over all objects, and what they found. Names and numbers of all companies, no content: no fence."""

from alembic import op

from ecosystem.kernel.db.ddl import grant_service, kernel_tables

revision, down_revision = "0001_care", None

TABLES = """
create table objects.sweeps (
    sweep_id bigint generated always as identity primary key,
    started_at timestamptz not null,
    finished_at timestamptz,
    position text not null default '',
    objects bigint not null default 0,
    stored_bytes bigint not null default 0,
    damaged bigint not null default 0,
    expired bigint not null default 0,
    next_expiry date
);

create table objects.findings (
    name text primary key,
    code text not null,
    found_at timestamptz not null
);
"""


def upgrade() -> None:
    for statement in kernel_tables("objects"):
        op.execute(statement)
    op.execute(TABLES)
    op.execute(grant_service("objects"))


def downgrade() -> None:
    op.execute("drop function objects.companies_with_older_keys, objects.forget_answers")
    op.execute("drop table objects.findings, objects.sweeps")
    op.execute("drop table objects.data_keys, objects.answers, objects.cursors, objects.inbox, objects.parked")
