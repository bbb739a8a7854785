"""Goal: an engineer sees which policies hold and why, and tries a change before it counts. Method: the commands."""

import json
import os
from pathlib import Path

import pytest

from ecosystem.catalog import CATALOG
from ecosystem.cli import policies
from ecosystem.contracts.index import AGENTS
from ecosystem.kernel.agent.authorisation import names_checked
from ecosystem.kernel.resilience.file import SHIPPED, combine, read


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ECO_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_show_tells_routes_and_breakers(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert policies.main(["show"]) == 0

    told = capsys.readouterr()
    lines = [" ".join(line.split()) for line in told.out.splitlines()]
    assert "creditx-service -> cache 5 s 2 weighted creditx" in lines
    assert "threat-agent -> postgres 30 s 3 least_connections route" in lines
    assert "creditx 5 failures in a row 60 s 3" in lines
    assert f"As shipped; {home / 'policies.toml'} would change it." in told.err


def test_origin_names_the_line_of_each_value(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "policies.toml").write_text('[routes."* -> cache"]\ntimeout_seconds = 0.5\n')

    assert policies.main(["show", "* -> cache", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    values = {one["setting"]: (one["value"], one["origin"]) for one in told["policies"]}
    assert values["timeout_seconds"] == (0.5, "policies.toml:2")
    assert values["breaker"][0] == "cache"
    assert values["rate_period_seconds"] == (1, "default")
    assert told["file"] == str(home / "policies.toml")


def test_an_unknown_name_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert policies.main(["show", "nobody"]) == 1
    assert "There is no route or breaker 'nobody'." in capsys.readouterr().err


def test_check_says_what_a_right_file_changes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "mine.toml"
    file.write_text('[authorisation]\n"orchestrator-agent -> ocr-agent" = ["read_pages"]\n')

    assert policies.main(["check", str(file)]) == 0
    assert "is right: 0 in [routes], 0 in [breakers], 1 in [authorisation]." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[routes."* -> cache"]\nattempts = 11\n', "policies.toml:2: routes.\"* -> cache\".attempts is refused"),
        ('[authorisation]\n"orchestrator-agent -> ocr-agent" = ["read_page"]\n', "policies.toml:2: ocr-agent does not"),
    ],
)  # fmt: skip
def test_check_refuses_by_line(home: Path, capsys: pytest.CaptureFixture[str], text: str, told: str) -> None:
    (home / "policies.toml").write_text(text)

    assert policies.main(["check"]) == 1
    assert told in capsys.readouterr().err


def test_with_a_wrong_file_show_tells_what_holds_and_the_refusal(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "policies.toml").write_text('[routes."* -> cache"]\nattempts = true\n')

    assert policies.main(["show"]) == 1

    told = capsys.readouterr()
    assert "creditx-service -> cache 5 s 2 weighted creditx" in [" ".join(one.split()) for one in told.out.splitlines()]
    assert f"As shipped, because {home / 'policies.toml'} is refused" in told.err
    assert 'policies.toml:2: routes."* -> cache".attempts is refused' in told.err


def test_with_a_wrong_file_a_program_reads_both_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "policies.toml").write_bytes(b"\xff")

    assert policies.main(["show", "--json"]) == 1

    told = json.loads(capsys.readouterr().out)
    assert told["refused"].startswith("policies.toml is not UTF-8")
    assert {one["origin"].partition(":")[0] for one in told["policies"]} == {"shipped policies.toml", "default"}


@pytest.mark.parametrize("verb", ["check", "show"])
def test_nobody_waits_for_a_pipe(home: Path, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    os.mkfifo(home / "policies.toml")

    assert policies.main([verb]) == 1
    assert "policies.toml is no regular file." in capsys.readouterr().err


def test_what_is_shipped_is_right_and_is_shown_as_it_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names_checked(AGENTS, (entry.name for entry in CATALOG))(combine(read(SHIPPED)))

    assert policies.main(["show", "--shipped"]) == 0
    assert capsys.readouterr().out == SHIPPED.read_text()
