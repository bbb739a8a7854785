"""Goal: a PostgreSQL that was killed is followed by another at the first attempt. Method: the real server, killed while
one of its processes is held so that it cannot end.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ecosystem.fleet.engines.found import find_postgres
from ecosystem.fleet.engines.postgres import Postgres
from ecosystem.fleet.home import Home
from ecosystem.fleet.processes import unprivileged_account
from ecosystem.fleet.starters import postgres_first
from tests.support.engines import short_folder
from tests.support.poll import eventually_now


@pytest.fixture
def engine() -> Iterator[Postgres]:
    with short_folder("pg") as folder:
        folder.chmod(0o711)
        home = Home(folder / "home", unprivileged_account())
        home.prepare()
        home.make_secrets()
        yield Postgres(home, find_postgres(None), 400)


def started(engine: Postgres, log: Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as stream:
        first = postgres_first(engine.begin_initdb, engine.finish_initdb, engine.is_free)
        asyncio.run(first(stream.fileno()))
        server = engine.start(stream.fileno())
    eventually_now(lambda: engine.is_ready(server.pid) or server.poll() is not None)
    return server


def test_a_killed_server_is_followed_when_the_last_of_it_is_gone(engine: Postgres, tmp_path: Path) -> None:
    log = tmp_path / "log"
    server = started(engine, log)
    held = psutil.Process(server.pid).children()[0]
    held.suspend()
    server.kill()
    server.wait(10)
    before = engine.is_free()
    held.resume()
    eventually_now(engine.is_free)
    following = started(engine, log)

    assert not before
    assert following.poll() is None, log.read_text()
    os.kill(following.pid, signal.SIGINT)
    following.wait(30)
