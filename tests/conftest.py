"""Fixtures for all: real engines, one set for each process of pytest."""

from collections.abc import Iterator

import pytest

from tests.support import engines

pytest_plugins = ["tests.kernel.db.fixtures"]


@pytest.fixture(scope="session")
def postgres_engine() -> Iterator[engines.PostgresEngine]:
    with engines.short_folder("pg") as folder, engines.postgres(folder) as engine:
        yield engine


@pytest.fixture(scope="session")
def cache_engine() -> Iterator[engines.CacheEngine]:
    with engines.short_folder("cache") as folder, engines.cache(folder) as engine:
        yield engine
