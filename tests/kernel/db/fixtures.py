"""Migrated databases for tests: one template for the session, a fresh copy of it for each test that asks.

A plugin of the root conftest; the server itself is its fixture `postgres_engine`.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ecosystem.catalog import CATALOG
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.migrate import Applied, MigrationSet, migrate
from ecosystem.kernel.db.settings import DatabaseSettings
from tests.kernel.db.recycling import Pristine
from tests.support.engines import PostgresEngine

TEMPLATE = "eco_template"
SETS = tuple(MigrationSet(entry.name, entry.schema, entry.migrations) for entry in CATALOG)


@dataclass
class PlatformCluster:
    """A server whose template database has every revision of kernel and services.

    A used database is made like new while the next test runs on another; a copy of the template is made when none
    is ready.
    """

    engine: PostgresEngine
    applied: list[Applied]
    pristine: Pristine
    template: str = TEMPLATE
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    ready: list[str] = field(default_factory=list)
    helper: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "databases"))

    def admin_url(self, database: str) -> str:
        """libpq connection string of the superuser."""
        return make_conninfo(self.engine.admin_url, dbname=database)

    def take(self) -> str:
        """The name of a fresh database like the template."""
        try:
            return self.ready.pop(0)
        except IndexError:
            name = f"{self.template}_{next(self.numbers)}"
            execute(self.engine.admin_url, f"create database {name} template {self.template}")
            return name

    def give_back(self, name: str) -> None:
        self.helper.submit(self._restore, name)

    def _restore(self, name: str) -> None:
        with psycopg.connect(self.admin_url(name), autocommit=True) as connection:
            restored = self.pristine.restore(connection)
        if restored:
            self.ready.append(name)
        else:
            execute(self.engine.admin_url, f"drop database {name} with (force)")


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


@dataclass
class Platform:
    """A fresh migrated database; what is opened through it is closed with it."""

    cluster: PlatformCluster
    name: str
    databases: list[Database] = field(default_factory=list)
    _superuser: psycopg.Connection[Any] | None = None

    @property
    def admin_url(self) -> str:
        """libpq connection string of the superuser, for looking past the fence."""
        return self.cluster.admin_url(self.name)

    def url(self, role: str) -> str:
        """libpq connection string of a login role such as `eco_creditx`."""
        password = self.cluster.engine.password_of(role)
        return make_conninfo(self.cluster.engine.admin_url, dbname=self.name, user=role, password=password)

    def settings(self, schema: str, **changes: Any) -> DatabaseSettings:
        return DatabaseSettings.model_validate({"url": self.url(f"eco_{schema}"), **changes})

    def database(self, schema: str, **changes: Any) -> Database:
        """The database of the service that owns `schema`; `changes` are settings. It connects when it is used."""
        database = Database(self.settings(schema, **changes), schema)
        self.databases.append(database)
        return database

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement of the superuser, who sees every company."""
        # Tests ask until something is true: a connection for each question would cost more than all answers.
        if self._superuser is None or self._superuser.closed:
            self._superuser = psycopg.connect(self.admin_url, autocommit=True)
        cursor = self._superuser.execute(statement, values)
        return cursor.fetchall() if cursor.description else []

    async def close(self) -> None:
        for database in self.databases:
            await database.close()
        if self._superuser is not None:
            self._superuser.close()


@pytest.fixture(scope="session")
def platform_cluster(postgres_engine: PostgresEngine) -> Iterator[PlatformCluster]:
    execute(postgres_engine.admin_url, f"create database {TEMPLATE}")
    url = make_conninfo(postgres_engine.admin_url, dbname=TEMPLATE)
    applied = migrate(url, SETS, password_of=postgres_engine.password_of)
    with psycopg.connect(url, autocommit=True) as connection:
        pristine = Pristine.of(connection)
    cluster = PlatformCluster(postgres_engine, applied, pristine)
    yield cluster
    cluster.helper.shutdown(cancel_futures=True)


@contextmanager
def a_variant(cluster: PlatformCluster, template: str, change: Callable[[str], None]) -> Iterator[PlatformCluster]:
    """The same server with a template of its own: `change` is given its URL and makes what tests need beside."""
    execute(cluster.engine.admin_url, f"create database {template} template {cluster.template}")
    change(cluster.admin_url(template))
    with psycopg.connect(cluster.admin_url(template), autocommit=True) as connection:
        pristine = Pristine.of(connection)
    variant = PlatformCluster(cluster.engine, cluster.applied, pristine, template)
    yield variant
    variant.helper.shutdown(cancel_futures=True)


@asynccontextmanager
async def a_platform(cluster: PlatformCluster) -> AsyncIterator[Platform]:
    platform = Platform(cluster, cluster.take())
    try:
        yield platform
    finally:
        await platform.close()
        cluster.give_back(platform.name)


@pytest.fixture
async def platform(platform_cluster: PlatformCluster) -> AsyncIterator[Platform]:
    async with a_platform(platform_cluster) as platform:
        yield platform
