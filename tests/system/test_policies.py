"""Goal: an engineer changes policies and takes a certificate back while the platform runs. Method: a whole one."""

import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import httpx
import pytest

from ecosystem.kernel.identity.contexts import make_client_context
from ecosystem_client import Ecosystem
from specimens.maker import make
from specimens.model import Kind
from tests.support.fleets import Fleet, a_fleet, an_integrator
from tests.support.poll import eventually_now

pytestmark = pytest.mark.system


SEEDS = count(1)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with a_fleet("policies") as running:
        yield running


@pytest.fixture(scope="module")
def ecosystem(fleet: Fleet) -> Iterator[Ecosystem]:
    with an_integrator(fleet, "policies") as ecosystem:
        yield ecosystem


class Thief:
    """Has a copy of a service's key and certificate, and calls a service by HTTP with it."""

    def __init__(self, fleet: Fleet, name: str, folder: Path) -> None:
        stolen = folder / "stolen.pem"
        stolen.write_bytes((fleet.home / "pki" / f"{name}.pem").read_bytes())
        bundle = (fleet.home / "pki" / "ca.pem").read_text()
        context = make_client_context(stolen, bundle, "eco.local", lambda _: False)
        context.check_hostname = False
        process = fleet.process("creditx-1")
        self._http = httpx.Client(verify=context, base_url=f"https://127.0.0.1:{process['ports']['http_port']}")

    def gets_in(self) -> bool:
        try:
            return self._http.get("/health/live").status_code == 200
        except (httpx.TransportError, ssl.SSLError):
            return False


def test_a_stolen_certificate_is_refused_and_its_owner_goes_on(fleet: Fleet, tmp_path: Path) -> None:
    thief = Thief(fleet, "orchestrator-agent", tmp_path)
    assert thief.gets_in()

    done = fleet.eco("identities", "revoke", "orchestrator")
    eventually_now(lambda: not thief.gets_in())

    assert done.returncode == 0, done.stderr
    told = json.loads(fleet.eco("identities", "list", "--json").stdout)
    assert len(told["revoked"]) == 1
    assert {process["state"] for process in fleet.status()["processes"]} == {"ready"}
    renewed = Thief(fleet, "orchestrator-agent", tmp_path)
    assert renewed.gets_in()


def test_a_changed_policy_holds_and_a_wrong_one_changes_nothing(fleet: Fleet, ecosystem: Ecosystem) -> None:
    file = fleet.home / "policies.toml"

    def outcome() -> str | None:
        specimen = make(Kind.BANK_STATEMENT, seed=next(SEEDS), as_of=datetime.now(UTC).date())
        document = ecosystem.documents.upload(specimen.content, name="statement.pdf")
        return ecosystem.documents.follow(document.document_id, timeout_seconds=60).outcome

    assert outcome() == "approved"

    file.write_text('[authorisation]\n"orchestrator-agent -> validation-agent" = []\n')
    assert fleet.eco("policies", "check").returncode == 0
    eventually_now(lambda: outcome() == "review")

    file.write_text('[authorisation]\n"orchestrator-agent -> validation-agent" = ["guess"]\n')
    refused = fleet.eco("policies", "check")
    assert (refused.returncode, "policies.toml:2: validation-agent does not know guess" in refused.stderr) == (1, True)

    def told() -> int:
        assert outcome() == "review"
        return fleet.eco("logs", "creditx", "--level", "error").stdout.count("policies refused")

    assert eventually_now(told) == 1
    assert told() == 1

    file.unlink()
    eventually_now(lambda: outcome() == "approved")
