"""Care for the log: what companies may see of it, dead letters, replay, and how far each consumer is.

Consumers keep their cursors in their own schema; the functions here reach them with the owner's rights, and refuse
everyone but events-service, by whose routes people come.
"""

from alembic import op

revision, down_revision = "0011_log_care", "0010_log"

SHOWN = """
create function kernel.list_events(
  p_epoch integer, p_xid xid8, p_id bigint, p_type text, p_subject text, p_newest boolean, p_max integer
) returns setof kernel.log
language plpgsql stable security definer set search_path = kernel, pg_temp as $$
declare
  v_company uuid := nullif(current_setting('eco.company_id', true), '')::uuid;
  v_epoch integer := (select s.epoch from kernel.log_state s);
begin
  -- No company set: the platform's own events, which belong to no company.
  return query execute format(
    'select * from kernel.log l where %s and (l.epoch, l.xid, l.id) %s ($2, $3, $4)'
    ' and (l.epoch < $5 or l.xid < pg_snapshot_xmin(pg_current_snapshot()))'
    ' and ($6::text is null or l.type = $6) and ($7::text is null or l.subject = $7)'
    ' order by l.epoch %4$s, l.xid %4$s, l.id %4$s limit $8',
    case when v_company is null then 'l.company_id is null' else 'l.company_id = $1' end,
    case when p_newest then '<' else '>' end, '', case when p_newest then 'desc' else 'asc' end
  ) using v_company, p_epoch, p_xid, p_id, v_epoch, p_type, p_subject, p_max;
end $$;

create function kernel.find_event(p_event_id uuid) returns setof kernel.log
language plpgsql stable security definer set search_path = kernel, pg_temp as $$
declare
  v_company uuid := nullif(current_setting('eco.company_id', true), '')::uuid;
begin
  if v_company is null then
    return query select * from kernel.log l where l.company_id is null and l.event_id = p_event_id limit 1;
  else
    return query select * from kernel.log l where l.company_id = v_company and l.event_id = p_event_id limit 1;
  end if;
end $$;

create function kernel.read_events(
  p_consumer text, p_epochs integer[], p_xids xid8[], p_ids bigint[], p_recorded timestamptz[]
) returns setof kernel.log
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.types_of(p_consumer);
  return query select l.* from unnest(p_epochs, p_xids, p_ids, p_recorded) k (epoch, xid, id, recorded_at)
    join kernel.log l on l.recorded_at = k.recorded_at and l.epoch = k.epoch and l.xid = k.xid and l.id = k.id
    order by l.epoch, l.xid, l.id;
end $$;

create function kernel.log_end(out epoch integer, out xid xid8, out id bigint)
language sql stable security definer set search_path = kernel, pg_temp as $$
  select s.epoch, pg_snapshot_xmin(pg_current_snapshot()), 0::bigint from kernel.log_state s
$$;
"""

