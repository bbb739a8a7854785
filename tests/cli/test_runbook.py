"""Goal: a runbook is made of commands that there are, and changes nothing unasked. Method: read every page."""

import json

import pytest

from ecosystem.cli import walking
from ecosystem.cli.main import COMMANDS, main
from ecosystem.cli.walking import Command, Finder, Ran, pages, read

NAMES = {name for group in COMMANDS.values() for name, _ in group}


@pytest.mark.parametrize("name", pages())
def test_each_step_has_a_command_of_ours(name: str) -> None:
    steps = read(name).steps

    assert len(steps) >= 5
    assert all((step.commands and step.text) or number == 0 for number, step in enumerate(steps))
    assert {command.words[0] for step in steps for command in step.commands} == {"eco"}
    assert {command.words[1] for step in steps for command in step.commands} <= NAMES


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("eco status --wait", False), ("eco logs creditx --level error", False), ("eco events dead-letters", False),
        ("eco recovery status", False), ("eco recovery actions --outcome proposed", False),
        ("eco recovery approve 7", True), ("eco recovery pause", True),
        ("eco restart creditx", True), ("eco oncall ack 7", True), ("eco oncall show", False), ("eco down", True),
        ("eco incidents postmortem 7 --write", True), ("eco events dead-letters --redeliver 7", True),
        ("eco something new", True),
    ],
)  # fmt: skip
def test_what_is_not_known_to_look_is_taken_for_a_change(line: str, changes: bool) -> None:
    assert Command(tuple(line.split())).changes is changes


def test_piped_it_looks_changes_nothing_and_says_what_it_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def run(words: tuple[str, ...], *, patient: bool) -> Ran:
        assert not patient
        ran.append(" ".join(words))
        return Ran(0, "fine")

    monkeypatch.setattr("ecosystem.cli.runbook.run", run)
    monkeypatch.setattr(walking, "_run_json", lambda *_: "{}")
    assert main(["runbook", "service_unavailable", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    left = [one["command"] for step in told["steps"] for one in step["commands"] if not one["ran"]]

    assert all(not Command(tuple(line.split())).changes for line in ran)
    assert "eco status" in ran
    assert "eco restart SERVICE" in left
    assert told["found"] == {"PAGE": None, "INCIDENT": None, "SERVICE": None, "ACTION": None}


def test_it_fills_in_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "incidents": {"items": [
            {"number": 4, "runbook": "other"},
            {"number": 5, "runbook": "high_error_rate", "component": "authn-service"},
        ]},
        "oncall": {"pages": [{"page_id": "p-1", "runbook": "high_error_rate"}]},
        "status": {"processes": [{"kind": "service", "name": "creditx-service", "state": "ready"},
                                 {"kind": "service", "name": "authn-service", "state": "ready"}]},
        "recovery": {
            "open_episodes": [{"episode_id": "e-1", "runbook": "other"},
                              {"episode_id": "e-2", "runbook": "high_error_rate"}],
            "proposed": [{"action_id": "a-1", "episode_id": "e-1"}, {"action_id": "a-2", "episode_id": "e-2"}],
        },
        "logs": {"service": "creditx-service", "trace_id": "abc", "level": "warning", "context": {"status": 503}},
    }  # fmt: skip
    monkeypatch.setattr(walking, "_run_json", lambda *words: json.dumps(answers[words[0]]))
    finder = Finder("high_error_rate")

    filled = [
        finder.filled(Command(("eco", blank)))[0][1] for blank in ("INCIDENT", "PAGE", "SERVICE", "TRACE", "ACTION")
    ]

    assert filled == ["5", "p-1", "authn", "abc", "a-2"]


def test_a_page_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runbook", "no_such_page"]) == 1
    assert "service_unavailable" in capsys.readouterr().err
