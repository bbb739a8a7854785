"""The event log: one partitioned table for all services, appended and read through functions only.

The order of the log is (epoch, xid, id): `xid` is the appending transaction, and a reader takes only rows whose
transaction is older than every transaction still open. An id alone is given at INSERT and seen at COMMIT, so that
paging by it loses rows. `epoch` grows when the log is opened in another cluster, where transaction numbers start anew.
"""

from alembic import op

revision, down_revision = "0010_log", "0001_base"

TABLES = """
create sequence kernel.log_position as bigint;

create table kernel.log_state (
  single boolean primary key default true check (single),
  epoch integer not null,
  system_identifier bigint not null,
  opened_at timestamptz not null default clock_timestamp(),
  covered_until timestamptz not null
);

create table kernel.log (
  epoch integer not null,
  xid xid8 not null default pg_current_xact_id(),
  id bigint not null default nextval('kernel.log_position'),
  recorded_at timestamptz not null default clock_timestamp(),
  slot smallint not null check (slot between 0 and 15),
  event_id uuid not null,
  type text not null check (length(type) between 1 and 100),
  source text not null,
  subject text not null check (length(subject) between 1 and 200),
  company_id uuid,
  time timestamptz not null,
  trace_id text,
  user_id text,
  data jsonb not null
) partition by range (recorded_at);

-- One index of the log does not begin with company_id: consumers read all companies, slot by slot.
create index log_by_slot on kernel.log (slot, epoch, xid, id);
create index log_by_company on kernel.log (company_id, epoch, xid, id);
create index log_by_subject on kernel.log (company_id, subject, epoch, xid, id);
create index log_by_event on kernel.log (company_id, event_id);
create index log_by_time on kernel.log using brin (recorded_at) with (pages_per_range = 16);

alter table kernel.log enable row level security;
alter table kernel.log force row level security;
create policy log_of_owner on kernel.log to eco_owner using (true) with check (true);
create policy log_of_relay on kernel.log for select to eco_relay using (true);

create table kernel.consumers (
  name text primary key check (name ~ '^[a-z][a-z0-9_.-]{0,99}$'),
  role name not null,
  schema name not null,
  types text[],
  registered_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp()
);
grant select on kernel.log, kernel.log_state, kernel.consumers to eco_relay;
"""

COVER = """
create function kernel.cover_log(p_until timestamptz) returns timestamptz
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_week timestamptz;
  v_name text;
  v_covered timestamptz;
begin
  perform set_config('lock_timeout', '1s', true);
  perform pg_advisory_xact_lock(hashtext('eco.log.cover'), 0);
  select covered_until into v_covered from kernel.log_state;
  while v_covered < p_until loop
    -- The week of Monday 00:00 UTC. Made apart and attached, which waits for no writer; CREATE ... PARTITION OF would.
    v_week := v_covered;
    v_name := 'log_' || to_char(v_week at time zone 'UTC', 'IYYY"w"IW');
    execute format('create table kernel.%I (like kernel.log including defaults including constraints'
                   ' including indexes)', v_name);
    v_covered := v_week + interval '7 days';
    execute format('alter table kernel.log attach partition kernel.%I for values from (%L) to (%L)',
                   v_name, v_week, v_covered);
  end loop;
  update kernel.log_state set covered_until = v_covered where covered_until < v_covered;
  return v_covered;
end $$;

create function kernel.open_log() returns integer
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_system bigint;
  v_state kernel.log_state;
begin
  select system_identifier into v_system from pg_control_system();
  select * into v_state from kernel.log_state;
  if v_state.system_identifier <> v_system then
    update kernel.log_state set epoch = epoch + 1, system_identifier = v_system, opened_at = clock_timestamp()
     where system_identifier <> v_system;
  end if;
  if v_state.covered_until < clock_timestamp() + interval '3 weeks' then
    perform kernel.cover_log(clock_timestamp() + interval '5 weeks');
  end if;
  return (select epoch from kernel.log_state);
end $$;

insert into kernel.log_state (epoch, system_identifier, covered_until)
select 1, system_identifier, date_trunc('week', clock_timestamp() at time zone 'UTC') at time zone 'UTC'
  from pg_control_system();
"""