DEAD_LETTERS = """
create table kernel.dead_letters (
  dead_letter_id uuid primary key,
  company_id uuid,
  consumer text not null,
  event_id uuid not null,
  type text not null,
  subject text not null,
  epoch integer not null,
  xid xid8 not null,
  id bigint not null,
  recorded_at timestamptz not null,
  attempts integer not null,
  code text not null,
  message text not null,
  died_at timestamptz not null default clock_timestamp(),
  redelivered_at timestamptz
);
create unique index dead_letters_once on kernel.dead_letters (company_id, consumer, event_id) nulls not distinct;
create index dead_letters_listed on kernel.dead_letters (company_id, dead_letter_id);
alter table kernel.dead_letters enable row level security;
alter table kernel.dead_letters force row level security;
create policy dead_letters_of_owner on kernel.dead_letters to eco_owner using (true) with check (true);

create function kernel.bury(
  p_dead_letter_id uuid, p_consumer text, p_epoch integer, p_xid xid8, p_id bigint, p_recorded timestamptz,
  p_attempts integer, p_code text, p_message text
) returns void
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.types_of(p_consumer);
  insert into kernel.dead_letters (dead_letter_id, company_id, consumer, event_id, type, subject, epoch, xid, id,
                                   recorded_at, attempts, code, message)
  select p_dead_letter_id, l.company_id, p_consumer, l.event_id, l.type, l.subject, l.epoch, l.xid, l.id,
         l.recorded_at, p_attempts, p_code, left(p_message, 500)
    from kernel.log l where l.recorded_at = p_recorded and l.epoch = p_epoch and l.xid = p_xid and l.id = p_id
  on conflict (company_id, consumer, event_id) do update
    set attempts = excluded.attempts, code = excluded.code, message = excluded.message,
        died_at = clock_timestamp(), redelivered_at = null;
end $$;

create function kernel.only_events() returns void language plpgsql as $$
begin
  if session_user <> 'eco_events' then
    raise exception using errcode = '42501', message = 'only events-service cares for the log';
  end if;
end $$;

create function kernel.list_dead_letters(p_all boolean, p_consumer text, p_before uuid, p_max integer)
returns setof kernel.dead_letters
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_company uuid := nullif(current_setting('eco.company_id', true), '')::uuid;
begin
  perform kernel.only_events();
  return query select * from kernel.dead_letters d
    where (p_all or d.company_id = v_company) and (p_consumer is null or d.consumer = p_consumer)
      and (p_before is null or d.dead_letter_id < p_before) and d.redelivered_at is null
    order by d.dead_letter_id desc limit p_max;
end $$;

create function kernel.redeliver(p_dead_letter_id uuid, p_all boolean) returns text
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_company uuid := nullif(current_setting('eco.company_id', true), '')::uuid;
  v_letter kernel.dead_letters;
  v_schema name;
begin
  perform kernel.only_events();
  select * into v_letter from kernel.dead_letters d
   where d.dead_letter_id = p_dead_letter_id and (p_all or d.company_id = v_company) for update;
  if not found then
    return 'not_found';
  end if;
  if v_letter.redelivered_at is not null then
    return 'already_redelivered';
  end if;
  select schema into v_schema from kernel.consumers where name = v_letter.consumer;
  execute format(
    'insert into %I.parked (consumer, lane, slot, epoch, xid, id, recorded_at, event_id, attempts, next_at, code)'
    ' select $1, coalesce(l.company_id::text, '''') || ''/'' || l.subject, l.slot, l.epoch, l.xid, l.id,'
    ' l.recorded_at, l.event_id, 0, clock_timestamp(), ''redelivered'' from kernel.log l'
    ' where l.recorded_at = $2 and l.epoch = $3 and l.xid = $4 and l.id = $5 on conflict do nothing', v_schema)
    using v_letter.consumer, v_letter.recorded_at, v_letter.epoch, v_letter.xid, v_letter.id;
  update kernel.dead_letters set redelivered_at = clock_timestamp() where dead_letter_id = p_dead_letter_id;
  return 'redelivered';
end $$;
"""

