"""Goal: ten thousand lines of one kind are one row, and the rare line stands beside it. Method: lines as services and
engines write them."""

import json
from pathlib import Path

import pytest

from ecosystem.cli import logs
from ecosystem.cli.log_counting import KINDS_MAX, counted, says
from ecosystem.fleet.home import Home

AT = "2026-11-24T05:00:{second:02}.123Z"


def crashed(number: int, error: str = "InsufficientPrivilege") -> str:
    """A request that crashed, as a service tells it: ids and times differ from one to the next."""
    return json.dumps({
        "timestamp": AT.format(second=number % 60), "level": "error", "service": "creditx-service",
        "trace_id": f"trace-{number}", "company_id": f"company-{number}", "message": "request crashed",
        "context": {"error": {"type": error}, "execution_time_ms": number},
    })  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = Home(tmp_path)
    found.logs.mkdir(parents=True)
    monkeypatch.setattr(logs, "this_home", lambda: found)
    return found.logs


def test_a_storm_is_a_row_and_hides_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [crashed(number) for number in range(10_000)]
    lines.insert(7000, crashed(30, "OutOfMemory"))
    (home / "creditx-1.log").write_text("\n".join(lines) + "\n")

    assert logs.main(["--level", "warning", "--counted"]) == 0
    head, storm, rare = capsys.readouterr().out.splitlines()
    assert head.split() == ["TIMES", "LEVEL", "PROCESS", "FIRST", "LAST", "SAYS", "TRACE", "OF", "THE", "LAST"]
    assert storm.split()[:3] == ["10000", "error", "creditx-1"]
    assert "2026-11-24 05:00:00Z  2026-11-24 05:00:59Z  request crashed error=InsufficientPrivilege" in storm
    assert "request crashed error=OutOfMemory" in rare


def test_a_program_gets_all_kinds_and_a_reader_the_most_frequent(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [chr(ord("a") + kind % 26) * (1 + kind // 26) for kind in range(KINDS_MAX + 5)]
    (home / "creditx-1.log").write_text("\n".join(crashed(number, error) for number, error in enumerate(many)) + "\n")
    logs.main(["--counted"])
    shown = capsys.readouterr()
    logs.main(["--counted", "--json"])

    assert len(shown.out.splitlines()) == 1 + KINDS_MAX
    assert "5 more kinds of lines" in shown.err
    assert len(json.loads(capsys.readouterr().out)["items"]) == KINDS_MAX + 5


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2026-11-26 13:57:51.006 UTC [21586] ERROR:  permission denied for table documents",
         "2026-11-26 13:57:52.910 UTC [7] ERROR:  permission denied for table documents"),
        ("25572:M 26 Nov 2026 00:51:30.279 # WARNING Memory overcommit must be enabled!",
         "7:M 27 Nov 2026 10:01:00.001 # WARNING Memory overcommit must be enabled!"),
        ("GET /v1/documents/01a21818-2659-7525-8af5-7f07e1f83e56",
         "GET /v1/documents/01a21818-ffff-7525-8af5-7f07e1f83e56"),
    ],
)  # fmt: skip
def test_what_is_of_the_case_alone_makes_no_kind(one: str, other: str) -> None:
    assert says(one, None) == says(other, None)
    assert says(one, None).startswith(("ERROR:  permission denied", "WARNING Memory", "GET /v1/documents/#"))


def test_nothing_is_said_in_words(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "creditx-1.log").write_text("")

    assert logs.main(["--counted"]) == 0
    assert "No line fits." in capsys.readouterr().err
    assert counted([]) == []


def test_a_line_for_a_program_holds_nothing_that_a_terminal_obeys(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "postgresql.log").write_text("2026-11-26 13:57:51.006 UTC [2] ERROR:  no table \u202etxt.exe \u009b31m\n")
    logs.main(["--json"])
    out = capsys.readouterr().out

    assert "\u202e" not in out
    assert "\u009b" not in out
    assert json.loads(out)["message"].endswith("no table \u202etxt.exe \u009b31m")
