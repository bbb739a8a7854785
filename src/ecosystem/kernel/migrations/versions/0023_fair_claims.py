"""Claims are fair between companies: who has the least at work goes first, however long another's queue is."""

from alembic import op

revision, down_revision = "0023_fair_claims", "0022_direct"

# Absurd claims in the order of `available_at`. Where more waits than is claimed now, those whose turn it is are put at
# the very front of that order first; the claim itself stays Absurd's. A company with fewer runs at work goes first,
# among equals the one whose last turn is longest ago. 5,000 are looked at, more than companies may have
# waiting together (`creditx.unfinished_max`), so that nobody's first is overlooked.
PLACE = """
create table kernel.claim_turns (
  queue text not null, company text not null, had_at timestamptz not null, primary key (queue, company)
);

create function kernel.place_fairly(p_queue text, p_quantity integer) returns void
language plpgsql set search_path = kernel, pg_temp as $$
declare
  v_now timestamptz := absurd.current_time();
  v_waiting integer;
begin
  execute format('select count(*) from (select from absurd.%I where state in (''pending'', ''sleeping'')'
                 ' and available_at <= $1 limit $2) w', 'r_' || p_queue) into v_waiting using v_now, p_quantity + 1;
  if v_waiting <= p_quantity then
    return;
  end if;
  execute format($sql$
    with at_work as (
      select coalesce(t.headers->>'company_id', '') as company, count(*) as runs
        from absurd.%1$I r join absurd.%2$I t on t.task_id = r.task_id
       where r.state = 'running' group by 1
    ), waiting as (
      select r.run_id, r.available_at, coalesce(t.headers->>'company_id', '') as company
        from absurd.%1$I r join absurd.%2$I t on t.task_id = r.task_id
       where r.state in ('pending', 'sleeping') and r.available_at <= $1
         and t.state in ('pending', 'sleeping', 'running')
       order by r.available_at, r.run_id limit 5000
    ), ranked as (
      select w.run_id, w.available_at, w.company, coalesce(a.runs, 0)
             + row_number() over (partition by w.company order by w.available_at, w.run_id) as turn
        from waiting w left join at_work a on a.company = w.company
    ), chosen as (
      select k.run_id, k.company from ranked k
        left join kernel.claim_turns c on c.queue = $3 and c.company = k.company
       order by k.turn, c.had_at nulls first, k.available_at, k.run_id limit $2
    ), next as (
      select r.run_id from absurd.%1$I r
       where r.run_id in (select run_id from chosen) and r.state in ('pending', 'sleeping')
         for update skip locked
    ), had as (
      insert into kernel.claim_turns as c (queue, company, had_at)
      select $3, d.company, $1 from (select distinct company from chosen) d order by d.company
      on conflict (queue, company) do update set had_at = excluded.had_at
    )
    update absurd.%1$I r set available_at = 'epoch' from next where r.run_id = next.run_id
  $sql$, 'r_' || p_queue, 't_' || p_queue) using v_now, p_quantity, p_queue;
end $$;
"""

CLAIM = """
alter function kernel.claim_tasks(text, text, integer, integer) rename to claim_tasks_in_order;
create function kernel.claim_tasks(p_queue text, p_worker text, p_lease integer, p_quantity integer)
returns table (
  run_id uuid, task_id uuid, attempt integer, task_name text, params jsonb, max_attempts integer, headers jsonb,
  checkpoints jsonb, stale boolean, due_seconds double precision
)
language plpgsql security definer set search_path = kernel, pg_temp as $$
begin
  perform kernel.check_queue(p_queue);
  perform kernel.place_fairly(p_queue, p_quantity);
  return query select * from kernel.claim_tasks_in_order(p_queue, p_worker, p_lease, p_quantity);
end $$;
revoke execute on function kernel.claim_tasks_in_order from eco_service;
grant execute on function kernel.claim_tasks to eco_service;
"""


def upgrade() -> None:
    op.execute(PLACE)
    op.execute(CLAIM)


def downgrade() -> None:
    raise RuntimeError("Running tasks are never taken back: restore a backup instead.")
