"""Direct deliveries: which consumers have not come to an event yet, and the events of one lane before the horizon lets
them through.

Neither gives anything away: the first answers with names and places in the log, the second to the consumer's own role.
"""

from alembic import op

revision, down_revision = "0022_direct", "0021_hot_paths"

LATE = """
create function kernel.late_consumers(p_company_ids uuid[], p_event_ids uuid[]) returns table (
  event_id uuid, consumer text, slot smallint, epoch integer, xid xid8, id bigint, recorded_at timestamptz
)
language plpgsql stable security definer set search_path = kernel, pg_temp as $$
declare
  v record;
begin
  for v in select * from kernel.consumers c order by c.name loop
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
"""

LANE = """
create function kernel.read_lane(
  p_consumer text, p_epoch integer, p_xid xid8, p_id bigint, p_recorded timestamptz,
  p_from_epoch integer, p_from_xid xid8, p_from_id bigint, p_max integer
) returns setof kernel.log
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_types text[] := kernel.types_of(p_consumer);
  v_event kernel.log;
begin
  select * into v_event from kernel.log l
   where l.recorded_at = p_recorded and l.epoch = p_epoch and l.xid = p_xid and l.id = p_id;
  if v_event.company_id is null then
    return query select * from kernel.log l where l.company_id is null and l.subject = v_event.subject
      and (l.epoch, l.xid, l.id) > (p_from_epoch, p_from_xid, p_from_id)
      and (l.epoch, l.xid, l.id) <= (p_epoch, p_xid, p_id) and (v_types is null or l.type = any(v_types))
      order by l.epoch, l.xid, l.id limit p_max;
  else
    return query select * from kernel.log l where l.company_id = v_event.company_id and l.subject = v_event.subject
      and (l.epoch, l.xid, l.id) > (p_from_epoch, p_from_xid, p_from_id)
      and (l.epoch, l.xid, l.id) <= (p_epoch, p_xid, p_id) and (v_types is null or l.type = any(v_types))
      order by l.epoch, l.xid, l.id limit p_max;
  end if;
end $$;
"""

RIGHTS = """
grant execute on function kernel.late_consumers, kernel.read_lane to eco_service;
alter function kernel.read_lane owner to eco_relay;
"""


def upgrade() -> None:
    for statements in (LATE, LANE, RIGHTS):
        op.execute(statements)


def downgrade() -> None:
    op.execute("drop function kernel.late_consumers; drop function kernel.read_lane")
