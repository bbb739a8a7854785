"""Goal: a start that is refused says why and leaves neither a file nor a process. Method: `eco up`, as a program."""

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


def test_a_wrong_setting(fleet: Fleet) -> None:
    config = fleet.home.parent / "wrong.toml"
    config.write_text("[fleet]\nready_timeout_seconds = 0\n")
    done = fleet.eco("up", "--config", str(config))

    assert done.returncode == 1
    assert "wrong.toml:2" in done.stderr
    assert "Next: " in done.stderr
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
