"""What recovery-agent may see and mend with the owner's rights: sessions, connections, stuck runs, dead letters.

Each function looks again before it acts, so that an old observation ends nobody who is innocent by now; each refuses
everyone but recovery-agent.
"""

from alembic import op

revision, down_revision = "0030_recovery", "0023_fair_claims"

# Dead letters and the lag of consumers, which recovery-agent watches, were for events-service alone.
CARE = """
create or replace function kernel.only_events() returns void language plpgsql as $$
begin
  if session_user not in ('eco_events', 'eco_recovery') then
    raise exception using errcode = '42501', message = 'only events-service and recovery-agent care for the log';
  end if;
end $$;

create function kernel.only_recovery() returns void language plpgsql as $$
begin
  if session_user <> 'eco_recovery' then
    raise exception using errcode = '42501', message = 'only recovery-agent may do this';
  end if;
end $$;
"""

# A session is named by its pid and its start: a pid alone may be another's by now.
SESSIONS = """
create function kernel.horizon_holders(p_seconds double precision) returns table (
  pid integer, began_at timestamptz, role name, application text, seconds double precision, state text
)
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.only_recovery();
  return query select a.pid, a.backend_start, a.usename, left(a.application_name, 60),
      extract(epoch from clock_timestamp() - a.xact_start)::double precision, a.state
    from pg_stat_activity a
   where a.backend_xid is not null and a.pid <> pg_backend_pid() and a.datname = current_database()
     and a.xact_start < clock_timestamp() - make_interval(secs => p_seconds)
   order by a.xact_start limit 10;
end $$;

create function kernel.end_session(p_pid integer, p_began_at timestamptz, p_seconds double precision) returns text
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.only_recovery();
  perform 1 from kernel.horizon_holders(p_seconds) h where h.pid = p_pid and h.began_at = p_began_at;
  if not found then
    return 'gone';
  end if;
  begin
    return case when pg_terminate_backend(p_pid) then 'ended' else 'gone' end;
  exception when insufficient_privilege then
    return 'not_allowed';
  end;
end $$;

create function kernel.connections_used(out used integer, out allowed integer, out started_at timestamptz)
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.only_recovery();
  select count(*) into used from pg_stat_activity where backend_type = 'client backend';
  allowed := current_setting('max_connections')::integer;
  started_at := pg_postmaster_start_time();
end $$;
"""

# Running without a step for so long, or due for so long without anybody who claims it.
RUNS = """
create function kernel.stuck_tasks(p_queue text, p_seconds double precision) returns table (
  run_id uuid, task_id uuid, task_name text, company_id uuid, state text, attempt integer,
  seconds double precision
)
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.only_recovery();
  return query execute format($sql$
    select s.run_id, s.task_id, s.task_name, s.company_id, s.state, s.attempt,
           extract(epoch from $1 - s.since)::double precision from (
      select r.run_id, r.task_id, t.task_name, nullif(t.headers->>'company_id', '')::uuid as company_id, r.state,
             r.attempt, case when r.state = 'running' then greatest(r.started_at, r.created_at,
               (select max(c.updated_at) from absurd.%3$I c where c.task_id = r.task_id))
             else greatest(r.available_at, r.created_at) end as since
        from absurd.%1$I r join absurd.%2$I t on t.task_id = r.task_id
       where r.state = 'running' or (r.state in ('pending', 'sleeping') and r.available_at < 'infinity')) s
     where s.since <= $1 - make_interval(secs => $2) order by s.since limit 20
  $sql$, 'r_' || p_queue, 't_' || p_queue, 'c_' || p_queue) using absurd.current_time(), p_seconds;
end $$;

create function kernel.take_from_worker(p_queue text, p_run uuid, p_seconds double precision) returns boolean
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  -- A name that no process holds is that of a dead worker: the others take the run over as they always do.
  perform 1 from kernel.stuck_tasks(p_queue, p_seconds) s where s.run_id = p_run and s.state = 'running';
  if not found then
    return false;
  end if;
  execute format('update absurd.%I set claimed_by = ''taken by recovery-agent'' where run_id = $1'
                 ' and state = ''running''', 'r_' || p_queue) using p_run;
  return true;
end $$;
"""

# How often a task failed with what nobody knows: deaths of its workers and passing failures between do not count.
FAILURES = """
create function kernel.unknown_failures(p_queue text, p_task uuid) returns integer
language plpgsql stable security definer set search_path = kernel, pg_temp as $$
declare
  v_count integer;
begin
  perform kernel.check_queue(p_queue);
  execute format('select count(*) from absurd.%I where task_id = $1 and failure_reason->>''kind'' = ''unknown''',
                 'r_' || p_queue) into v_count using p_task;
  return v_count;
end $$;
"""

RIGHTS = """
grant execute on function kernel.horizon_holders, kernel.end_session, kernel.connections_used, kernel.stuck_tasks,
  kernel.take_from_worker, kernel.unknown_failures to eco_service;
"""


def upgrade() -> None:
    for statements in (CARE, SESSIONS, RUNS, FAILURES, RIGHTS):
        op.execute(statements)


def downgrade() -> None:
    op.execute(
        "drop function kernel.unknown_failures, kernel.take_from_worker, kernel.stuck_tasks, kernel.connections_used,"
        " kernel.end_session, kernel.horizon_holders, kernel.only_recovery"
    )