APPEND = """
create function kernel.append(
  p_event_id uuid, p_type text, p_source text, p_subject text, p_slot smallint,
  p_time timestamptz, p_trace_id text, p_user_id text, p_data jsonb
) returns bigint
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_company uuid := nullif(current_setting('eco.company_id', true), '')::uuid;
  v_xid xid8 := pg_current_xact_id();
  v_epoch integer;
  v_covered timestamptz;
  v_later boolean;
  v_id bigint;
begin
  select epoch, covered_until into v_epoch, v_covered from kernel.log_state;
  if clock_timestamp() >= v_covered then
    perform kernel.cover_log(clock_timestamp() + interval '5 weeks');
  end if;
  -- A transaction that got its number early and writes late would stand before what it has seen.
  if v_company is null then
    v_later := exists (select from kernel.log l where l.company_id is null and l.subject = p_subject
      and l.epoch = v_epoch and l.xid > v_xid and l.recorded_at > clock_timestamp() - interval '1 day');
  else
    v_later := exists (select from kernel.log l where l.company_id = v_company and l.subject = p_subject
      and l.epoch = v_epoch and l.xid > v_xid and l.recorded_at > clock_timestamp() - interval '1 day');
  end if;
  if v_later then
    raise exception using errcode = '40001',
      message = 'a later transaction has already appended to this subject', hint = 'Run the unit of work again.';
  end if;
  insert into kernel.log
    (epoch, xid, slot, event_id, type, source, subject, company_id, time, trace_id, user_id, data)
  values
    (v_epoch, v_xid, p_slot, p_event_id, p_type, p_source, p_subject, v_company, p_time, p_trace_id, p_user_id, p_data)
  returning id into v_id;
  return v_id;
end $$;
"""

READ = """
create function kernel.register_consumer(p_name text, p_types text[]) returns void
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.open_log();
  if session_user !~ '^eco_[a-z0-9_]+$' then
    raise exception using errcode = '42501', message = 'only a service''s role may register a consumer';
  end if;
  insert into kernel.consumers (name, role, schema, types)
  values (p_name, session_user, substr(session_user, 5), p_types)
  on conflict (name) do update set types = excluded.types, seen_at = clock_timestamp()
   where consumers.role = excluded.role;
  if not found then
    raise exception using errcode = '42501', message = format('consumer "%s" belongs to another role', p_name);
  end if;
end $$;

create function kernel.types_of(p_consumer text) returns text[]
language plpgsql stable security definer set search_path = kernel, pg_temp as $$
declare
  v_types text[];
begin
  select types into v_types from kernel.consumers where name = p_consumer and role = session_user;
  if not found then
    raise exception using errcode = '42501', message = format('consumer "%s" is not registered here', p_consumer);
  end if;
  return v_types;
end $$;

create function kernel.read_batch(
  p_consumer text, p_slots smallint[], p_epochs integer[], p_xids xid8[], p_ids bigint[],
  p_recorded timestamptz[], p_max integer
) returns table (
  readable boolean, wanted boolean, epoch integer, xid xid8, id bigint, recorded_at timestamptz, slot smallint,
  event_id uuid, type text, source text, subject text, company_id uuid, "time" timestamptz, trace_id text,
  user_id text, data jsonb
)
language plpgsql security definer set search_path = kernel, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  v_types text[] := kernel.types_of(p_consumer);
  v_epoch integer := (select s.epoch from kernel.log_state s);
begin
  -- `recorded_at` bounds the partitions: no transaction lives for a day, so nothing older can appear behind a cursor.
  return query
    select f.readable, f.wanted, f.epoch, f.xid, f.id, f.recorded_at, f.slot, f.event_id, f.type, f.source, f.subject,
           f.company_id, f.time, f.trace_id, f.user_id, case when f.readable and f.wanted then f.data end
      from unnest(p_slots, p_epochs, p_xids, p_ids, p_recorded) c (slot, epoch, xid, id, recorded_at)
     cross join lateral (
       select l.*, l.epoch < v_epoch or l.xid < pg_snapshot_xmin(pg_current_snapshot()) as readable,
              v_types is null or l.type = any(v_types) as wanted
         from kernel.log l
        where l.slot = c.slot and (l.epoch, l.xid, l.id) > (c.epoch, c.xid, c.id)
          and l.recorded_at > c.recorded_at - interval '1 day'
        order by l.epoch, l.xid, l.id
        limit p_max
     ) f
     order by f.epoch, f.xid, f.id
     limit p_max;
end $$;

create function kernel.read_event(p_consumer text, p_epoch integer, p_xid xid8, p_id bigint, p_recorded timestamptz)
returns setof kernel.log
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.types_of(p_consumer);
  return query select * from kernel.log l
    where l.recorded_at = p_recorded and l.epoch = p_epoch and l.xid = p_xid and l.id = p_id;
end $$;
"""

RIGHTS = """
grant execute on function kernel.types_of to eco_relay;
grant execute on function kernel.open_log, kernel.append, kernel.register_consumer, kernel.read_batch,
  kernel.read_event to eco_service;
alter function kernel.read_batch owner to eco_relay;
alter function kernel.read_event owner to eco_relay;
select kernel.open_log();
"""


def upgrade() -> None:
    for statements in (TABLES, COVER, APPEND, READ, RIGHTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("The log is never taken back: restore a backup instead.")
