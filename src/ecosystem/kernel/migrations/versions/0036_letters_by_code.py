"""Dead letters by the code of their failure, chosen before they are counted off: those asked for may be the oldest.

Processes of the version before go on asking without a code.
"""

from alembic import op

revision, down_revision = "0036_letters_by_code", "0035_late_among"

LETTERS = """
create function kernel.list_dead_letters(
  p_all boolean, p_consumer text, p_code text, p_before uuid, p_max integer
) returns setof kernel.dead_letters
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_company uuid := nullif(current_setting('eco.company_id', true), '')::uuid;
begin
  perform kernel.only_events();
  return query select * from kernel.dead_letters d
    where (p_all or d.company_id = v_company) and (p_consumer is null or d.consumer = p_consumer)
      and (p_code is null or d.code = p_code) and (p_before is null or d.dead_letter_id < p_before)
      and d.redelivered_at is null
    order by d.dead_letter_id desc limit p_max;
end $$;
grant execute on function kernel.list_dead_letters(boolean, text, text, uuid, integer) to eco_service;
"""


def upgrade() -> None:
    op.execute(LETTERS)


def downgrade() -> None:
    op.execute("drop function kernel.list_dead_letters(boolean, text, text, uuid, integer)")
