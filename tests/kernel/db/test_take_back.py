"""Goal: a revision that says how it is taken back can be taken back and applied again, whatever stands in its tables.

Method: every set is walked back from its newest revision to the first that refuses, with rows where its services keep
any; then it is migrated again and must be what it was.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from ecosystem.kernel.db.migrate import KERNEL, MigrationSet, migrate
from tests.kernel.db.fixtures import SETS, PlatformCluster, execute

ROWS = {
    "recovery": (
        "insert into recovery.episodes (episode_id, fault, component, number, cause, severity, observed_at, since)"
        " values (gen_random_uuid(), 'instance_dead', 'creditx-service', 1, 'ended', 'medium', now(),"
        " now() - interval '1 s')",
        # Two attempts of one number, as two replicas that die together leave them.
        "insert into recovery.actions (action_id, episode_id, fault, component, action, attempt, outcome, reason, by,"
        " at) select gen_random_uuid(), episode_id, fault, component, 'restart', 1, 'done', 'ended', 'supervisor',"
        " now() from recovery.episodes, generate_series(1, 2)",
        "insert into recovery.work (company_id, item_id, kind, subject, what, code, opened_at) values"
        " (gen_random_uuid(), gen_random_uuid(), 'run', gen_random_uuid(), 'ingestion', 'broken', now())",
    ),
    "monitoring": (
        "insert into monitoring.incidents (incident_id, state, priority, fault, component, cause, episode_id, began_at,"
        " opened_at, faulty_since, seen_at, respond_by) select gen_random_uuid(), 'closed', 'P2', 'instance_dead',"
        " 'creditx-service', 'ended', gen_random_uuid(), now() - interval '9 s', now(), now(), now(), now()"
        " from generate_series(1, 3)",
        "update monitoring.incidents set caused_by = 1 where number = 2",
        "insert into monitoring.timeline (incident_id, number, at, what, said)"
        " select incident_id, 1, now(), 'opened', 'x' from monitoring.incidents",
    ),
}  # fmt: skip
SHAPE = """
select 'column', table_schema || '.' || table_name || '.' || column_name,
       concat_ws(' ', data_type, is_nullable, column_default)
  from information_schema.columns where table_schema = %(in)s
union all
select 'index', schemaname || '.' || indexname, indexdef from pg_indexes where schemaname = %(in)s
union all
select 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) from pg_constraint
 where connamespace = %(in)s::regnamespace
union all
select 'function', p.oid::regprocedure::text, md5(prosrc) || coalesce(proacl::text, '') from pg_proc p
 where pronamespace = %(in)s::regnamespace
union all
select 'policy', schemaname || '.' || tablename || '.' || policyname, coalesce(qual, '') from pg_policies
 where schemaname = %(in)s
order by 1, 2
"""


@pytest.fixture
def url(platform_cluster: PlatformCluster) -> Iterator[str]:
    """A migrated database of its own, which may be left in any state."""
    name, admin = "eco_taken_back", platform_cluster.engine.admin_url
    execute(admin, f"create database {name} template {platform_cluster.template}")
    yield platform_cluster.admin_url(name)
    execute(admin, f"drop database {name} with (force)")


def shape(url: str, schema: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(SHAPE, {"in": schema}).fetchall()


def take_back(url: str, schema: str, versions: Path) -> str | None:
    """The newest revision of a schema, taken back; None where there is none. Raises RuntimeError where it refuses."""
    config = Config()
    config.set_main_option("script_location", str(versions.parent))
    config.set_main_option("path_separator", "os")
    script, taken = ScriptDirectory.from_config(config), []

    def one_back(revision: Any, _: Any) -> Any:
        steps = script._downgrade_revs("-1", revision) if revision else []
        taken.extend(step.revision.revision for step in steps)
        return steps

    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=StaticPool)
    with EnvironmentContext(config, script, fn=one_back) as environment, engine.begin() as connection:
        connection.exec_driver_sql("set local role eco_owner")
        connection.exec_driver_sql(f"set local search_path = {schema}, kernel, pg_temp")
        environment.configure(
            connection=connection, version_table="alembic_version", version_table_schema=schema,
            transactional_ddl=True,
        )  # fmt: skip
        environment.run_migrations()
        connection.exec_driver_sql("reset role")
    engine.dispose()
    return taken[0] if taken else None


def apply_again(url: str, cluster: PlatformCluster) -> None:
    # As a version with other revisions leaves it: what was applied last is not what is to be applied now.
    execute(
        url,
        "do $$ begin if to_regclass('kernel.migrated') is not null then delete from kernel.migrated; end if; end $$",
    )
    migrate(url, SETS, password_of=cluster.engine.password_of)


@pytest.mark.parametrize(
    "entry", [entry for entry in (KERNEL, *SETS) if entry.versions()], ids=lambda entry: entry.schema
)
def test_what_can_be_taken_back_can_be_applied_again(
    url: str, platform_cluster: PlatformCluster, entry: MigrationSet
) -> None:
    versions = entry.versions()
    assert versions is not None
    for statement in ROWS.get(entry.schema, ()):
        execute(url, statement)
    before = shape(url, entry.schema)
    # What refuses says why, and has changed nothing.
    with suppress(RuntimeError):
        while take_back(url, entry.schema, versions):
            continue
    apply_again(url, platform_cluster)

    assert shape(url, entry.schema) == before


def test_what_is_known_stays_when_a_beginning_is_taken_back(url: str, platform_cluster: PlatformCluster) -> None:
    for statement in (*ROWS["recovery"], *ROWS["monitoring"]):
        execute(url, statement)
    for entry in SETS:
        if entry.schema in ROWS:
            versions = entry.versions()
            assert versions is not None
            assert take_back(url, entry.schema, versions) in ("0003_since", "0005_began")
    apply_again(url, platform_cluster)

    with psycopg.connect(url) as connection:
        incidents = connection.execute(
            "select began_at = opened_at, caused_by from monitoring.incidents order by number"
        )
        assert incidents.fetchall() == [(True, None), (True, 1), (True, None)]
        actions = connection.execute("select since, count(*) from recovery.episodes join recovery.actions"
                                     " using (episode_id) group by since")  # fmt: skip
        assert actions.fetchall() == [(None, 2)]
