"""Goal: a migration that is killed leaves whole sets, and the next one finishes it to the same schema.

Method: real revisions of kernel and services in a process that is killed at the making of a table.
"""

import itertools
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ecosystem.kernel.db.migrate import migrate
from tests.kernel.db.fixtures import SETS, PlatformCluster, execute
from tests.support.engines import PostgresEngine
from tests.support.killing import GATE, killed_while_it_waits, stand_still_at

NUMBERS = itertools.count()
SHAPE = (
    "select n.nspname, c.relname, c.relkind::text, c.relrowsecurity, c.relacl::text from pg_class c"
    " join pg_namespace n on n.oid = c.relnamespace where c.oid >= 16384 and n.nspname !~ '^pg_' order by 1, 2"
)
"""Every table, index, sequence and view that is ours, with its fence and its grants."""


async def migrates(url: str) -> None:
    migrate(url, SETS, password_of=PostgresEngine.password_of)


@pytest.fixture
def url(platform_cluster: PlatformCluster) -> Iterator[str]:
    """An empty database."""
    engine, name = platform_cluster.engine, f"eco_killed_{next(NUMBERS)}"
    execute(engine.admin_url, f"create database {name}")
    yield make_conninfo(engine.admin_url, dbname=name)
    execute(engine.admin_url, f"drop database {name} with (force)")


@pytest.mark.parametrize("table", ["kernel.log", "creditx.documents", "events.files", "orchestrator.runs"])
def test_killed_while_a_table_is_made(url: str, platform_cluster: PlatformCluster, table: str) -> None:
    schema = table.partition(".")[0]
    order = ["kernel", *(item.schema for item in SETS if item.versions() is not None)]
    stand_still_at(url, table)

    killed_while_it_waits(url, GATE, migrates, url=url)

    assert versions(url) == set(order[: order.index(schema)])
    assert not rows(url, f"select where to_regclass('{table}') is not null")
    applied = migrate(url, SETS, password_of=platform_cluster.engine.password_of)
    assert [item.before for item in applied] == [None] * (len(order) - order.index(schema))
    execute(url, "drop event trigger stand_still; drop function public.stand_still")
    assert rows(url, SHAPE) == rows(platform_cluster.admin_url("eco_template"), SHAPE)
    assert migrate(url, SETS, password_of=platform_cluster.engine.password_of) == []


def versions(url: str) -> set[str]:
    """Schemas whose revisions were kept."""
    statement = "select table_schema from information_schema.tables where table_name = 'alembic_version'"
    return {name for (name,) in rows(url, statement)}


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()
