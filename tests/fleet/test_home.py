"""Goal: a home is one platform's, of a known format, and its secrets are private. Method: real folders."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecosystem.fleet.errors import AlreadyRunning, HomeForeign, HomeTooNew, HomeUnreachable
from ecosystem.fleet.home import FORMAT, Home, end_former, write_atomically
from ecosystem.fleet.place import default_home
from ecosystem.fleet.processes import Account, is_alive, started_ticks
from tests.support.engines import short_folder


@pytest.fixture
def home() -> Iterator[Home]:
    with short_folder("home") as folder:
        yield Home(folder / "a home")


def test_a_newer_format_is_refused_and_nothing_changes(home: Home) -> None:
    home.path.mkdir()
    (home.path / "format").write_text(str(FORMAT + 1))

    with pytest.raises(HomeTooNew, match=str(FORMAT + 1)):
        home.prepare()

    assert [path.name for path in home.path.iterdir()] == ["format"]


@pytest.mark.parametrize("account", [None, Account("stranger", 54321, 54321)])
def test_a_folder_with_other_things_is_refused_and_nothing_changes(home: Home, account: Account | None) -> None:
    home.path.mkdir(mode=0o755)
    (home.path / "thesis.odt").touch()

    with pytest.raises(HomeForeign, match=r"holds thesis\.odt"):
        Home(home.path, account).prepare()

    assert [path.name for path in home.path.iterdir()] == ["thesis.odt"]
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o755


def test_a_start_that_died_before_the_format_was_written_is_no_foreign_folder(home: Home) -> None:
    home.prepare()
    (home.path / "format").unlink()
    (home.path / "policies.toml").touch()
    home.prepare()

    assert (home.path / "format").read_text() == f"{FORMAT}\n"


def test_a_second_one_is_kept_out(home: Home) -> None:
    home.prepare()
    held = home.lock()

    with pytest.raises(AlreadyRunning):
        home.lock()
    assert home.is_locked()

    os.close(held)
    assert not home.is_locked()


def test_secrets_are_private_and_made_once(home: Home) -> None:
    home.prepare()
    home.make_secrets()
    before = home.master_key.read_text()
    home.make_secrets()

    assert home.master_key.read_text() == before
    assert stat.S_IMODE(home.master_key.stat().st_mode) == 0o600
    assert home.password_of("eco_a") != home.password_of("eco_b")


def test_sockets_of_a_deep_home_are_elsewhere_and_found_again(home: Home) -> None:
    deep = Home(home.path / ("d" * 60) / ("e" * 60))
    deep.prepare()
    run = deep.run

    assert len(str(run)) < 60
    deep.prepare()
    assert deep.run == run

    deep.leave()
    assert not run.exists()
    assert not deep.control.exists(), "whoever only looks makes no folder"
    deep.prepare()
    assert deep.run.is_dir()
    deep.leave()


@pytest.mark.parametrize("name", ["outside", "eco-run-outside"])
def test_what_else_a_home_names_as_its_run_folder_is_not_removed(home: Home, name: str) -> None:
    outside = home.path.parent / name
    outside.mkdir(parents=True)
    home.prepare()
    (home.path / "run-folder").write_text(str(outside))
    home.leave()

    assert home.run == home.path / "run"
    assert outside.is_dir()


def test_a_home_that_the_account_cannot_enter_is_refused_by_name(home: Home) -> None:
    home.path.mkdir()
    home.path.chmod(0o700)
    stranger = Home(home.path / "inside", Account("stranger", 54321, 54321))
    stranger.path.mkdir()

    with pytest.raises(HomeUnreachable, match="stranger cannot enter"):
        stranger.check_reachable(stranger.account or Account("", 0, 0), stranger.path)


def test_a_file_is_replaced_as_a_whole(home: Home) -> None:
    home.path.mkdir()
    file = home.path / "state.json"
    write_atomically(file, b"old")
    write_atomically(file, b"new", 0o600)

    assert file.read_bytes() == b"new"
    assert [path.name for path in home.path.iterdir()] == ["state.json"]


def test_processes_of_a_dead_supervisor_are_ended_and_others_left_alone(home: Home) -> None:
    home.prepare()
    ours, other = (subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in range(2))
    recorded = [{"pid": ours.pid, "ticks": started_ticks(ours.pid)}, {"pid": other.pid, "ticks": 1}]
    write_atomically(home.state_file, str({"processes": recorded}).replace("'", '"').encode())

    end_former(home, seconds=0.1)

    assert not is_alive(ours.pid)
    assert is_alive(other.pid)
    other.communicate(b"\n")
    ours.wait()


@pytest.mark.parametrize(("environ", "tail"), [({"ECO_HOME": "/x/y z"}, "/x/y z"), ({"ECO_HOME": "here"}, "/here")])
def test_the_environment_names_the_home(environ: dict[str, str], tail: str) -> None:
    assert str(default_home(environ)).endswith(tail)
    assert default_home(environ).is_absolute()


def test_a_pid_file_of_somebody_else_is_removed(home: Home) -> None:
    """After a power cut its number may belong to any process; the server would refuse to start for ever."""
    from ecosystem.fleet.engines.found import Found
    from ecosystem.fleet.engines.postgres import Postgres

    home.prepare()
    home.data.mkdir()
    file = Path(home.data / "postmaster.pid")
    file.write_text(f"{os.getpid()}\n{home.data}\n")

    Postgres(home, Found("postgresql", "wheel", "18"), 100)._clear_stale_pid()

    assert not file.exists()
