"""Goal: each runbook leads from the fault to its end. Method: make the fault in a platform, and follow the page.

A page is followed as `eco runbook NAME` gives it: what it ran by itself, and what it leaves to a person, in order.
"""

import json
import os
import re
import signal
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from ecosystem.cli.walking import pages
from ecosystem.fleet.engines.postgres import DATABASE
from ecosystem.fleet.home import Home
from specimens.maker import make
from specimens.model import Kind
from tests.support.documented import shown
from tests.support.fleets import Fleet, a_fleet
from tests.support.poll import eventually_now
from tests.support.providers import WebHook, a_webhook
from tests.support.walks import Walk
from tests.tidy.tree import ROOT

pytestmark = pytest.mark.system

CONNECTIONS_MAX = 110
GUIDE = "docs/guides/on-call.md"


@pytest.fixture(scope="module")
def hook() -> Iterator[WebHook]:
    with a_webhook() as hook:
        yield hook


@pytest.fixture(scope="module")
def fleet(hook: WebHook) -> Iterator[Fleet]:
    settings = {
        "ECO_MONITORING_PRIVATE_NETWORKS": "127.0.0.0/8",
        "ECO_FLEET_DATABASE_CONNECTIONS_MAX": str(CONNECTIONS_MAX),
    }
    with a_fleet("runbooks", **settings) as fleet:
        assert fleet.eco("login").returncode == 0
        assert fleet.eco("company", "create", "Alder AG").returncode == 0
        address = fleet.home.parent / "address"
        address.write_text(hook.url())
        assert fleet.eco("notifications", "add", "chat", "--url-file", str(address)).returncode == 0
        yield fleet


def paged(fleet: Fleet, runbook: str, hook: WebHook) -> None:
    """Whoever is on call hears of it, with the page that helps."""
    before = len(hook.received)
    done = fleet.eco("oncall", "page", "something is wrong", "--priority", "P1", "--runbook", runbook)
    assert done.returncode == 0, done.stderr
    eventually_now(lambda: len(hook.received) > before)
    assert f"eco runbook {runbook}" in hook.received[-1].body.decode()


def upload(fleet: Fleet, seed: int) -> int:
    specimen = fleet.home.parent / f"{seed}.pdf"
    specimen.write_bytes(make(Kind.BANK_STATEMENT, seed=seed, as_of=datetime.now(UTC).date()).content)
    return fleet.eco("documents", "upload", str(specimen), "--wait", timeout_seconds=120).returncode


def connections(home: Home) -> Iterator[psycopg.Connection[Any]]:
    """As many as the server gives, as a program would that somebody lets connect as creditx."""
    folder = quote(str(home.run / "postgres"), safe="")
    url = f"postgresql://eco_creditx:{home.password_of('eco_creditx')}@/{DATABASE}?host={folder}"
    for _ in range(CONNECTIONS_MAX):
        try:
            yield psycopg.connect(url)
        except psycopg.OperationalError as error:
            assert "connection" in str(error)  # noqa: PT017 the end that is wanted
            return


@pytest.mark.long
def test_service_unavailable(fleet: Fleet, hook: WebHook) -> None:
    paged(fleet, "service_unavailable", hook)
    for _ in range(4):
        pid = fleet.process("orchestrator-1")["pid"]
        if pid:
            os.kill(pid, signal.SIGKILL)
        eventually_now(lambda pid=pid: fleet.process("orchestrator-1")["pid"] != pid)  # type: ignore[misc]

    walk = Walk(fleet, "service_unavailable")
    done = walk.do()
    after = Walk(fleet, "service_unavailable")

    assert walk.found["SERVICE"] == "orchestrator"
    assert "ended by SIGKILL" in walk.output("eco logs supervisor --level warning --since 15m")
    assert [command.split()[1] for command in done] == ["oncall", "restart"]
    assert "crash_loop" in walk.output("eco recovery status")
    assert after.failing() == []
    assert "No page is open" in fleet.eco("oncall", "show").stderr
    assert upload(fleet, 1) == 0


@pytest.mark.long
def test_high_error_rate(fleet: Fleet, hook: WebHook) -> None:
    paged(fleet, "high_error_rate", hook)
    folder = Path(fleet.home / "objects")
    mode = stat.S_IMODE(folder.stat().st_mode)
    folder.chmod(0)
    try:
        failed = upload(fleet, 2)
        walk = Walk(fleet, "high_error_rate")
    finally:
        folder.chmod(mode)
    walk.do()

    assert failed != 0
    # Who cannot reach its folder says so by not being ready; else the one that answers with errors.
    assert walk.found["SERVICE"] in ("objects", "creditx")
    assert walk.found["TRACE"]
    assert Walk(fleet, "high_error_rate").output("eco status --wait").count("ready") > 10
    assert upload(fleet, 3) == 0


@pytest.mark.long
def test_database_connection_failures(fleet: Fleet, hook: WebHook) -> None:
    paged(fleet, "database_connection_failures", hook)
    with ExitStack() as held:
        for connection in connections(Home(fleet.home)):
            held.enter_context(connection)
        walk = Walk(fleet, "database_connection_failures")
    walk.do()
    after = Walk(fleet, "database_connection_failures")

    assert "statistics.connections_by_role.eco_creditx" in walk.output("eco engines postgres")
    assert after.failing() == []
    assert upload(fleet, 4) == 0


@pytest.mark.long
def test_the_guide_on_call(fleet: Fleet, hook: WebHook) -> None:
    """Its rota and its commands as they stand there; the addresses are those of this machine."""
    text = (ROOT / GUIDE).read_text()
    rota = next(block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL))
    folder = fleet.home.parent
    (folder / "rota.yaml").write_text(re.sub(r"mailtos://[^\"]*", hook.url("amy"), rota))
    (folder / "address.txt").write_text(hook.url())
    fleet.eco("notifications", "remove", "chat")
    # A campaign has a platform and a test of its own; of incidents there is none here.
    commands = [
        one.words for one in shown()
        if one.document == GUIDE and one.words[1] != "chaos" and not {"INCIDENT", "FILE"} & {*one.words}
    ]  # fmt: skip
    codes = {}
    for words in commands:
        pages = json.loads(fleet.eco("oncall", "show", "--json").stdout)["pages"]
        filled = [pages[0]["page_id"] if word == "PAGE" else word for word in words[1:]]
        codes[" ".join(words)] = fleet.eco(*filled).returncode

    assert [command for command, code in codes.items() if code != 0] == []
    assert "eco oncall page uploads are slow --priority P2 --runbook high_error_rate" in codes
    assert json.loads(fleet.eco("oncall", "show", "--json").stdout)["pages"] == []


def test_every_page_is_rehearsed_here() -> None:
    assert [f"test_{name}" in globals() for name in pages()] == [True] * len(pages())
