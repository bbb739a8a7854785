"""Durable execution: Absurd's schema from its wheel, and what services may do with it.

A service may start a task in any queue, and work off only the queue that is named like its schema. Company, retry
strategy and attempts are decided here, because Absurd's own defaults retry for ever and without delay. Wrappers save
round trips: claim brings the checkpoints along, a step's checkpoint extends (and so proves) the claim.
"""

import absurdctl
from alembic import op

revision, down_revision = "0020_durable", "0011_log_care"

QUEUES = ("orchestrator",)

GUARD = """
create function kernel.check_queue(p_queue text) returns void language plpgsql as $$
begin
  if session_user <> 'eco_' || p_queue then
    raise exception using errcode = '42501', message = format('%s may not work off queue "%s"', session_user, p_queue);
  end if;
end $$;

create function kernel.company_text() returns text language sql stable as $$
  select nullif(current_setting('eco.company_id', true), '')
$$;

create function kernel.create_task_queue(p_queue text) returns void language plpgsql as $$
begin
  perform absurd.create_queue(p_queue);
  execute format('create index %I on absurd.%I ((headers->>''company_id''), task_id)', 't_' || p_queue || '_co',
                 't_' || p_queue);
  execute format('create index %I on absurd.%I ((headers->>''parent'')) where headers->>''parent'' is not null',
                 't_' || p_queue || '_pa', 't_' || p_queue);
  execute format($view$
    create view kernel.%I with (security_barrier) as
    select t.task_id, t.task_name, (t.headers->>'company_id')::uuid as company_id, t.headers->>'user_id' as user_id,
           t.headers->>'trace_id' as trace_id, (t.headers->>'parent')::uuid as parent_id, t.params, t.state,
           t.attempts, t.max_attempts, t.enqueue_at, t.first_started_at,
           coalesce(r.completed_at, t.cancelled_at, case when t.state = 'failed' then r.failed_at end) as ended_at,
           case when t.state = 'sleeping' then nullif(r.available_at, 'infinity') end as wakes_at, r.wake_event,
           t.completed_payload as result,
           (select f.failure_reason from absurd.%I f where f.task_id = t.task_id and f.failure_reason is not null
             order by f.attempt desc limit 1) as failure
      from absurd.%I t left join absurd.%I r on r.run_id = t.last_attempt_run
     where t.headers->>'company_id' = nullif(current_setting('eco.company_id', true), '')
  $view$, p_queue || '_tasks', 'r_' || p_queue, 't_' || p_queue, 'r_' || p_queue);
  execute format($view$
    create view kernel.%I with (security_barrier) as
    select c.task_id, c.checkpoint_name as name, c.state, c.updated_at as at
      from absurd.%I c join absurd.%I t on t.task_id = c.task_id
     where t.headers->>'company_id' = nullif(current_setting('eco.company_id', true), '')
  $view$, p_queue || '_steps', 'c_' || p_queue, 't_' || p_queue);
  execute format('grant select on kernel.%I, kernel.%I to eco_service', p_queue || '_tasks', p_queue || '_steps');
end $$;
"""

