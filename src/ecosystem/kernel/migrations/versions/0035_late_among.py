"""Who is late, asked only of the consumers that an agent can reach, and of those only where a type is theirs.

Each consumer asked costs a statement that is put together and planned anew, for its schema has tables of its own.
Processes of the version before go on asking of all.
"""

from alembic import op

revision, down_revision = "0035_late_among", "0034_planned_once"

LATE = """
create function kernel.late_consumers(p_consumers text[], p_types text[], p_company_ids uuid[], p_event_ids uuid[])
returns table (
  event_id uuid, consumer text, slot smallint, epoch integer, xid xid8, id bigint, recorded_at timestamptz
)
language plpgsql stable security definer set search_path = kernel, pg_temp as $$
declare
  v record;
begin
  for v in select * from kernel.consumers c
            where c.name = any(p_consumers) and (c.types is null or c.types && p_types) order by c.name loop
    return query execute format(
      'select l.event_id, $1, l.slot, l.epoch, l.xid, l.id, l.recorded_at'
      '  from unnest($3::uuid[], $4::uuid[]) k (company_id, event_id)'
      ' cross join lateral (select * from kernel.log l where l.event_id = k.event_id'
      '   and (l.company_id = k.company_id or (k.company_id is null and l.company_id is null)) limit 1) l'
      '  join %1$I.cursors c on c.consumer = $1 and c.slot = l.slot'
      '   and (c.epoch, c.xid, c.id) < (l.epoch, l.xid, l.id)'
      ' where ($2::text[] is null or l.type = any($2))'
      '   and not exists (select from %1$I.inbox i where i.consumer = $1 and i.event_id = l.event_id)'
      ' order by l.epoch, l.xid, l.id', v.schema) using v.name, v.types, p_company_ids, p_event_ids;
  end loop;
end $$;
grant execute on function kernel.late_consumers(text[], text[], uuid[], uuid[]) to eco_service;
"""


def upgrade() -> None:
    op.execute(LATE)


def downgrade() -> None:
    op.execute("drop function kernel.late_consumers(text[], text[], uuid[], uuid[])")
