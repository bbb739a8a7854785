"""Goal: who looks into another account's home is told so, with the next step.
Method: the commands as an account that may enter neither the home nor the folder above it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecosystem.cli import doctor, documents, down, logs, scale, status
from ecosystem.entrypoints import settings_classes, supervise
from ecosystem.fleet.home import Home
from tests.support.engines import short_folder

STRANGER = 65534


@pytest.fixture(params=["the home", "the folder above"])
def theirs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_folder("theirs") as folder:
        home = folder / "above" / "home"
        Home(home).prepare()
        (home / "lock").touch(0o600)
        closed = home if request.param == "the home" else home.parent
        closed.chmod(0)
        monkeypatch.setenv("ECO_HOME", str(home))
        before = os.geteuid()
        if before == 0:
            os.seteuid(STRANGER)
        yield home
        if before == 0:
            os.seteuid(0)
        closed.chmod(0o700)


@pytest.mark.parametrize(
    "command",
    [
        lambda: status.main([]),
        lambda: down.main([]),
        lambda: scale.main(["creditx", "2"]),
        lambda: logs.main(["creditx"]),
        lambda: documents.main(["list"]),
    ],
    ids=["status", "down", "scale", "logs", "documents"],
)
def test_commands_say_whose_it_is(theirs: Path, command: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(command)
    assert command() == 1
    said = capsys.readouterr().err
    assert f"{theirs}/" in said
    assert "is of another account: Permission denied." in said
    assert "Next: Be that account" in said


def test_a_start_says_so_too(theirs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert supervise(None, None) == 1
    assert "Permission denied" in capsys.readouterr().err


def test_the_doctor_goes_on(theirs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main([], settings_classes()) == 1
    said = capsys.readouterr().out
    assert "cannot be written" in said
    assert "connections" in said


def test_a_home_that_is_none_has_no_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECO_HOME", str(tmp_path / "mistyped"))

    assert logs.main(["creditx"]) == 1
    assert "mistyped has no logs: no platform has run there." in capsys.readouterr().err
