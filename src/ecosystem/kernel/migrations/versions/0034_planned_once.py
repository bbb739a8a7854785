"""What every run pays for, planned once in a session: the claim, and the checkpoints of a step.

Absurd keeps its queues in tables of their own, so that its functions put their statements together anew: the database
parsed and planned five of them for each claim. A queue gets functions in which its tables are named.
"""

from alembic import op

revision, down_revision = "0034_planned_once", "0033_answers_by_time"

# One plan for all values; it was perhaps made while the tables were empty, where any plan is as good as another, and
# must hold when they are not.
PLANNED = """language plpgsql security definer set search_path = kernel, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column"""

ROWS = """table (
  run_id uuid, task_id uuid, attempt integer, task_name text, params jsonb, max_attempts integer, headers jsonb,
  checkpoints jsonb, stale boolean, due_seconds double precision
)"""

# As `claim_tasks` was, with Absurd's statement of a claim in it. It cancels by age too: `start_task` asks for none.
CLAIM = """
create function kernel.{queue}_claim(p_worker text, p_lease integer, p_quantity integer)
returns {rows}
{planned}
declare
  v_now timestamptz := absurd.current_time();
  v_stale boolean;
  v_waiting integer;
  v_claimed integer := 0;
begin
  perform kernel.check_queue('{queue}');
  select exists (select from absurd.r_{queue} where state = 'running' and claim_expires_at <= v_now),
         (select count(*) from (select from absurd.r_{queue} where state in ('pending', 'sleeping')
                                 and available_at <= v_now limit p_quantity + 1) w)
    into v_stale, v_waiting;
  if v_stale then
    return query select null::uuid, null::uuid, null::int, null::text, null::jsonb, null::int, null::jsonb,
                        null::jsonb, true, 0::double precision;
    return;
  end if;
  if v_waiting > p_quantity then
    perform kernel.place_fairly('{queue}', p_quantity);
  end if;
  if v_waiting > 0 then
    return query
      with candidate as (
        select r.run_id, r.available_at
          from absurd.r_{queue} r join absurd.t_{queue} t on t.task_id = r.task_id
         where r.state in ('pending', 'sleeping') and t.state in ('pending', 'sleeping', 'running')
           and r.available_at <= v_now
         order by r.available_at, r.run_id limit p_quantity for update skip locked
      ), claimed as (
        update absurd.r_{queue} r
           set state = 'running', claimed_by = p_worker, claim_expires_at = v_now + make_interval(secs => p_lease),
               started_at = v_now, available_at = v_now
          from candidate c where r.run_id = c.run_id
        returning r.run_id, r.task_id, r.attempt, c.available_at as waited_from
      ), task as (
        update absurd.t_{queue} t
           set state = 'running', attempts = greatest(t.attempts, c.attempt),
               first_started_at = coalesce(t.first_started_at, v_now), last_attempt_run = c.run_id
          from claimed c where t.task_id = c.task_id
        returning c.run_id, t.task_id, c.attempt, t.task_name, t.params, t.max_attempts, t.headers, c.waited_from
      ), waited as (
        delete from absurd.w_{queue} w using claimed c
         where w.run_id = c.run_id and w.timeout_at is not null and w.timeout_at <= v_now
      )
      select t.run_id, t.task_id, t.attempt, t.task_name, t.params, t.max_attempts, t.headers,
             (select jsonb_object_agg(k.checkpoint_name, k.state) from absurd.c_{queue} k
               where k.task_id = t.task_id and k.status = 'committed'), false, null::double precision
        from task t order by t.waited_from, t.run_id;
    get diagnostics v_claimed = row_count;
  end if;
  if v_claimed < p_quantity then
    return query
      select null::uuid, null::uuid, null::int, null::text, null::jsonb, null::int, null::jsonb, null::jsonb, false,
             extract(epoch from min(available_at) - v_now)::double precision
        from absurd.r_{queue} where state in ('pending', 'sleeping') and available_at < 'infinity';
  end if;
end $$;
grant execute on function kernel.{queue}_claim to eco_service;
"""

# As `keep_steps`: where it writes nothing, Absurd's own functions decide and say why.
KEEP = """
create function kernel.{queue}_keep(p_task uuid, p_run uuid, p_lease integer, p_names text[], p_states text[])
returns void
{planned}
declare
  v_now timestamptz := absurd.current_time();
  v_kept integer;
begin
  perform kernel.check_queue('{queue}');
  with ours as (
    update absurd.r_{queue} r set claim_expires_at = v_now + make_interval(secs => p_lease)
      from absurd.t_{queue} t
     where r.run_id = p_run and r.state = 'running' and r.claim_expires_at is not null
       and t.task_id = r.task_id and t.task_id = p_task and t.state <> 'cancelled' and t.last_attempt_run = p_run
    returning r.run_id
  )
  insert into absurd.c_{queue} (task_id, checkpoint_name, state, status, owner_run_id, updated_at)
  select p_task, s.name, s.state::jsonb, 'committed', ours.run_id, v_now
    from ours, unnest(p_names, p_states) s (name, state)
  on conflict on constraint c_{queue}_pkey do update set state = excluded.state, status = excluded.status,
    owner_run_id = excluded.owner_run_id, updated_at = excluded.updated_at;
  get diagnostics v_kept = row_count;
  if v_kept < cardinality(p_names) or v_kept = 0 then
    perform absurd.extend_claim('{queue}', p_run, p_lease);
    for i in 1 .. coalesce(cardinality(p_names), 0) loop
      perform absurd.set_task_checkpoint_state('{queue}', p_task, p_names[i], p_states[i]::jsonb, p_run);
    end loop;
  end if;
end $$;
grant execute on function kernel.{queue}_keep to eco_service;
"""

# Processes of the version before ask by these names until they are replaced.
BEFORE = """
create or replace function kernel.claim_tasks(p_queue text, p_worker text, p_lease integer, p_quantity integer)
returns {rows}
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.check_queue(p_queue);
  return query execute format('select * from kernel.%I($1, $2, $3)', p_queue || '_claim')
    using p_worker, p_lease, p_quantity;
end $$;
drop function kernel.claim_tasks_in_order;

create or replace function kernel.keep_steps(
  p_queue text, p_task uuid, p_run uuid, p_lease integer, p_names text[], p_states text[]
) returns void
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.check_queue(p_queue);
  execute format('select kernel.%I($1, $2, $3, $4, $5)', p_queue || '_keep')
    using p_task, p_run, p_lease, p_names, p_states;
end $$;
"""

QUEUES = ("orchestrator",)


def upgrade() -> None:
    for queue in QUEUES:
        for statement in (CLAIM, KEEP):
            op.execute(statement.format(queue=queue, planned=PLANNED, rows=ROWS))
    op.execute(BEFORE.format(rows=ROWS))


def downgrade() -> None:
    raise RuntimeError("Functions are replaced forwards only: restore a backup instead.")
