"""Goal: a start that is killed half-way through its migrations is finished by the next one.

Method: a home with an empty cluster in which the making of one table sleeps; `eco up` is killed there, then run again.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from ecosystem.catalog import CATALOG
from ecosystem.fleet.engines.found import find_postgres
from ecosystem.fleet.engines.postgres import Postgres
from ecosystem.fleet.home import Home
from ecosystem.fleet.processes import is_alive, unprivileged_account
from tests.support.fleets import Fleet, a_home
from tests.support.poll import eventually_now

pytestmark = [pytest.mark.system, pytest.mark.long]

SLEEP = """
create function public.stand_still() returns event_trigger language plpgsql security definer as $$ begin
  if exists (select from pg_event_trigger_ddl_commands() where object_identity = 'creditx.documents')
     and (pg_stat_file('{lever}', true)).size is not null then perform pg_sleep(600); end if;
end $$;
create event trigger stand_still on ddl_command_end when tag in ('CREATE TABLE')
  execute function public.stand_still();
"""


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with a_home("killed") as fleet:
        yield fleet


def an_engine(fleet: Fleet) -> Postgres:
    return Postgres(Home(fleet.home, unprivileged_account()), find_postgres(None), 400)


@contextmanager
def running(engine: Postgres, log: Path) -> Iterator[None]:
    """The cluster alone, made where there is none."""
    with log.open("wb") as stream:
        initdb = engine.begin_initdb(stream.fileno())
        engine.finish_initdb(initdb.wait() if initdb else 0)
        server = engine.start(stream.fileno())
        eventually_now(lambda: engine.is_ready(server.pid))
        yield
        server.send_signal(signal.SIGINT)
        server.wait(30)


def stands_still(engine: Postgres) -> bool:
    """Whether the migration is asleep in the middle of a set; nobody answers before the server is up."""
    try:
        with psycopg.connect(engine.admin_url, autocommit=True) as connection:
            found = connection.execute(
                "select from pg_stat_activity where application_name = 'ecosystem migrate' and wait_event = 'PgSleep'"
            )
            return bool(found.fetchall())
    except (psycopg.OperationalError, OSError):
        return False


def migrating(supervisor: int, known: list[int]) -> int:
    """The pid of the process that migrates: it is the one child that is no part of the platform."""
    (pid,) = [child.pid for child in psutil.Process(supervisor).children() if child.pid not in known]
    return pid


@pytest.mark.parametrize("victim", ["supervisor", "migration"])
def test_the_next_start_finishes_the_migration(fleet: Fleet, victim: str) -> None:
    engine, lever = an_engine(fleet), fleet.home.parent / "lever"
    lever.touch()
    Home(fleet.home, unprivileged_account()).prepare()
    with running(engine, fleet.home.parent / "postgres.log"), psycopg.connect(engine.admin_url) as connection:
        connection.execute(SLEEP.format(lever=lever))
    starting = fleet.begin("up")
    eventually_now(lambda: stands_still(engine))
    state = fleet.status()
    pids = [state["pid"], *(one["pid"] for one in state["processes"] if one["pid"])]

    os.kill(state["pid"] if victim == "supervisor" else migrating(state["pid"], pids), signal.SIGKILL)
    starting.communicate(timeout=60)

    assert starting.returncode != 0
    eventually_now(lambda: not any(is_alive(pid) for pid in pids))
    lever.unlink()
    again = fleet.eco("up")
    assert again.returncode == 0, again.stderr
    ready = {one["name"] for one in fleet.status()["processes"] if one["state"] == "ready"}
    assert {entry.name for entry in CATALOG} <= ready