START = """
create function kernel.start_task(
  p_queue text, p_task text, p_params jsonb, p_headers jsonb, p_key text, p_max_attempts integer, p_retry jsonb
) returns table (task_id uuid, created boolean)
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  if p_max_attempts is null or p_retry is null then
    raise exception using errcode = '22004', message = 'attempts and delays are always given';
  end if;
  return query select s.task_id, s.created from absurd.spawn_task(p_queue, p_task, p_params, jsonb_strip_nulls(
    jsonb_build_object(
      'headers', (coalesce(p_headers, '{}') - 'company_id') || jsonb_build_object('company_id', kernel.company_text()),
      'max_attempts', p_max_attempts, 'retry_strategy', p_retry,
      'idempotency_key', coalesce(kernel.company_text(), '') || '/' || p_key))) s;
end $$;

create function kernel.task_is_ours(p_queue text, p_task uuid) returns boolean
language plpgsql stable security definer set search_path = kernel, pg_temp as $$
declare
  v_ours boolean;
begin
  execute format('select (headers->>''company_id'') is not distinct from kernel.company_text()'
                 ' from absurd.%I where task_id = $1', 't_' || p_queue) into v_ours using p_task;
  return coalesce(v_ours, false);
end $$;

create function kernel.cancel_task(p_queue text, p_task uuid) returns boolean
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_child uuid;
begin
  if not kernel.task_is_ours(p_queue, p_task) then
    return false;
  end if;
  perform absurd.cancel_task(p_queue, p_task);
  for v_child in execute format('select task_id from absurd.%I where headers->>''parent'' = $1', 't_' || p_queue)
    using p_task::text
  loop
    perform kernel.cancel_task(p_queue, v_child);
  end loop;
  return true;
end $$;

create function kernel.retry_task(p_queue text, p_task uuid, p_attempts integer) returns text
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_state text;
  v_attempts integer;
begin
  if not kernel.task_is_ours(p_queue, p_task) then
    return null;
  end if;
  execute format('select state, attempts from absurd.%I where task_id = $1 for update', 't_' || p_queue)
    into v_state, v_attempts using p_task;
  if v_state = 'failed' then
    perform absurd.retry_task(p_queue, p_task, jsonb_build_object('max_attempts', v_attempts + p_attempts));
  end if;
  return v_state;
end $$;

create function kernel.emit_event(p_queue text, p_event text, p_payload jsonb) returns void
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform absurd.emit_event(p_queue, coalesce(kernel.company_text(), '') || '/' || p_event,
                            jsonb_build_object('value', p_payload));
end $$;
"""

