"""Goal: a unit of work that is killed left its rows, events and tasks all together, or none of them.

Method: a process is killed while PostgreSQL holds it at each part of its unit of work, the commit included; and
PostgreSQL itself is killed inside of a commit.
"""

import os
import signal
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.migrate import migrate
from ecosystem.kernel.db.raw import driver
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.durable.durable import Durable
from ecosystem.kernel.messaging.event import Event
from ecosystem.kernel.messaging.outbox import Outbox
from tests.kernel.db.fixtures import SETS, Platform
from tests.support import engines
from tests.support.killing import GATE, HOLD_SECONDS, Victim, held, killed_while_it_waits, wait_at_commit
from tests.support.poll import eventually_now

COMPANY = UUID(int=0xA1)
TABLE = "orchestrator.marks"
MARKS = f"""
set role eco_owner;
create table {TABLE} (company_id uuid not null, mark text not null);
grant select, insert on {TABLE} to eco_orchestrator;
select kernel.fence('{TABLE}'::regclass);
"""
ALL, NONE = (1, 1, 1), (0, 0, 0)


class MarkMade(Event, event_type="mark_made", subject="mark"):
    mark: str


async def work(url: str) -> None:
    """One unit of work with a row, an event and a task."""
    database = Database(DatabaseSettings(url=SecretStr(url), transaction_timeout_seconds=HOLD_SECONDS), "orchestrator")
    outbox, durable = Outbox(database, source="orchestrator-agent"), Durable(database)

    async def unit() -> None:
        await (await driver(database)).execute(f"insert into {TABLE} values (%s, %s)", (COMPANY, "a"))
        await outbox.add(MarkMade(mark="a"))
        await durable.start("orchestrator", "look", {})

    with context.scope(company_id=COMPANY):
        await database.run(unit)
    await database.close()


def kept(admin_url: str) -> tuple[int, ...]:
    """Numbers of (rows, events, tasks)."""
    with psycopg.connect(admin_url) as connection:
        row = connection.execute(
            f"select (select count(*) from {TABLE}), (select count(*) from kernel.log where type = 'mark_made'),"
            " (select count(*) from absurd.t_orchestrator)"
        ).fetchone()
        return tuple(row or ())


def prepare(admin_url: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(MARKS)
    wait_at_commit(admin_url, TABLE)


@pytest.mark.parametrize(
    ("holding", "outcome"),
    [(f"lock table {TABLE} in exclusive mode", NONE), ("lock table kernel.log in exclusive mode", NONE),
     ("lock table absurd.t_orchestrator in exclusive mode", NONE), (GATE, ALL)],
    ids=["at its row", "at its event", "at its task", "in its commit"],
)  # fmt: skip
async def test_killed_unit_left_all_or_nothing(platform: Platform, holding: str, outcome: tuple[int, ...]) -> None:
    """A commit that has reached the server goes on without its client."""
    url = platform.url("eco_orchestrator")
    prepare(platform.admin_url)

    killed_while_it_waits(platform.admin_url, holding, work, url=url)

    assert kept(platform.admin_url) == outcome
    assert Victim(work, url=url).wait() == 0
    assert kept(platform.admin_url) == tuple(number + 1 for number in outcome)


@pytest.fixture
def own_engine() -> Iterator[engines.PostgresEngine]:
    with engines.short_folder("kill") as folder, engines.postgres(folder) as engine:
        migrate(engine.admin_url, SETS, password_of=engine.password_of)
        yield engine


def test_postgres_killed_in_a_commit_left_nothing_of_it(own_engine: engines.PostgresEngine) -> None:
    admin_url = own_engine.admin_url
    url = make_conninfo(admin_url, user="eco_orchestrator", password=own_engine.password_of("eco_orchestrator"))
    prepare(admin_url)

    with held(admin_url, GATE) as place:
        victim = Victim(work, url=url)
        backend = place.until_reached(victim)
        # One backend that dies hard takes the whole cluster down, and PostgreSQL recovers from its log.
        os.kill(backend.pid, signal.SIGKILL)
        assert victim.wait() != 0, "its work was told as done"

    def answers() -> tuple[int, ...] | None:
        try:
            return kept(admin_url)
        except psycopg.OperationalError:
            return None

    assert eventually_now(answers) == NONE
    assert Victim(work, url=url).wait() == 0
    assert kept(admin_url) == ALL
