"""Killing a process at a known place of its work: where it waits for a lock that the test holds in the database.

Nothing in the product knows of it, and nothing depends on time: PostgreSQL says when the process has come there.

    with held(platform.admin_url, "lock table events.files in exclusive mode") as place:
        victim = Victim(archive, url=platform.url("eco_events"))
        backend = place.until_reached(victim)
        victim.kill()
    backend.until_gone()
"""

import asyncio
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.support.poll import PATIENCE_SECONDS, eventually_now

ROOT = Path(__file__).parents[2]
GATE = "select pg_advisory_xact_lock(4711)"
"""What to hold so that work stands still at what `wait_at_commit` and `stand_still_at` name."""

HOLD_SECONDS = 60
"""How long a victim's unit of work may stand still: a service's own would be ended by the database after two."""
Work = Callable[..., Awaitable[None]]


class Victim:
    """`work(**values)`, a function of a test module, in a process of its own."""

    def __init__(self, work: Work, /, **values: Any) -> None:
        target = f"{work.__module__}:{work.__name__}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.killing", target, json.dumps(values)], cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        )  # fmt: skip

    def is_over(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        """SIGKILL, as everything that ends a process without asking it."""
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)

    def wait(self) -> int:
        """Its exit code, when it has ended by itself."""
        return self._process.wait(PATIENCE_SECONDS)


@dataclass(frozen=True)
class Backend:
    """The server's end of a connection."""

    admin_url: str
    pid: int

    def until_gone(self) -> None:
        """What it had begun has come to its end, one way or the other."""
        eventually_now(lambda: not _rows(self.admin_url, "select from pg_stat_activity where pid = %s", self.pid))


@dataclass(frozen=True)
class Place:
    admin_url: str
    holder_pid: int

    def until_reached(self, victim: Victim | None = None) -> Backend:
        """Who waits for what we hold: `victim`, or a process of a platform."""

        def look() -> list[tuple[Any, ...]]:
            assert victim is None or not victim.is_over(), "it ended before it came there"
            waiting = "select pid from pg_stat_activity where %s = any(pg_blocking_pids(pid))"
            return _rows(self.admin_url, waiting, self.holder_pid)

        return Backend(self.admin_url, eventually_now(look)[0][0])


@contextmanager
def held(admin_url: str, statement: str) -> Iterator[Place]:
    """Hold what `statement` locks until the end of the block, or of the server."""
    with psycopg.connect(admin_url) as connection:
        connection.execute(statement)
        try:
            yield Place(admin_url, connection.info.backend_pid)
        finally:
            with suppress(psycopg.OperationalError):
                connection.rollback()


def killed_while_it_waits(admin_url: str, statement: str, work: Work, /, **values: Any) -> None:
    """`work` killed where it needs what `statement` locks. Returns when the server, too, has done with it."""
    with held(admin_url, statement) as place:
        victim = Victim(work, **values)
        try:
            backend = place.until_reached(victim)
        finally:
            victim.kill()
    backend.until_gone()


def wait_at_commit(admin_url: str, table: str) -> None:
    """From now on whoever commits new or changed rows of `table` waits inside of its commit for `GATE`."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(
            f"create function public.wait_at_commit() returns trigger language plpgsql as"
            f" $$ begin perform pg_advisory_xact_lock(4711); return null; end $$;"
            f"create constraint trigger wait_at_commit after insert or update on {table}"
            f" deferrable initially deferred for each row execute function public.wait_at_commit()"
        )


def stand_still_at(admin_url: str, table: str) -> None:
    """From now on whoever makes `table` waits there for `GATE`, with what it has made before in its transaction."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(
            f"create function public.stand_still() returns event_trigger language plpgsql as"
            f" $$ begin if exists (select from pg_event_trigger_ddl_commands() where object_identity = '{table}')"
            f" then perform pg_advisory_xact_lock(4711); end if; end $$;"
            f"create event trigger stand_still on ddl_command_end when tag in ('CREATE TABLE')"
            f" execute function public.stand_still()"
        )


def _rows(admin_url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        return connection.execute(statement, values).fetchall()


if __name__ == "__main__":
    module, _, name = sys.argv[1].partition(":")
    asyncio.run(getattr(importlib.import_module(module), name)(**json.loads(sys.argv[2])))
