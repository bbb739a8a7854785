"""Calls of durable tasks to agents that are away: kept in order, brought again, answered once.

Nobody reads the table itself: each function fences, by the company of the context or by the login. The order is that in
which the runs began, apart for each agent and company (a lane): one call of a lane at a time is being brought.
"""

from alembic import op

revision, down_revision = "0032_waiting_calls", "0031_attempts"

TABLE = """
create table kernel.waiting_calls (
  company_id uuid not null,
  call_id uuid not null,
  queue text not null,
  task_id uuid not null,
  run_id uuid not null,
  began_at timestamptz not null,
  agent_id text not null,
  request_type text not null,
  request_id text not null,
  payload text not null,
  about jsonb not null,
  code text not null,
  waiting_since timestamptz not null default clock_timestamp(),
  due_at timestamptz not null default clock_timestamp(),
  failures integer not null default 0,
  claimed_by text,
  claimed_until timestamptz,
  primary key (company_id, call_id)
) with (fillfactor = 70);
create index waiting_calls_lane on kernel.waiting_calls (company_id, agent_id, began_at, call_id);
create index waiting_calls_run on kernel.waiting_calls (company_id, run_id);
alter table kernel.waiting_calls enable row level security, force row level security;
-- For the functions below alone: no login has a right on the table.
create policy owner on kernel.waiting_calls to eco_owner using (true) with check (true);
"""

CALLERS = """
create function kernel.add_waiting_call(
  p_queue text, p_call uuid, p_task uuid, p_run uuid, p_began_at timestamptz, p_agent text, p_type text,
  p_request_id text, p_payload text, p_about jsonb, p_code text, p_max integer
) returns boolean
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.check_queue(p_queue);
  if (select count(*) from (select from kernel.waiting_calls w where w.company_id = kernel.company_text()::uuid
                             and w.agent_id = p_agent limit p_max) n) >= p_max then
    return false;
  end if;
  insert into kernel.waiting_calls (company_id, call_id, queue, task_id, run_id, began_at, agent_id, request_type,
                                    request_id, payload, about, code)
  values (kernel.company_text()::uuid, p_call, p_queue, p_task, p_run, p_began_at, p_agent, p_type, p_request_id,
          p_payload, p_about, p_code)
  on conflict (company_id, call_id) do nothing;
  return true;
end $$;

create function kernel.remove_waiting_calls(p_queue text, p_call uuid, p_run uuid) returns integer
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v_removed integer;
begin
  perform kernel.check_queue(p_queue);
  delete from kernel.waiting_calls w where w.company_id = kernel.company_text()::uuid and w.queue = p_queue
    and (w.call_id = p_call or w.run_id = p_run);
  get diagnostics v_removed = row_count;
  return v_removed;
end $$;

create function kernel.waiting_calls_of(p_run uuid) returns table (
  call_id uuid, agent_id text, request_type text, step text, code text, waiting_since timestamptz, failures integer,
  before integer
)
language sql stable security definer set search_path = kernel, pg_temp as $$
  select w.call_id, w.agent_id, w.request_type, w.about->>'step', w.code, w.waiting_since, w.failures,
         (select count(*)::integer from kernel.waiting_calls o where o.company_id = w.company_id
           and o.agent_id = w.agent_id and (o.began_at, o.call_id) < (w.began_at, w.call_id))
    from kernel.waiting_calls w where w.company_id = kernel.company_text()::uuid and w.run_id = p_run
   order by w.began_at, w.call_id
$$;
"""

