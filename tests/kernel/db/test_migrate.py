"""Goal: migrations are fast, whole or not there, and may be run by anyone at any time.

Method: empty databases on a real server, broken and killed revisions, two migrations at once.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ecosystem.kernel.db import scram
from ecosystem.kernel.db.migrate import _LOCK, MigrationFailed, MigrationSet, migrate, migrate_patiently
from ecosystem.kernel.errors import Unavailable
from tests.kernel.db.fixtures import SETS, PlatformCluster, execute
from tests.support.poll import eventually_now

NUMBERS = itertools.count()
REVISION = '''"""A revision of a test."""
from alembic import op
revision, down_revision = "{name}", {after!r}
def upgrade():
    op.execute("""{statement}""")
'''


@pytest.fixture
def url(platform_cluster: PlatformCluster) -> Iterator[str]:
    """An empty database."""
    engine, name = platform_cluster.engine, f"eco_empty_{next(NUMBERS)}"
    execute(engine.admin_url, f"create database {name}")
    yield make_conninfo(engine.admin_url, dbname=name)
    execute(engine.admin_url, f"drop database {name} with (force)")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MigrationSet:
    """A set with the schema `objects` and no revisions yet."""
    package = f"made_{next(NUMBERS)}"
    (tmp_path / package / "migrations" / "versions").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    return MigrationSet("objects-service", "objects", f"{package}.migrations")


def write(item: MigrationSet, name: str, statement: str, after: str | None = None) -> None:
    folder = item.versions()
    assert folder
    (folder / f"{name}.py").write_text(REVISION.format(name=name, after=after, statement=statement))


def one(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
        return row and row[0]


class TestAll:
    def test_everything_from_nothing_then_nothing_to_do(self, url: str, platform_cluster: PlatformCluster) -> None:
        applied = migrate(url, SETS, password_of=platform_cluster.engine.password_of)
        again = migrate(url, SETS, password_of=platform_cluster.engine.password_of)

        assert applied[0].name == "kernel"
        assert all(item.before is None and item.after for item in applied)
        assert again == []

    def test_every_role_and_schema_is_there(self, platform_cluster: PlatformCluster) -> None:
        url = platform_cluster.admin_url("eco_template")
        schemas = {item.schema for item in SETS}

        with psycopg.connect(url) as connection:
            found = {name for (name,) in connection.execute("select nspname from pg_namespace")}
            roles: dict[str, bool] = dict(
                connection.execute("select rolname, rolcanlogin from pg_roles where rolname like 'eco\\_%'").fetchall()
            )
        assert schemas | {"kernel", "absurd"} <= found
        logins = {f"eco_{schema}" for schema in schemas} | {"eco_migrator", "eco_backup"}
        # Roles are the cluster's: a test beside this one may have brought a service of its own.
        assert logins <= {name for name, login in roles.items() if login}
        assert {"eco_owner", "eco_service", "eco_relay"} <= roles.keys()

    def test_versions_are_told_and_hidden_from_writing(self, platform_cluster: PlatformCluster) -> None:
        url = platform_cluster.admin_url("eco_template")
        told = one(url, "select count(*) from kernel.migration_versions()")
        writable = one(
            url,
            "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relname = 'alembic_version' and n.nspname <> 'kernel'"
            " and has_table_privilege('eco_' || n.nspname, c.oid, 'update')",
        )

        assert told == 1 + sum(item.versions() is not None for item in SETS)
        assert writable == 0


class TestFaults:
    def test_broken_revision_keeps_what_was_before_it(
        self, url: str, made: MigrationSet, platform_cluster: PlatformCluster
    ) -> None:
        password_of = platform_cluster.engine.password_of
        write(made, "0001_good", "create table objects.good (id int)")
        migrate(url, [made], password_of=password_of)
        write(made, "0002_fine", "create table objects.fine (id int)", "0001_good")
        write(made, "0003_bad", "create table objects.good (id int)", "0002_fine")

        with pytest.raises(MigrationFailed, match="objects-service"):
            migrate(url, [made], password_of=password_of)

        assert one(url, "select version_num from objects.alembic_version") == "0001_good"
        assert one(url, "select to_regclass('objects.fine')") is None
        write(made, "0003_bad", "create table objects.better (id int)", "0002_fine")
        assert migrate(url, [made], password_of=password_of)[0].revisions == ("0002_fine", "0003_bad")

    def test_killed_in_the_middle_it_runs_again(
        self, url: str, made: MigrationSet, platform_cluster: PlatformCluster
    ) -> None:
        write(made, "0001_slow", "create table objects.slow (id int); select pg_sleep(30)")
        password_of = platform_cluster.engine.password_of
        killed = threading.Event()

        def kill() -> None:
            statement = (
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'ecosystem migrate' and query like '%pg_sleep(30)%'"
            )
            while not killed.is_set():
                if one(url, statement):
                    killed.set()

        with ThreadPoolExecutor() as pool:
            pool.submit(kill)
            with pytest.raises(Unavailable, match="run it again"):
                migrate(url, [made], password_of=password_of)
        write(made, "0001_slow", "create table objects.slow (id int)")

        assert one(url, "select to_regclass('objects.slow')") is None
        assert [item.name for item in migrate(url, [made], password_of=password_of)] == ["objects-service"]

    def test_cut_off_while_it_waits_it_begins_again(
        self, url: str, made: MigrationSet, platform_cluster: PlatformCluster
    ) -> None:
        password_of = platform_cluster.engine.password_of
        migrate(url, SETS[:1], password_of=password_of)
        write(made, "0001_good", "create table objects.good (id int)")
        waiting = (
            " from pg_stat_activity where application_name = 'ecosystem migrate' and datname = current_database()"
            " and wait_event_type = 'Lock'"
        )
        with psycopg.connect(url) as holder, ThreadPoolExecutor() as pool:
            holder.execute("select pg_advisory_lock(%s)", (_LOCK,))
            done = pool.submit(migrate_patiently, url, [made], password_of=password_of, within_seconds=3600)
            first = eventually_now(lambda: one(url, f"select min(pid){waiting}"))
            one(url, f"select pg_terminate_backend({first})")
            eventually_now(lambda: one(url, f"select min(pid){waiting} and pid <> {first}"))
            holder.execute("select pg_advisory_unlock_all()")

            assert [item.name for item in done.result()] == ["objects-service"]

    def test_two_at_once_apply_everything_once(self, url: str, platform_cluster: PlatformCluster) -> None:
        def work(_: int) -> int:
            return len(migrate(url, SETS[:2], password_of=platform_cluster.engine.password_of))

        with ThreadPoolExecutor() as pool:
            applied = sorted(pool.map(work, range(3)))

        assert applied[:2] == [0, 0]
        assert applied[2] > 0

    @pytest.mark.parametrize("way", [migrate, partial(migrate_patiently, within_seconds=0.5)])
    def test_absent_server_is_unavailable(self, way: Callable[..., object]) -> None:
        with pytest.raises(Unavailable):
            way("postgresql://x@/x?host=/tmp/eco-no-server", SETS, password_of=lambda role: role)

    def test_schema_that_is_no_word_is_refused(self, url: str) -> None:
        with pytest.raises(ValueError, match="not a schema"):
            migrate(url, [replace(SETS[0], schema='x"; drop table y')], password_of=lambda role: role)


class TestPasswords:
    def test_new_password_replaces_the_old_one(
        self, url: str, made: MigrationSet, platform_cluster: PlatformCluster
    ) -> None:
        password_of = platform_cluster.engine.password_of
        login = make_conninfo(url, user="eco_objects", password="rotated")
        try:
            migrate(url, [made], password_of=lambda _: "rotated")
            assert one(login, "select current_user::text") == "eco_objects"
        finally:
            migrate(url, [made], password_of=password_of)
        with pytest.raises(psycopg.OperationalError):
            one(login, "select 1")

    def test_verifier_matches_its_password_only(self) -> None:
        stored = scram.verifier("secret")

        assert scram.matches("secret", stored)
        assert not scram.matches("other", stored)
        assert not scram.matches("secret", None)
        assert not scram.matches("secret", "md5abc")
        # RFC 7677's example: user `user`, password `pencil`.
        assert scram.verifier("pencil", bytes.fromhex("5b6d99687d12354bd8f0f53d1cd3c98c"), 4096).count("$") == 2
