"""Goal: `eco recovery` tells what is wrong and passes decisions on. Method: each verb on a twin of its routes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest
from fastapi import FastAPI, Request

from ecosystem.cli import login, recovery
from ecosystem.cli.operator import FIRST_CREDENTIAL
from tests.client.twin import Twin, served, twin_app

AT = "2026-11-26T03:43:39Z"
ACTION = {
    "action_id": "a1", "episode_id": "e1", "fault": "horizon_held", "component": "postgresql", "action": "end_session",
    "attempt": 1, "outcome": "proposed", "reason": "session 7 (night report) writes", "by": "recovery-agent",
    "decided_by": None, "at": AT,
}  # fmt: skip
EPISODE = {
    "episode_id": "e1", "fault": "horizon_held", "component": "postgresql", "cause": "session 7 (night report) writes",
    "observed_at": AT, "help_at": None, "cleared_at": None,
}  # fmt: skip
KIND = {
    "fault": "horizon_held", "mode": "act", "repair": "end_session", "budget": 3, "budget_left": 2,
    "repaired_by": "recovery-agent", "remedy": "ends the session that holds it", "open_episodes": 1,
}  # fmt: skip
OTHERS = {
    "fault": "instance_dead", "mode": "act", "repair": None, "budget": 0, "budget_left": 0,
    "repaired_by": "supervisor", "remedy": "starts another at once", "open_episodes": 0,
}  # fmt: skip


def routes(app: FastAPI, decided: list[tuple[str, Any]]) -> None:
    @app.get("/v1/recovery")
    async def status() -> Any:
        return {"kinds": [KIND, OTHERS], "open_episodes": [EPISODE], "proposed": [ACTION]}

    @app.get("/v1/recovery/episodes")
    async def episodes(only_open: bool = False) -> Any:
        return {"items": [] if only_open else [EPISODE], "next_cursor": None}

    @app.get("/v1/recovery/episodes/e1")
    async def story() -> Any:
        return {"episode": EPISODE, "actions": [ACTION], "sentences": ["It was seen.", "It is still open."]}

    @app.get("/v1/recovery/actions")
    async def actions() -> Any:
        return {"items": [ACTION], "next_cursor": None}

    @app.post("/v1/recovery/{path:path}")
    async def decide(path: str, request: Request) -> Any:
        body = await request.body()
        decided.append((path, json.loads(body) if body else None))
        return ACTION | {"outcome": "failed" if path.endswith("approve") else "done", "decided_by": "operator"}


@pytest.fixture
def decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """What the twin was told to do, by somebody who is logged in."""
    monkeypatch.setenv("ECO_HOME", str(tmp_path))
    app, told = twin_app(Twin()), list[tuple[str, Any]]()
    routes(app, told)
    with served(app) as url:
        (tmp_path / "state.json").write_text(json.dumps({"edge_url": url, "edge_ca": certifi.where()}))
        (tmp_path / FIRST_CREDENTIAL).parent.mkdir()
        (tmp_path / FIRST_CREDENTIAL).write_text("once\n")
        assert login.main([]) == 0
        capsys.readouterr()
        yield told


def test_status_names_the_fault_the_proposal_and_the_budget(decided: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert recovery.main(["status"]) == 0

    said = capsys.readouterr()
    assert "session 7 (night report) writes" in said.out
    lines = [line.split("  ") for line in said.out.splitlines() if line.startswith(("horizon_held", "instance_dead"))]
    assert [[cell.strip() for cell in line if cell] for line in lines] == [
        ["horizon_held", "1", "recovery-agent", "ends the session that holds it", "act", "2 of 3"],
        ["instance_dead", "supervisor", "starts another at once"],
    ]
    assert "Next: eco recovery approve ACTION" in said.err
    assert recovery.main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kinds"] == [KIND, OTHERS]


def test_lists_and_stories(decided: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["episodes"], ["actions"], ["show", "e1"], ["episodes", "--open"]):
        assert recovery.main(words) == 0

    said = capsys.readouterr()
    assert "It was seen.\nIt is still open.\n" in said.out
    assert "No fault was seen." in said.err


def test_decisions_are_passed_on_with_their_reason(decided: Any) -> None:
    for words in (
        ["refuse", "a1", "--reason", "not now"], ["undo", "a1"], ["clear", "e1", "--reason", "restored"],
        ["pause", "stuck_run", "--reason", "we look"], ["resume"],
    ):  # fmt: skip
        assert recovery.main(words) == 0

    assert decided == [
        ("actions/a1/refuse", {"reason": "not now"}), ("actions/a1/undo", None),
        ("episodes/e1/clear", {"reason": "restored"}), ("pause", {"fault": "stuck_run", "reason": "we look"}),
        ("resume", {"fault": None, "reason": ""}),
    ]  # fmt: skip


def test_an_approved_repair_that_fails_is_a_failure_of_the_command(
    decided: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recovery.main(["approve", "a1"]) == 1
    assert "end_session: failed." in capsys.readouterr().out
