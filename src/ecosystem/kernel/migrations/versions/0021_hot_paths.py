"""What every event and every claim pays for, made cheaper: the order check of an append, the look after a claim."""

from alembic import op

revision, down_revision = "0021_hot_paths", "0020_durable"

# Whether this subject has an event of a later transaction. A plan made while the log was empty took the first index
# that begins with the company and then read all of its events for each append. So the question is put as a place in
# the order of the index by subject, which no other index can answer; the weeks that are asked are whole partitions.
LATER = """
create function kernel.has_later(p_company uuid, p_subject text, p_epoch integer, p_xid xid8) returns boolean
language plpgsql set search_path = kernel, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set enable_incremental_sort = off
set plan_cache_mode = force_generic_plan as $$
declare
  v_from timestamptz := date_trunc('week', clock_timestamp() - interval '1 day', 'UTC');
  v_until timestamptz := v_from + interval '14 days';
  v_next record;
begin
  if p_company is null then
    select l.subject, l.epoch into v_next from kernel.log l
     where l.company_id is null and (l.subject, l.epoch, l.xid) > (p_subject, p_epoch, p_xid)
       and l.recorded_at >= v_from and l.recorded_at < v_until
     order by l.company_id, l.subject, l.epoch, l.xid limit 1;
    return found and v_next.subject = p_subject and v_next.epoch = p_epoch;
  end if;
  select l.company_id, l.subject, l.epoch into v_next from kernel.log l
   where (l.company_id, l.subject, l.epoch, l.xid) > (p_company, p_subject, p_epoch, p_xid)
     and l.recorded_at >= v_from and l.recorded_at < v_until
   order by l.company_id, l.subject, l.epoch, l.xid limit 1;
  return found and v_next.company_id = p_company and v_next.subject = p_subject and v_next.epoch = p_epoch;
end $$;
"""

APPEND = """
create or replace function kernel.append(
  p_event_id uuid, p_type text, p_source text, p_subject text, p_slot smallint,
  p_time timestamptz, p_trace_id text, p_user_id text, p_data jsonb
) returns bigint
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_company uuid := nullif(current_setting('eco.company_id', true), '')::uuid;
  v_xid xid8 := pg_current_xact_id();
  v_epoch integer;
  v_covered timestamptz;
  v_id bigint;
begin
  select epoch, covered_until into v_epoch, v_covered from kernel.log_state;
  if clock_timestamp() >= v_covered then
    perform kernel.cover_log(clock_timestamp() + interval '5 weeks');
  end if;
  -- A transaction that got its number early and writes late would stand before what it has seen. It can have seen
  -- something only if a later number has ended, and then xmax is above its own: most appends need no look.
  if pg_snapshot_xmax(pg_current_snapshot()) > v_xid and kernel.has_later(v_company, p_subject, v_epoch, v_xid) then
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

# As before, and a claim that got less than it asked for says at once when the next task is due: no second claim.
CLAIM = """
create or replace function kernel.claim_tasks(p_queue text, p_worker text, p_lease integer, p_quantity integer)
returns table (
  run_id uuid, task_id uuid, attempt integer, task_name text, params jsonb, max_attempts integer, headers jsonb,
  checkpoints jsonb, stale boolean, due_seconds double precision
)
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_stale boolean;
  v_claimed integer;
  v_due double precision;
begin
  perform kernel.check_queue(p_queue);
  -- claim_task would fail expired runs by itself, and the worker would never hear of a task that ended so.
  execute format('select exists (select from absurd.%I where state = ''running'' and claim_expires_at <= $1)',
                 'r_' || p_queue) into v_stale using absurd.current_time();
  if v_stale then
    return query select null::uuid, null::uuid, null::int, null::text, null::jsonb, null::int, null::jsonb,
                        null::jsonb, true, 0::double precision;
    return;
  end if;
  return query execute format(
    'select c.run_id, c.task_id, c.attempt, c.task_name, c.params, c.max_attempts, c.headers,'
    ' (select jsonb_object_agg(k.checkpoint_name, k.state) from absurd.%I k where k.task_id = c.task_id'
    '   and k.status = ''committed''), false, null::double precision'
    ' from absurd.claim_task($1, $2, $3, $4) c', 'c_' || p_queue) using p_queue, p_worker, p_lease, p_quantity;
  get diagnostics v_claimed = row_count;
  if v_claimed >= p_quantity then
    return;
  end if;
  execute format('select extract(epoch from min(available_at) - $1) from absurd.%I'
                 ' where state in (''pending'', ''sleeping'') and available_at < ''infinity''', 'r_' || p_queue)
    into v_due using absurd.current_time();
  return query select null::uuid, null::uuid, null::int, null::text, null::jsonb, null::int, null::jsonb,
                      null::jsonb, false, v_due;
end $$;
"""

# The claim extended and checkpoints written by one statement. Where it writes nothing the run is not ours, or a later
# attempt was here: then Absurd's own functions decide and say why, as they did for every step.
KEEP = """
create function kernel.keep_steps(
  p_queue text, p_task uuid, p_run uuid, p_lease integer, p_names text[], p_states text[]
) returns void
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_now timestamptz := absurd.current_time();
  v_kept integer;
begin
  perform kernel.check_queue(p_queue);
  execute format(
    'with ours as ('
    '  update absurd.%1$I r set claim_expires_at = $1 + make_interval(secs => $2) from absurd.%2$I t'
    '   where r.run_id = $3 and r.state = ''running'' and r.claim_expires_at is not null'
    '     and t.task_id = r.task_id and t.task_id = $4 and t.state <> ''cancelled'' and t.last_attempt_run = $3'
    '  returning r.run_id)'
    ' insert into absurd.%3$I (task_id, checkpoint_name, state, status, owner_run_id, updated_at)'
    ' select $4, s.name, s.state::jsonb, ''committed'', ours.run_id, $1 from ours, unnest($5, $6) s (name, state)'
    ' on conflict (task_id, checkpoint_name) do update set state = excluded.state, status = excluded.status,'
    '   owner_run_id = excluded.owner_run_id, updated_at = excluded.updated_at',
    'r_' || p_queue, 't_' || p_queue, 'c_' || p_queue)
    using v_now, p_lease, p_run, p_task, p_names, p_states;
  get diagnostics v_kept = row_count;
  if v_kept < cardinality(p_names) or v_kept = 0 then
    perform absurd.extend_claim(p_queue, p_run, p_lease);
    for i in 1 .. coalesce(cardinality(p_names), 0) loop
      perform absurd.set_task_checkpoint_state(p_queue, p_task, p_names[i], p_states[i]::jsonb, p_run);
    end loop;
  end if;
end $$;
grant execute on function kernel.keep_steps to eco_service;
"""


def upgrade() -> None:
    for statement in (LATER, APPEND, CLAIM, KEEP):
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("Functions are replaced forwards only: restore a backup instead.")
