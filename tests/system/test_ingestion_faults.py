"""Goal: whichever process is killed, a promised document reaches its outcome, once. Method: SIGKILL in a real fleet.

A client uploads through the edge; as soon as the platform has promised (202), one process is killed; the client
follows the document as any client would. At the end the log is read as the superuser, past every fence.
"""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count

import psycopg
import pytest

from ecosystem.catalog import CATALOG
from ecosystem_client import Ecosystem, EcosystemFailure
from specimens.maker import make
from specimens.model import Kind
from tests.support.fleets import Fleet, a_fleet, an_integrator
from tests.support.poll import PATIENCE_SECONDS, eventually_now

pytestmark = pytest.mark.system

DOCUMENTS = 3
SLOTS = [f"{entry.short_name}-1" for entry in CATALOG]
SEEDS = count(1)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with a_fleet("faults") as running:
        yield running


@pytest.fixture(scope="module")
def ecosystem(fleet: Fleet) -> Iterator[Ecosystem]:
    with an_integrator(fleet, "faults") as ecosystem:
        yield ecosystem


def send(ecosystem: Ecosystem) -> str:
    """A document the platform has promised to keep: its id."""
    specimen = make(Kind.BANK_STATEMENT, seed=next(SEEDS), as_of=datetime.now(UTC).date())
    return ecosystem.documents.upload(specimen.content, name="statement.pdf").document_id


def outcome(ecosystem: Ecosystem, document_id: str) -> str | None:
    """As a patient client sees it: a platform that does not answer for a moment is asked again."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ecosystem.documents.follow(document_id, timeout_seconds=PATIENCE_SECONDS).outcome
        except EcosystemFailure:
            if time.monotonic() > end:
                raise


def log_of(fleet: Fleet, document_id: str) -> list[str]:
    """The types of all events about a document, in order."""
    password = (fleet.home / "fleet" / "postgres.password").read_text()
    folder = fleet.home / "run" / "postgres"
    with psycopg.connect(f"host={folder} user=eco password={password} dbname=postgres") as connection:
        rows = connection.execute(
            "select type from kernel.log where subject = %s and type like 'compliance%%' order by xid, id",
            (document_id,),
        )
        return [row[0] for row in rows]


def is_healed(fleet: Fleet) -> bool:
    return fleet.eco("status").returncode == 0


def assert_outcome_once(fleet: Fleet, ecosystem: Ecosystem, documents: list[str]) -> None:
    assert [outcome(ecosystem, one) for one in documents] == ["approved"] * len(documents)
    for one in documents:
        # The outcome is stored one step before it is published.
        eventually_now(lambda one=one: "compliance_document_processed" in log_of(fleet, one))  # type: ignore[misc]
        assert log_of(fleet, one) == ["compliance_document_created", "compliance_document_processed"]


@pytest.mark.parametrize("slot", [*SLOTS, "postgresql", "cache", "edge", "zygote"])
def test_any_process_killed_during_an_ingestion(fleet: Fleet, ecosystem: Ecosystem, slot: str) -> None:
    pid = fleet.process(slot)["pid"]
    with ThreadPoolExecutor(DOCUMENTS) as pool:
        documents = list(pool.map(lambda _: send(ecosystem), range(DOCUMENTS)))

    os.kill(pid, signal.SIGKILL)

    assert_outcome_once(fleet, ecosystem, documents)
    eventually_now(lambda: is_healed(fleet))


def test_the_supervisor_killed_and_started_again(fleet: Fleet, ecosystem: Ecosystem) -> None:
    state = fleet.status()
    documents = [send(ecosystem) for _ in range(DOCUMENTS)]

    os.kill(state["pid"], signal.SIGKILL)
    port = state["edge_url"].rpartition(":")[2]
    eventually_now(lambda: fleet.eco("up", ECO_FLEET_EDGE_PORT=port).returncode == 0, every_seconds=0.2)

    assert_outcome_once(fleet, ecosystem, documents)
