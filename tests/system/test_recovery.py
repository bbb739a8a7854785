"""Goal: what dies is told with its cause and its repair, soon and once. Method: a real fleet, kills, `eco recovery`."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from ecosystem.cli.walking import pages
from ecosystem.fleet.engines.found import find_postgres
from ecosystem.fleet.engines.postgres import Postgres
from ecosystem.fleet.home import Home
from ecosystem_client import ApiError, Ecosystem, EcosystemFailure
from ecosystem_client.retry import Retries
from specimens.maker import make
from specimens.model import Kind
from tests.support.fleets import Fleet, a_fleet, an_integrator, as_operator
from tests.support.killing import held
from tests.support.poll import eventually_now
from tests.support.walks import Walk

pytestmark = pytest.mark.system

TERMS = "lock table creditx.terms in exclusive mode"
"""What creditx-service needs when it keeps an outcome, and does not need before."""


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with a_fleet("recovery") as running:
        assert running.eco("login").returncode == 0
        assert running.eco("company", "create", "Alder AG").returncode == 0
        yield running


def episodes(fleet: Fleet, fault: str, component: str) -> list[dict[str, Any]]:
    done = fleet.eco("recovery", "episodes", "--json")
    found = json.loads(done.stdout)["items"] if done.returncode == 0 else []
    return [one for one in found if (one["fault"], one["component"]) == (fault, component)]


def is_over(fleet: Fleet, fault: str, component: str) -> list[dict[str, Any]]:
    return [one for one in episodes(fleet, fault, component) if one["cleared_at"] is not None]


def kill(fleet: Fleet, slot: str) -> None:
    os.kill(fleet.process(slot)["pid"], signal.SIGKILL)


@pytest.mark.parametrize(
    ("slot", "fault", "component"),
    [
        ("creditx-1", "instance_dead", "creditx-service"), ("postgresql", "engine_dead", "postgresql"),
        pytest.param("recovery-1", "instance_dead", "recovery-agent", marks=pytest.mark.long),
        pytest.param("cache", "engine_dead", "cache", marks=pytest.mark.long),
        pytest.param("edge", "engine_dead", "edge", marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_a_death_is_one_episode_with_its_cause_and_its_repair(
    fleet: Fleet, slot: str, fault: str, component: str
) -> None:
    kill(fleet, slot)

    (episode,) = eventually_now(lambda: is_over(fleet, fault, component))
    assert episode["cause"] == "ended by SIGKILL"
    assert episode["help_at"] is None
    told = fleet.eco("recovery", "show", episode["episode_id"]).stdout.splitlines()
    assert f"{fault} of {component} was seen: ended by SIGKILL." in told[0]
    assert re.search(r"restart \(done, attempt 1(, \d left)?\) by supervisor", told[1])
    # The consequences of a death are no faults of their own.
    assert episodes(fleet, "cache_lost", "cache") == episodes(fleet, "database_restarted", "postgresql") == []


def test_the_story_of_a_document_tells_what_died_meanwhile(fleet: Fleet) -> None:
    """It dies where it is about to keep the outcome, which waits for a lock of ours: the run is surely under way."""
    pid, invoice = fleet.process("creditx-1")["pid"], make(Kind.INVOICE, seed=7, as_of=datetime.now(UTC).date())
    with as_operator(fleet, "Alder AG") as alder, held(admin_url(fleet), TERMS) as place:
        document_id = alder.documents.upload(invoice.content, name=invoice.name).document_id
        place.until_reached()
        os.kill(pid, signal.SIGKILL)

    story = eventually_now(
        lambda: fleet.eco("runs", "explain", document_id).stdout.splitlines(),
        lambda said: any("The fault instance_dead of creditx-service was over" in one for one in said),
    )
    assert f"took document {document_id}" in story[0]
    seen = "Meanwhile a fault was seen, instance_dead of creditx-service (creditx-1): ended by SIGKILL."
    assert any(seen in one for one in story)
    repaired = re.compile(
        r"Repair restart for instance_dead of creditx-service, attempt [12]: done, by the supervisor\."
    )
    assert any(map(repaired.search, story))
    assert json.loads(fleet.eco("work", "list", "--json").stdout)["items"] == []


@pytest.mark.long
def test_a_session_that_holds_the_horizon_is_named_and_ended_when_a_person_says_so(fleet: Fleet) -> None:
    with writing(fleet) as session:
        (episode,) = eventually_now(lambda: episodes(fleet, "horizon_held", "postgresql"))
        walk = Walk(fleet, "database_connection_failures")
        done = walk.do()

        assert f"eco recovery approve {walk.found['ACTION']}" in done
        assert "night report, eco_events" in episode["cause"]
        assert session.wait(10) != 0
    assert eventually_now(lambda: is_over(fleet, "horizon_held", "postgresql"))


def test_every_runbook_can_be_walked_where_nothing_is_wrong_any_more(fleet: Fleet) -> None:
    """What died above is back: each look of each page succeeds, and nothing is left to decide."""
    eventually_now(lambda: "Nothing is wrong." in fleet.eco("recovery", "status").stdout)
    with ThreadPoolExecutor(len(pages())) as pool:
        walks = list(pool.map(lambda name: Walk(fleet, name), pages()))

    for walk in walks:
        assert walk.failing() == [], walk.commands
        assert walk.found["ACTION"] is None
        assert "Nothing is wrong." in walk.output("eco recovery status")


def writing(fleet: Fleet) -> "subprocess.Popen[bytes]":
    """A program with a transaction that writes and does not end."""
    program = (
        "import sys, time, psycopg\n"
        "from ecosystem.fleet.engines.postgres import Postgres\n"
        "from ecosystem.fleet.engines.found import find_postgres\n"
        "from ecosystem.fleet.home import Home\n"
        "from pathlib import Path\n"
        "home = Home(Path(sys.argv[1]))\n"
        "url = Postgres(home, find_postgres(None), 100).url('eco_events', home.password_of('eco_events'))\n"
        "with psycopg.connect(url, application_name='night report') as session:\n"
        "    session.execute('select pg_current_xact_id()')\n"
        "    session.execute('select pg_sleep(60)')\n"
    )
    return subprocess.Popen([fleet.python, "-c", program, str(fleet.home)], env=fleet.environ, stderr=subprocess.PIPE)


@contextmanager
def as_administrator(fleet: Fleet) -> Iterator[psycopg.Connection[Any]]:
    """The database's own administrator, as somebody who breaks something would be."""
    with psycopg.connect(admin_url(fleet), autocommit=True) as connection:
        yield connection


