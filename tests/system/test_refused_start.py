"""Goal: a start that is refused says why and leaves neither a file nor a process. Method: `eco up`, as a program."""

import re
import socket
from collections.abc import Iterator

import psutil
import pytest

from ecosystem.fleet.home import FORMAT
from tests.support.fleets import Fleet, a_home
from tests.support.poll import eventually_now

pytestmark = pytest.mark.system


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with a_home("refused") as fleet:
        yield fleet


def processes_of(fleet: Fleet) -> list[psutil.Process]:
    """Whatever was started with this home, and lives."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("ECO_HOME") == str(fleet.home):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.mark.parametrize(
    "text",
    ["[fleet]\nready_timeout_seconds = 0\n", "[fleet]\naccount = 'nosuchuser'\n", "[cache]\nurl = 'http://foo'\n",
     "[monitoring]\nbusiness_zone = 'Mars/X'\n", "[database]\nurl_file = '/nope'\n", "[creditx]\npages = 1\n"],
)  # fmt: skip
def test_a_wrong_setting(fleet: Fleet, text: str) -> None:
    config = fleet.home.parent / "wrong.toml"
    config.write_text(text)
    done = fleet.eco("up", "--config", str(config))

    assert done.returncode == 1
    assert "wrong.toml:2" in done.stderr
    assert "Next: " in done.stderr
    assert not fleet.home.exists()
    eventually_now(lambda: not processes_of(fleet))


def test_what_failed_half_way_names_a_step_that_works_on_a_stopped_home(fleet: Fleet) -> None:
    (fleet.home / "secrets").mkdir(parents=True)
    (fleet.home / "secrets" / "master.key").write_text("no key\n")
    done = fleet.eco("up")

    assert done.returncode == 1
    failed = re.search(r"eco up: (\S+):", done.stderr)
    assert failed, done.stderr
    assert "Next: `eco logs SERVICE`" in done.stderr
    assert "master" in fleet.eco("logs", failed[1]).stdout


def test_a_database_that_does_not_answer_is_explained_by_the_next_step(fleet: Fleet) -> None:
    nowhere = "postgresql://x@127.0.0.1:1/x"
    done = fleet.eco("up", ECO_DATABASE_URL=nowhere)

    assert "The database did not answer the migration." in done.stderr
    assert "Next: `eco doctor` says why." in done.stderr
    assert "the server of its URL does not answer" in fleet.eco("doctor", ECO_DATABASE_URL=nowhere).stdout


def test_a_busy_port(fleet: Fleet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = fleet.eco("up", ECO_FLEET_EDGE_PORT=port)

    assert done.returncode == 1
    assert f"Port {port} of 127.0.0.1 is in use" in done.stderr
    assert not fleet.home.exists()
    eventually_now(lambda: not processes_of(fleet))


def test_a_home_of_a_newer_format(fleet: Fleet) -> None:
    (fleet.home / "logs").mkdir(parents=True)
    (fleet.home / "logs" / "zygote.log").touch()
    (fleet.home / "format").write_text(f"{FORMAT + 1}\n")
    done = fleet.eco("up")

    assert done.returncode == 1
    assert f"has format {FORMAT + 1}" in done.stderr
    assert sorted(path.name for path in fleet.home.rglob("*")) == ["format", "logs", "zygote.log"]
    assert (fleet.home / "logs" / "zygote.log").read_bytes() == b""
    eventually_now(lambda: not processes_of(fleet))


def test_one_that_is_stopped_on_its_way_is_no_success(fleet: Fleet) -> None:
    starting = fleet.begin("up")
    eventually_now(lambda: "Stopped after" in fleet.eco("down").stdout)
    said, _ = starting.communicate(timeout=60)

    assert starting.returncode == 1
    assert "was stopped while it started" in said
    assert "Next: eco up" in said
