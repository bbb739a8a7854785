"""Migrated databases for tests: one template for the session, a fresh copy of it for each test that asks.

A plugin of the root conftest; the server itself is its fixture `postgres_engine`.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ecosystem.catalog import CATALOG
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.migrate import Applied, MigrationSet, migrate
from ecosystem.kernel.db.settings import DatabaseSettings
from tests.support.engines import PostgresEngine

TEMPLATE = "eco_template"
SETS = tuple(MigrationSet(entry.name, entry.schema, entry.migrations) for entry in CATALOG)


@dataclass
class PlatformCluster:
    """A server whose template database has every revision of kernel and services."""

    engine: PostgresEngine
    admin: psycopg.Connection[Any]
    applied: list[Applied]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def admin_url(self, database: str) -> str:
        """libpq connection string of the superuser."""
        return make_conninfo(self.engine.admin_url, dbname=database)

    def create(self, template: str = TEMPLATE) -> str:
        """The name of a new database like `template`."""
        name = f"eco_test_{next(self.numbers)}"
        self.admin.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        return name

    def drop(self, database: str) -> None:
        self.admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))


@dataclass
class Platform:
    """A fresh migrated database; what is opened through it is closed with it."""

    cluster: PlatformCluster
    name: str
    databases: list[Database] = field(default_factory=list)

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
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def platform_cluster(postgres_engine: PostgresEngine) -> Iterator[PlatformCluster]:
    with psycopg.connect(postgres_engine.admin_url, autocommit=True) as admin:
        cluster = PlatformCluster(postgres_engine, admin, [])
        cluster.drop(TEMPLATE)
        admin.execute(f"create database {TEMPLATE}")
        cluster.applied = migrate(cluster.admin_url(TEMPLATE), SETS, password_of=postgres_engine.password_of)
        yield cluster


@pytest.fixture
async def platform(platform_cluster: PlatformCluster) -> AsyncIterator[Platform]:
    platform = Platform(platform_cluster, platform_cluster.create())
    try:
        yield platform
    finally:
        for database in platform.databases:
            await database.close()
        platform_cluster.drop(platform.name)