WORK = """
create function kernel.claim_tasks(p_queue text, p_worker text, p_lease integer, p_quantity integer)
returns table (
  run_id uuid, task_id uuid, attempt integer, task_name text, params jsonb, max_attempts integer, headers jsonb,
  checkpoints jsonb, stale boolean, due_seconds double precision
)
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_stale boolean;
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
  if found then
    return;
  end if;
  execute format('select extract(epoch from min(available_at) - $1) from absurd.%I'
                 ' where state in (''pending'', ''sleeping'') and available_at < ''infinity''', 'r_' || p_queue)
    into v_due using absurd.current_time();
  return query select null::uuid, null::uuid, null::int, null::text, null::jsonb, null::int, null::jsonb,
                      null::jsonb, false, v_due;
end $$;

create function kernel.hold_run(p_queue text, p_run uuid, p_lease integer) returns void
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.check_queue(p_queue);
  perform absurd.extend_claim(p_queue, p_run, p_lease);
end $$;

create function kernel.keep_step(p_queue text, p_task uuid, p_run uuid, p_name text, p_state jsonb) returns void
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.check_queue(p_queue);
  perform absurd.set_task_checkpoint_state(p_queue, p_task, p_name, p_state, p_run);
end $$;

create function kernel.complete_run(p_queue text, p_task uuid, p_run uuid, p_result jsonb) returns void
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.check_queue(p_queue);
  perform absurd.complete_run(p_queue, p_run, p_result);
  perform kernel.tell_parent(p_queue, p_task, jsonb_build_object('result', p_result));
end $$;

create function kernel.tell_parent(p_queue text, p_task uuid, p_payload jsonb) returns void
language plpgsql as $$
declare
  v_parent text;
begin
  execute format('select headers->>''parent'' from absurd.%I where task_id = $1', 't_' || p_queue)
    into v_parent using p_task;
  if v_parent is not null then
    perform absurd.emit_event(p_queue, 'ended/' || p_task, p_payload);
  end if;
end $$;

create function kernel.fail_run(
  p_queue text, p_run uuid, p_worker text, p_reason jsonb, p_final boolean, p_at_once boolean
) returns text
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_task uuid;
  v_attempt integer;
  v_state text;
begin
  perform kernel.check_queue(p_queue);
  execute format('select task_id, attempt from absurd.%I where run_id = $1 and state = ''running'''
                 ' and claimed_by = $2 for update', 'r_' || p_queue) into v_task, v_attempt using p_run, p_worker;
  if v_task is null then
    return null;
  end if;
  if p_final then
    execute format('update absurd.%I set max_attempts = $2 where task_id = $1', 't_' || p_queue)
      using v_task, v_attempt;
  end if;
  perform absurd.fail_run(p_queue, p_run, p_reason, case when p_at_once then absurd.current_time() end);
  execute format('select state from absurd.%I where task_id = $1', 't_' || p_queue) into v_state using v_task;
  if v_state = 'failed' then
    perform kernel.tell_parent(p_queue, v_task, jsonb_build_object('failure', p_reason));
  end if;
  return v_state;
end $$;

create function kernel.release_run(p_queue text, p_run uuid, p_worker text) returns void
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_run uuid;
begin
  perform kernel.check_queue(p_queue);
  execute format('select run_id from absurd.%I where run_id = $1 and state = ''running'' and claimed_by = $2'
                 ' for update', 'r_' || p_queue) into v_run using p_run, p_worker;
  if v_run is not null then
    perform absurd.schedule_run(p_queue, p_run, absurd.current_time());
  end if;
end $$;

create function kernel.suspend_run(p_queue text, p_run uuid, p_wake_at timestamptz) returns void
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.check_queue(p_queue);
  perform absurd.schedule_run(p_queue, p_run, p_wake_at);
end $$;

create function kernel.await_event(
  p_queue text, p_task uuid, p_run uuid, p_step text, p_event text, p_timeout integer
) returns table (should_suspend boolean, payload jsonb)
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v record;
begin
  perform kernel.check_queue(p_queue);
  select * into v from absurd.await_event(p_queue, p_task, p_run, p_step, p_event, p_timeout);
  if not v.should_suspend and v.payload is null then
    -- Absurd does not remember a time-out: after a crash the wait would begin anew.
    v.payload := '{"timeout": true}';
    perform absurd.set_task_checkpoint_state(p_queue, p_task, p_step, v.payload, p_run);
  end if;
  return query select v.should_suspend, v.payload;
end $$;

create function kernel.beat_runs(p_queue text, p_worker text, p_lease integer, p_runs uuid[]) returns setof uuid
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.check_queue(p_queue);
  return query execute format(
    'update absurd.%I set claim_expires_at = $4 + make_interval(secs => $1) where run_id = any($2)'
    ' and state = ''running'' and claimed_by = $3 returning run_id', 'r_' || p_queue)
    using p_lease, p_runs, p_worker, absurd.current_time();
end $$;

create function kernel.stale_runs(p_queue text, p_worker text) returns table (
  run_id uuid, task_id uuid, claimed_by text, attempt integer, task_name text, params jsonb, headers jsonb,
  expired boolean
)
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.check_queue(p_queue);
  -- A worker holds the advisory lock of its name as long as its process lives: a lock that can be had is a death.
  return query execute format(
    'with owner as materialized (select distinct claimed_by from absurd.%1$I where state = ''running''),'
    ' gone as materialized (select o.claimed_by, o.claimed_by <> $1 and'
    '   pg_try_advisory_xact_lock(hashtext(''eco.worker''), hashtext(o.claimed_by)) as dead from owner o)'
    ' select r.run_id, r.task_id, r.claimed_by, r.attempt, t.task_name, t.params, t.headers, not g.dead'
    '  from absurd.%1$I r join gone g on g.claimed_by = r.claimed_by join absurd.%2$I t on t.task_id = r.task_id'
    ' where r.state = ''running'' and (g.dead or r.claim_expires_at <= $2)', 'r_' || p_queue, 't_' || p_queue)
    using p_worker, absurd.current_time();
end $$;

create function kernel.forget_tasks() returns bigint
language sql security definer set search_path = kernel, pg_temp as $$
  select coalesce(sum(tasks_deleted), 0)::bigint from absurd.cleanup_all_queues()
$$;
"""

RIGHTS = """
grant execute on function kernel.start_task, kernel.cancel_task, kernel.retry_task, kernel.emit_event,
  kernel.claim_tasks, kernel.hold_run, kernel.keep_step, kernel.complete_run, kernel.fail_run, kernel.release_run,
  kernel.suspend_run, kernel.await_event, kernel.beat_runs, kernel.stale_runs, kernel.forget_tasks to eco_service;
"""


def upgrade() -> None:
    op.execute(absurdctl.BUNDLED_SCHEMA_SQL)
    op.execute(GUARD)
    for queue in QUEUES:
        op.execute(f"select kernel.create_task_queue('{queue}')")
    for statements in (START, WORK, RIGHTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("Running tasks are never taken back: restore a backup instead.")
