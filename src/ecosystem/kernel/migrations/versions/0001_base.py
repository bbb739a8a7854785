"""The ground: the fence, the registry, what was migrated."""

from alembic import op

revision, down_revision = "0001_base", None

FENCE = """
create function kernel.fence(target regclass) returns void language plpgsql set search_path = pg_catalog as $f$
declare
    own_role text := (select 'eco_' || n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
                      where c.oid = target);
    rule constant text := '(company_id = nullif(current_setting(''eco.company_id'', true), '''')::uuid)';
begin
    execute format('alter table %s enable row level security, force row level security', target);
    execute format('create policy company on %s to %I using %s with check %s', target, own_role, rule, rule);
    -- FORCE fences the owner too; without this a data migration would change nothing and not say so.
    execute format('create policy owner on %s to eco_owner using (true) with check (true)', target);
end
$f$;
"""

REGISTRY = """
create table kernel.services (
    service text primary key,
    role text not null,
    schema text not null
);
create table kernel.instances (
    instance_id uuid primary key,
    service text not null,
    role text not null,
    host text not null,
    http_port integer not null check (http_port between 0 and 65535),
    grpc_port integer not null check (grpc_port between 0 and 65535),
    plain_port integer not null check (plain_port between 0 and 65535),
    pid integer not null,
    version text not null,
    state text not null check (state in ('starting', 'ready', 'draining', 'unready')),
    reason text not null default '' check (octet_length(reason) <= 500),
    weight integer not null default 100 check (weight between 0 and 1000),
    started_at timestamptz not null,
    beat_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);
grant select on kernel.services, kernel.instances to eco_service;
"""

# `session_user` is the login even inside of a SECURITY DEFINER function: a service speaks for itself only.
REGISTRY_FUNCTIONS = """
create function kernel.announce(
    instance uuid, named text, at_host text, http integer, grpc integer, plain integer, of_pid integer, of_version text,
    in_state text, of_weight integer, since timestamptz
) returns void language plpgsql security definer set search_path = kernel, pg_temp as $f$
begin
    perform 1 from kernel.services s where s.service = named and s.role = session_user;
    if not found then
        raise exception '% may not announce %', session_user, named using errcode = 'insufficient_privilege';
    end if;
    delete from kernel.instances i where i.beat_at < clock_timestamp() - interval '1 hour';
    insert into kernel.instances as i (instance_id, service, role, host, http_port, grpc_port, plain_port, pid, version,
                                       state, weight, started_at)
    values (instance, named, session_user, at_host, http, grpc, plain, of_pid, of_version, in_state, of_weight, since)
    on conflict (instance_id) do update
        set host = excluded.host, http_port = excluded.http_port, grpc_port = excluded.grpc_port,
            plain_port = excluded.plain_port, state = excluded.state, weight = excluded.weight,
            beat_at = clock_timestamp()
        where i.role = session_user and i.service = excluded.service;
    perform pg_notify('eco_registry', named);
end
$f$;

create function kernel.beat(instance uuid, in_state text, because text) returns boolean
language plpgsql security definer set search_path = kernel, pg_temp as $f$
declare
    before kernel.instances;
begin
    select * into before from kernel.instances i where i.instance_id = instance and i.role = session_user;
    if not found then
        return false;
    end if;
    update kernel.instances i set state = in_state, reason = left(because, 400), beat_at = clock_timestamp()
    where i.instance_id = instance;
    -- A notification serialises commits: only a change is worth one, not each beat.
    if before.state <> in_state or before.beat_at < clock_timestamp() - interval '15 seconds' then
        perform pg_notify('eco_registry', before.service);
    end if;
    return true;
end
$f$;

create function kernel.withdraw(instance uuid) returns void
language plpgsql security definer set search_path = kernel, pg_temp as $f$
begin
    delete from kernel.instances i where i.instance_id = instance and i.role = session_user;
    if found then
        perform pg_notify('eco_registry', '');
    end if;
end
$f$;
grant execute on function kernel.announce, kernel.beat, kernel.withdraw to eco_service;
"""

MIGRATED = """
create table kernel.migrated (
    fingerprint bytea not null,
    migrated_at timestamptz not null default clock_timestamp()
);

create function kernel.migration_versions() returns table (service text, schema text, revision text)
language plpgsql stable security definer set search_path = kernel, pg_temp as $f$
declare
    part record;
begin
    for part in select s.service, s.schema from kernel.services s union all select 'kernel', 'kernel' order by 1 loop
        if to_regclass(format('%I.alembic_version', part.schema)) is not null then
            return query execute format(
                'select %L::text, %L::text, v.version_num::text from %I.alembic_version v',
                part.service, part.schema, part.schema);
        end if;
    end loop;
end
$f$;
grant execute on function kernel.migration_versions to eco_service;
"""


def upgrade() -> None:
    op.execute(FENCE)
    op.execute(REGISTRY)
    op.execute(REGISTRY_FUNCTIONS)
    op.execute(MIGRATED)


def downgrade() -> None:
    op.execute("drop function kernel.migration_versions, kernel.withdraw, kernel.beat, kernel.announce, kernel.fence")
    op.execute("drop table kernel.migrated, kernel.instances, kernel.services")