def admin_url(fleet: Fleet) -> str:
    return Postgres(Home(fleet.home), find_postgres(None), 100).admin_url


@pytest.mark.long
def test_a_service_that_answers_with_errors_is_told_with_its_share(fleet: Fleet) -> None:
    with an_integrator(fleet, "Birch", retries=Retries(attempts_max=1)) as birch, as_administrator(fleet) as admin:
        admin.execute("revoke select on creditx.documents from eco_creditx")
        try:
            # What follows from a death within the last minute is no fault of its own: it is asked until then.
            (episode,) = eventually_now(
                lambda: [refusal(birch) for _ in range(15)] and episodes(fleet, "error_rate_high", "creditx-service"),
            )
        finally:
            admin.execute("grant select on creditx.documents to eco_creditx")

    assert re.fullmatch(r"\d+ of \d+ requests failed within 60 s, most with .+", episode["cause"])
    assert episode["runbook"] == "high_error_rate"
    assert eventually_now(lambda: is_over(fleet, "error_rate_high", "creditx-service"))


@pytest.mark.long
def test_readers_that_cannot_go_on_are_told_as_a_late_log(fleet: Fleet, tmp_path: Path) -> None:
    fleet.eco("specimens", "--seed", "9", "--out", str(tmp_path), "--kind", "invoice", "--count", "1")
    with as_administrator(fleet) as admin:
        # Another replica that has all slots of the consumer and does nothing with them.
        admin.execute(
            "select pg_advisory_lock(hashtext('eco.consumer/orchestrator-ingestion'), slot)"
            " from generate_series(0, 15) slot"
        )
        file = str(next(tmp_path.glob("*.pdf")))
        assert fleet.eco("documents", "upload", file, "--company", "Alder AG").returncode == 0
        (episode,) = eventually_now(lambda: episodes(fleet, "log_late", "event-log"))

    assert episode["cause"] == "events were brought past it by direct call, to orchestrator-ingestion"
    assert eventually_now(lambda: is_over(fleet, "log_late", "event-log"))


@pytest.mark.long
def test_requests_while_the_database_stands_still_are_told_why(fleet: Fleet) -> None:
    """Before a process knows, who finds no place hears `overloaded`; where none is ready, `unavailable`."""
    postgres = psutil.Process(fleet.process("postgresql")["pid"])
    with an_integrator(fleet, "Cedar", retries=Retries(attempts_max=1)) as cedar, ThreadPoolExecutor(100) as pool:
        assert refusal(cedar) == ("answered", False)
        frozen = [postgres, *postgres.children(recursive=True)]
        for process in frozen:
            process.suspend()
        try:
            told = set(pool.map(lambda _: refusal(cedar), range(600)))
        finally:
            for process in frozen:
                with suppress(psutil.Error):
                    process.resume()

    assert ("database_unavailable", True) in told, told
    assert all(code == "answered" or says_when for code, says_when in told), told
    assert {code for code, _ in told} <= {"database_unavailable", "overloaded", "unavailable", "answered"}


def refusal(client: Ecosystem) -> tuple[str, bool]:
    """The code of the failure, and whether it says when to ask again."""
    try:
        client.documents.page(limit=1)
    except ApiError as error:
        return error.code, error.retry_after_seconds is not None
    except EcosystemFailure as error:
        return type(error).__name__, False
    return "answered", False


@pytest.mark.long
def test_a_supervisor_that_was_killed_is_told_by_the_next(fleet: Fleet) -> None:
    os.kill(fleet.status()["pid"], signal.SIGKILL)
    assert fleet.eco("up").returncode == 0

    (episode,) = eventually_now(lambda: is_over(fleet, "supervisor_restarted", "supervisor"))
    assert episode["cause"] == "the supervisor before it ended without being asked to"