# A claim counts while its worker's process lives (it holds the lock of its name) and its time is not over.
BRINGING = """
create function kernel.claim_waiting_calls(p_queue text, p_worker text, p_agents text[], p_max integer)
returns table (
  company_id uuid, call_id uuid, run_id uuid, agent_id text, request_type text, request_id text, payload text,
  about jsonb, waiting_since timestamptz, failures integer
)
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.check_queue(p_queue);
  return query
    with gone as materialized (
      select o.claimed_by from (select distinct w.claimed_by from kernel.waiting_calls w
                                 where w.claimed_by is not null and w.claimed_by <> p_worker) o
       where pg_try_advisory_xact_lock(hashtext('eco.worker'), hashtext(o.claimed_by))
    ), heads as materialized (
      select distinct on (w.company_id, w.agent_id) w.company_id, w.call_id from kernel.waiting_calls w
       where w.queue = p_queue and w.agent_id = any(p_agents)
       order by w.company_id, w.agent_id, w.began_at, w.call_id
    ), free as materialized (
      select w.company_id, w.call_id from kernel.waiting_calls w
       where (w.company_id, w.call_id) in (select h.company_id, h.call_id from heads h)
         and w.due_at <= clock_timestamp()
         and (w.claimed_by is null or w.claimed_until <= clock_timestamp()
              or w.claimed_by in (select g.claimed_by from gone g))
       order by w.began_at limit p_max for update skip locked
    )
    update kernel.waiting_calls c set claimed_by = p_worker, claimed_until = clock_timestamp()
           + make_interval(secs => 30 + coalesce((c.about->>'timeout_seconds')::double precision, 300))
      from free f where c.company_id = f.company_id and c.call_id = f.call_id
    returning c.company_id, c.call_id, c.run_id, c.agent_id, c.request_type, c.request_id, c.payload, c.about,
              c.waiting_since, c.failures;
end $$;

create function kernel.put_back_waiting_call(
  p_queue text, p_call uuid, p_worker text, p_seconds double precision, p_code text
) returns void
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.check_queue(p_queue);
  update kernel.waiting_calls w set claimed_by = null, claimed_until = null,
         due_at = clock_timestamp() + make_interval(secs => p_seconds), code = coalesce(p_code, w.code),
         failures = w.failures + (p_code is not null)::integer
   where w.company_id = kernel.company_text()::uuid and w.call_id = p_call and w.claimed_by = p_worker;
end $$;

create function kernel.waiting_lines() returns table (
  agent_id text, calls integer, longest integer, since timestamptz, seconds double precision, failures integer,
  companies uuid[]
)
language plpgsql stable security definer set search_path = kernel, pg_temp as $$
begin
  if session_user <> 'eco_recovery' then
    perform kernel.check_queue('orchestrator');
  end if;
  return query select l.agent_id, sum(l.calls)::integer, max(l.calls)::integer, min(l.since),
      extract(epoch from clock_timestamp() - min(l.since))::double precision, sum(l.failures)::integer,
      (array_agg(l.company_id order by l.company_id))[1:100]
    from (select w.agent_id, w.company_id, count(*) as calls, min(w.waiting_since) as since,
                 sum(w.failures) as failures
            from kernel.waiting_calls w group by w.agent_id, w.company_id) l
   group by l.agent_id order by l.agent_id;
end $$;
"""

PEOPLE = """
create function kernel.list_waiting_calls(p_agent text, p_after timestamptz, p_after_id uuid, p_max integer)
returns table (
  call_id uuid, company_id uuid, run_id uuid, agent_id text, request_type text, step text, code text,
  waiting_since timestamptz, failures integer, is_asked boolean
)
language plpgsql stable security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.only_recovery();
  return query select w.call_id, w.company_id, w.run_id, w.agent_id, w.request_type, w.about->>'step', w.code,
      w.waiting_since, w.failures, coalesce(w.claimed_until > clock_timestamp(), false)
    from kernel.waiting_calls w
   where (p_agent is null or w.agent_id = p_agent)
     and (p_after is null or (w.waiting_since, w.call_id) > (p_after, p_after_id))
   order by w.waiting_since, w.call_id limit p_max;
end $$;

create function kernel.hurry_waiting_calls(p_call uuid, p_agent text) returns table (queue text)
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.only_recovery();
  return query update kernel.waiting_calls w set due_at = clock_timestamp(), failures = 0
   where w.call_id = p_call or w.agent_id = p_agent returning w.queue;
end $$;

create function kernel.give_up_waiting_call(p_call uuid, p_answer jsonb) returns table (queue text)
language plpgsql security definer set search_path = kernel, pg_temp as $$
declare
  v kernel.waiting_calls;
begin
  perform kernel.only_recovery();
  delete from kernel.waiting_calls w where w.call_id = p_call returning * into v;
  if v.call_id is not null then
    perform absurd.emit_event(v.queue, v.company_id || '/answer/' || v.call_id, jsonb_build_object('value', p_answer));
    return query select v.queue;
  end if;
end $$;
"""

RIGHTS = """
grant execute on function kernel.add_waiting_call, kernel.remove_waiting_calls, kernel.waiting_calls_of,
  kernel.claim_waiting_calls, kernel.put_back_waiting_call, kernel.waiting_lines, kernel.list_waiting_calls,
  kernel.hurry_waiting_calls, kernel.give_up_waiting_call to eco_service;
"""


def upgrade() -> None:
    for statements in (TABLE, CALLERS, BRINGING, PEOPLE, RIGHTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("Runs wait for what stands here: let the queue run empty, or restore a backup.")
