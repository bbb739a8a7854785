"""Fixtures for all: real engines, one set for each process of pytest."""

import gc
from collections.abc import Iterator

import hypothesis
import pytest
import structlog

from tests.support import engines, memory

# Loaded here, not by its plugin at the end: after greenlets have run, CPython 3.11 may refuse to compile a module
# from deep in the stack ("AST constructor recursion depth mismatch").
hypothesis.settings.register_profile("eco", max_examples=50, deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("eco")

# Expected failures log tracebacks; drawing each one in colours takes longer than the test.
structlog.configure(
    processors=[structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
)

memory.take_for_temporary_files()

pytest_plugins = ["tests.kernel.db.fixtures"]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is imported stays: the collector need not look through it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def postgres_engine() -> Iterator[engines.PostgresEngine]:
    with engines.short_folder("pg") as folder, engines.postgres(folder) as engine:
        yield engine


@pytest.fixture(scope="session")
def cache_engine() -> Iterator[engines.CacheEngine]:
    with engines.short_folder("cache") as folder, engines.cache(folder) as engine:
        yield engine
