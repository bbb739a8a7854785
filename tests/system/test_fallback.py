"""Goal: documents reach their outcome without a person while a service is away. Method: a real fleet whose services
stand still, longer than all attempts take, and go on.
"""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from ecosystem_client import Ecosystem
from ecosystem_client.errors import EcosystemFailure
from specimens.maker import make
from specimens.model import Kind
from tests.support.fleets import Fleet, a_fleet, an_integrator
from tests.support.poll import eventually_now

pytestmark = [pytest.mark.system, pytest.mark.long]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """The supervisor leaves alone who stands still: here they are away for as long as the test says."""
    with a_fleet("fallback", ECO_FLEET_FROZEN_AFTER_SECONDS="3600") as running:
        yield running


@pytest.fixture(scope="module")
def ecosystem(fleet: Fleet) -> Iterator[Ecosystem]:
    with an_integrator(fleet, "fallback") as ecosystem:
        yield ecosystem


@contextmanager
def away(fleet: Fleet, slot: str) -> Iterator[None]:
    pid = fleet.process(slot)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def upload(ecosystem: Ecosystem, seed: int) -> str:
    specimen = make(Kind.INVOICE, seed=seed, as_of=datetime.now(UTC).date())
    return ecosystem.documents.upload(specimen.content, name=f"invoice-{seed}.pdf").document_id


def queue(fleet: Fleet) -> list[dict[str, Any]]:
    done = fleet.eco("recovery", "queue", "--json")
    return list(json.loads(done.stdout)["items"]) if done.returncode == 0 else []


def told(fleet: Fleet, document_id: str, sentence: str) -> bool:
    return sentence in fleet.eco("runs", "explain", document_id).stdout


def published(ecosystem: Ecosystem) -> list[str]:
    try:
        events = list(ecosystem.events.list(event_type="compliance_document_processed"))
    except EcosystemFailure:
        # A service that stood still is let in again by the edge a moment after it went on.
        return []
    return [str(event.data["document_id"]) for event in events]


def test_documents_wait_for_an_agent_that_is_away_and_are_published_in_their_order(
    fleet: Fleet, ecosystem: Ecosystem
) -> None:
    with away(fleet, "events-1"):
        documents = [upload(ecosystem, seed) for seed in range(1, 5)]
        waiting = eventually_now(lambda: found if len(found := queue(fleet)) == 4 else [], every_seconds=0.5)
        assert {one["agent_id"] for one in waiting} == {"event-bus-agent"}
        run = json.loads(fleet.eco("runs", "show", waiting[0]["run_id"], "--json").stdout)
        assert (run["status"], run["waiting"][0]["step"]) == ("running", "publish")
        # Whoever would bring the calls dies: they wait in the database.
        os.kill(fleet.process("orchestrator-1")["pid"], signal.SIGKILL)

    assert eventually_now(lambda: [one for one in [published(ecosystem)] if len(one) == 4])
    assert published(ecosystem) == documents
    assert queue(fleet) == []
    assert {ecosystem.documents.follow(one).outcome for one in documents} == {"approved"}
    assert told(fleet, documents[0], "went into the queue of event-bus-agent")


def test_a_backup_answers_while_the_first_deployment_is_away(fleet: Fleet, ecosystem: Ecosystem) -> None:
    assert fleet.eco("scale", "creditx-backup", "1").returncode == 0
    with away(fleet, "orchestrator-1"):
        document_id = upload(ecosystem, 11)
        creditx = away(fleet, "creditx-1")
        creditx.__enter__()
    try:
        assert eventually_now(lambda: document_id in published(ecosystem), every_seconds=0.5)
        assert told(fleet, document_id, "was answered by creditx-backup, the backup of validation-agent")
    finally:
        creditx.__exit__(None, None, None)
    assert ecosystem.documents.follow(document_id).outcome == "approved"
    assert fleet.eco("restart", "creditx-backup").returncode == 0
    assert fleet.eco("scale", "creditx-backup", "0").returncode == 0
    assert "creditx-backup" not in fleet.eco("status").stdout
