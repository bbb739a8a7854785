"""Recorded answers are written with every effect and forgotten by age once an hour: a block range index is enough.

Rows arrive in the order of their time, so that it finds the old ones as well, and a B-tree cost each effect an entry.
"""

from alembic import op

revision, down_revision = "0033_answers_by_time", "0032_waiting_calls"

REMAKE = """
do $do$ declare v_schema text; begin
  for v_schema in select schemaname from pg_tables where tablename = 'answers' and tableowner = 'eco_owner' loop
    execute format('drop index %1$I.answers_recorded_at', v_schema);
    execute format('create index answers_recorded_at on %1$I.answers using {index}', v_schema);
  end loop;
end $do$
"""


def upgrade() -> None:
    op.execute(REMAKE.format(index="brin (recorded_at) with (autosummarize = on)"))


def downgrade() -> None:
    op.execute(REMAKE.format(index="btree (company_id, recorded_at)"))