REPLAY = """
create function kernel.first_since(p_from timestamptz, out epoch integer, out xid xid8, out id bigint)
language plpgsql stable security definer set search_path = kernel, pg_temp as $$
declare
  v_from timestamptz := p_from;
  v_width interval := interval '1 minute';
  v_first timestamptz;
begin
  while v_first is null and v_from <= clock_timestamp() loop
    select min(l.recorded_at) into v_first from kernel.log l
     where l.recorded_at >= v_from and l.recorded_at < v_from + v_width;
    v_from := v_from + v_width;
    v_width := v_width * 4;
  end loop;
  -- A transaction open at `p_from` may have recorded a moment later under a smaller number.
  select l.epoch, l.xid, l.id - 1 into epoch, xid, id from kernel.log l
   where l.recorded_at >= p_from and l.recorded_at < v_first + interval '1 minute'
   order by l.epoch, l.xid, l.id limit 1;
end $$;

create function kernel.replay(
  p_consumer text, p_epoch integer, p_xid xid8, p_id bigint, p_from timestamptz, p_dry_run boolean
) returns table (events bigint, already_handled bigint)
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_schema name;
  v_types text[];
  v_epoch integer := p_epoch;
  v_xid xid8 := p_xid;
  v_id bigint := p_id;
begin
  perform kernel.only_events();
  select schema, types into v_schema, v_types from kernel.consumers where name = p_consumer;
  if not found then
    raise exception using errcode = 'P0002', message = 'there is no such consumer';
  end if;
  if p_from is not null then
    select s.epoch, s.xid, s.id into v_epoch, v_xid, v_id from kernel.first_since(p_from) s;
    if v_epoch is null then
      return query select 0::bigint, 0::bigint;
      return;
    end if;
  end if;
  if not p_dry_run then
    perform pg_advisory_xact_lock(hashtext('eco.consumer/' || p_consumer), s) from generate_series(0, 15) s;
  end if;
  return query execute format(
    'select count(*), count(i.event_id) from %1$I.cursors c join kernel.log l on l.slot = c.slot'
    '  and (l.epoch, l.xid, l.id) <= (c.epoch, c.xid, c.id) and (l.epoch, l.xid, l.id) > ($2, $3, $4)'
    '  and ($6::timestamptz is null or l.recorded_at >= $6)'
    '  left join %1$I.inbox i on i.consumer = $1 and i.event_id = l.event_id'
    ' where c.consumer = $1 and ($5::text[] is null or l.type = any($5))', v_schema)
    using p_consumer, v_epoch, v_xid, v_id, v_types, p_from;
  if not p_dry_run then
    execute format(
      'update %I.cursors c set epoch = $2, xid = $3, id = $4, recorded_at = coalesce($5, ''-infinity''),'
      ' updated_at = clock_timestamp() where c.consumer = $1 and (c.epoch, c.xid, c.id) > ($2, $3, $4)', v_schema)
      using p_consumer, v_epoch, v_xid, v_id, p_from;
  end if;
end $$;
"""

STATE = """
create function kernel.consumer_states() returns table (
  name text, schema name, types text[], lag_events bigint, lag_seconds double precision, parked bigint,
  dead_letters bigint, moved_at timestamptz
)
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v record;
begin
  perform kernel.only_events();
  for v in select * from kernel.consumers c order by c.name loop
    name := v.name; schema := v.schema; types := v.types;
    execute format(
      'select count(f.recorded_at),'
      '       coalesce(extract(epoch from clock_timestamp() - min(f.recorded_at)), 0)::double precision'
      '  from %I.cursors c cross join lateral (select l.recorded_at from kernel.log l where l.slot = c.slot'
      '    and (l.epoch, l.xid, l.id) > (c.epoch, c.xid, c.id) and l.recorded_at > c.recorded_at - interval ''1 day'''
      '    and ($2::text[] is null or l.type = any($2)) order by l.epoch, l.xid, l.id limit 10000) f'
      ' where c.consumer = $1', v.schema) into lag_events, lag_seconds using v.name, v.types;
    execute format('select count(*) from %I.parked p where p.consumer = $1', v.schema) into parked using v.name;
    execute format('select max(c.updated_at) from %I.cursors c where c.consumer = $1', v.schema)
      into moved_at using v.name;
    select count(*) into dead_letters from kernel.dead_letters d
     where d.consumer = v.name and d.redelivered_at is null;
    return next;
  end loop;
end $$;

create function kernel.log_horizon_seconds() returns double precision
language sql security definer set search_path = kernel, pg_temp as $$
  -- How long the oldest open writing transaction has held every reader back.
  select coalesce(max(extract(epoch from clock_timestamp() - a.xact_start)), 0)::double precision
    from pg_stat_activity a where a.backend_xid is not null and a.pid <> pg_backend_pid()
$$;
"""

RIGHTS = """
grant execute on function kernel.list_events, kernel.find_event, kernel.log_end, kernel.read_events, kernel.bury,
  kernel.list_dead_letters, kernel.redeliver, kernel.replay, kernel.consumer_states, kernel.log_horizon_seconds
  to eco_service;
alter function kernel.list_events owner to eco_relay;
alter function kernel.find_event owner to eco_relay;
alter function kernel.read_events owner to eco_relay;
alter function kernel.log_end owner to eco_relay;
"""


def upgrade() -> None:
    for statements in (SHOWN, DEAD_LETTERS, REPLAY, STATE, RIGHTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("Dead letters are never taken back: restore a backup instead.")
