"""What the cluster says of itself, with the owner's rights, as numbers only."""

from alembic import op

from ecosystem.kernel.db.ddl import grant_service, kernel_tables

revision, down_revision = "0001_measures", None

# pg_stat_activity hides other sessions from a service's role; the owner may see them (pg_monitor), where the server's
# administrator could grant that.
MEASURES = """
create function postgres.measures() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $f$
select jsonb_build_object(
    'connections', (select count(*) from pg_stat_activity where backend_type = 'client backend'),
    'connections_max', current_setting('max_connections')::int,
    'connections_by_role', (
        select coalesce(jsonb_object_agg(r.usename, r.count), '{}') from (
            select usename, count(*) from pg_stat_activity
            where backend_type = 'client backend' and usename is not null group by 1) r),
    'waiting', (select count(*) from pg_stat_activity where wait_event_type = 'Lock'),
    'horizon_seconds', (
        select coalesce(max(extract(epoch from clock_timestamp() - xact_start)), 0) from pg_stat_activity
        where backend_xid is not null and pid <> pg_backend_pid()),
    'database_bytes', pg_database_size(current_database()),
    'tables_bytes', (
        select coalesce(jsonb_object_agg(t.nspname, t.bytes), '{}') from (
            select n.nspname, sum(pg_total_relation_size(c.oid))::bigint as bytes
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'm') and n.nspname !~ '^(pg_|information_schema)' group by 1) t),
    'commits', d.xact_commit, 'rollbacks', d.xact_rollback, 'deadlocks', d.deadlocks,
    'temporary_bytes', d.temp_bytes,
    'buffer_hit_ratio', d.blks_hit::float8 / nullif(d.blks_hit + d.blks_read, 0),
    'sees_everything', pg_has_role(current_user, 'pg_read_all_stats', 'usage')
) from pg_stat_database d where d.datname = current_database()
$f$;
"""


def upgrade() -> None:
    for statement in kernel_tables("postgres"):
        op.execute(statement)
    op.execute(MEASURES)
    op.execute(grant_service("postgres"))


def downgrade() -> None:
    op.execute("drop function postgres.companies_with_older_keys, postgres.forget_answers")
    op.execute("drop function postgres.measures")
    op.execute("drop table postgres.data_keys, postgres.answers, postgres.cursors, postgres.inbox, postgres.parked")
