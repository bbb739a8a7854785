"""Goal: `eco audit` and `eco incidents` show, prove and act. Method: on a twin that answers what the service would."""

import json
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import certifi
import pytest
from fastapi import FastAPI, Request

from ecosystem.cli import audit, incidents, login
from ecosystem.cli.operator import FIRST_CREDENTIAL
from ecosystem.contracts.monitoring import IncidentState
from ecosystem.kernel.audit.chain import digest_of, genesis, link
from ecosystem.services.monitoring.auditing.model import Entry, Head, Problem, Proof
from ecosystem.services.monitoring.auditing.schemas import ChainShown, EntryShown, HeadShown, HeadsShown, ProofShown
from ecosystem.services.monitoring.incidents import model
from ecosystem.services.monitoring.incidents.reading import Story
from ecosystem.services.monitoring.incidents.schemas import IncidentShown, PostmortemWritten
from tests.client.twin import Twin, served, twin_app

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
COMPANY = UUID(int=0)
HOSTILE = "\x1b[2J\x9b31m<script>\u202egpj.exe\u2066\u200b\x07\r{{7*7}} $HOME"
"""What an attacker writes into a cause: escapes of a terminal, mark-up, signs that turn or hide."""


def entries(count: int, chain: int = 3) -> list[Entry]:
    """A chain of deeds."""
    previous, made = genesis(COMPANY, chain), []
    for number in range(1, count + 1):
        content: dict[str, Any] = {
            "company_id": COMPANY, "chain": chain, "event_id": uuid4(), "action": "thing_made", "target": f"t-{number}",
            "user_id": "amy", "agent_id": None, "source": "creditx-service", "trace_id": None, "before": None,
            "after": {"score": 0.5, "name": "ü\u2028"}, "happened_at": NOON,
        }  # fmt: skip
        previous = link(previous, digest_of(content))
        made.append(Entry(**content, number=number, hash=previous))
    return made


class Answers:
    """What the twin answers, and what it was told."""

    def __init__(self) -> None:
        self.entries = entries(3)
        self.problems: tuple[Problem, ...] = ()
        self.told: list[Any] = []
        begun = model.Incident(
            incident_id=UUID(int=7), number=7, state=IncidentState.OPEN, priority=model.Priority.P2,
            fault="instance_dead", component=HOSTILE, cause=HOSTILE, runbook=HOSTILE, acknowledged_by=HOSTILE,
            instances=(HOSTILE,),
            episode_id=UUID(int=8), began_at=NOON, opened_at=NOON, faulty_since=NOON, seen_at=NOON, respond_by=NOON,
        )  # fmt: skip
        self.story = Story(begun, (), [model.Line(NOON, model.What.OPENED, HOSTILE, HOSTILE, number=1)], 120, more=True)

    def head(self) -> Head:
        last = self.entries[-1]
        return Head(last.chain, last.number, last.hash, last.number)


def monitoring(app: FastAPI, answers: Answers) -> FastAPI:
    @app.get("/v1/audit/proof")
    async def proof(cursor: str | None = None) -> ProofShown:
        step = Proof({3: 3}, walked=3, compared=3, problems=answers.problems, done=cursor is not None)
        return ProofShown.of(step)

    @app.get("/v1/audit/chains")
    async def heads() -> HeadsShown:
        return HeadsShown(company_id=COMPANY, items=[HeadShown.of(answers.head())])

    @app.get("/v1/audit/chains/3")
    async def chain(after: int) -> ChainShown:
        page = [entry for entry in answers.entries if entry.number > after][:2]
        more = page[-1].number if page and page[-1].number < answers.entries[-1].number else None
        return ChainShown(items=[EntryShown.of(entry) for entry in page], next_after=more)

    @app.get("/v1/audit")
    async def trail(request: Request) -> Any:
        answers.told.append(dict(request.query_params))
        return {"items": [EntryShown.of(entry) for entry in answers.entries], "next_cursor": None}

    @app.api_route("/v1/incidents/7{rest:path}", methods=["GET", "POST", "PUT"])
    async def one(rest: str, request: Request) -> Any:
        body = await request.body()
        answers.told.append((rest, json.loads(body) if body else None))
        if rest == "/postmortem":
            return {"incident_id": str(UUID(int=7)), "number": 7, "markdown": f"# Post-mortem\n\n{HOSTILE}\n"}
        return {"fields": {}} if rest == "/ticket" else IncidentShown.of(answers.story)

    @app.get("/v1/incidents")
    async def listing(request: Request) -> Any:
        answers.told.append(dict(request.query_params))
        return {"items": [IncidentShown.of(answers.story)], "next_cursor": None}

    return app


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Answers]:
    """A home with a platform, logged in as its operator."""
    monkeypatch.setenv("ECO_HOME", str(tmp_path))
    answers = Answers()
    with served(monitoring(twin_app(Twin()), answers)) as url:
        (tmp_path / "state.json").write_text(json.dumps({"edge_url": url, "edge_ca": certifi.where()}))
        (tmp_path / FIRST_CREDENTIAL).parent.mkdir()
        (tmp_path / FIRST_CREDENTIAL).write_text("once\n")
        assert login.main([]) == 0
        capsys.readouterr()
        yield answers


def _texts(value: Any) -> Iterator[str]:
    """Every text in what JSON says."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


class TestAudit:
    def test_entries_are_listed_as_they_were_asked_for(
        self, answers: Answers, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert audit.main(["list", "--actor", "amy", "--since", "2026-03-01", "--limit", "5"]) == 0

        assert answers.told == [{"actor": "amy", "since": "2026-03-01T00:00:00+00:00", "limit": "5"}]
        assert capsys.readouterr().out.count("amy") == 3

    def test_a_whole_trail_is_told_as_such(self, answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
        assert audit.main(["verify"]) == 0

        assert capsys.readouterr().out == "The trail is whole: 3 entries, 3 compared with log, 0 on their way.\n"

    def test_what_was_changed_is_named_and_fails(self, answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
        answers.problems = (Problem("altered", 3, 2),)

        assert audit.main(["verify", "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["problems"] == ["altered in chain 3 at 2"]

    def test_an_export_proves_itself_and_the_trail_it_came_from(
        self, answers: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "trail.jsonl"
        assert audit.main(["export", "--out", str(file)]) == 0
        assert audit.main(["verify", "--export", str(file)]) == 0
        assert capsys.readouterr().out == f"{file} is whole: 3 entries.\n"
        assert audit.main(["verify", "--against", str(file)]) == 0
        answers.entries = [*answers.entries, *entries(4)[3:]]
        assert audit.main(["verify", "--against", str(file)]) == 0
        answers.entries = entries(3)
        assert audit.main(["verify", "--against", str(file)]) == 1

        assert len(file.read_text().splitlines()) == 4
        assert "not as exported in chain 3 up to 3" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ('"t-2"', '"t-9"', "altered in chain 3 at 2"),
            ('"number": 2', '"number": 5', "gap in chain 3 at 5"),
            ('"chain": 3, "number": 2', '"chain": 4, "number": 2', "line 2 is no entry of this trail"),
        ],
    )
    def test_whatever_is_changed_in_an_export_is_found(
        self, answers: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
    ) -> None:
        file = tmp_path / "trail.jsonl"
        assert audit.main(["export", "--out", str(file)]) == 0
        assert file.read_text().count(old) == 1
        file.write_text(file.read_text().replace(old, new))

        assert audit.main(["verify", "--export", str(file)]) == 1
        assert said in capsys.readouterr().out

    def test_an_export_that_lost_lines_is_found_out(
        self, answers: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "trail.jsonl"
        assert audit.main(["export", "--out", str(file)]) == 0
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join([*lines[:2], lines[3]]))
        assert audit.main(["verify", "--export", str(file)]) == 1
        assert "cut_off in chain 3 at 3" in capsys.readouterr().out
        file.write_text("".join(lines[:3]))
        assert audit.main(["verify", "--export", str(file)]) == 1

        assert "does not end with a proof" in capsys.readouterr().err


class TestIncidents:
    def test_the_unfinished_are_listed(self, answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
        assert incidents.main(["list", "--unfinished", "--priority", "P2"]) == 0

        assert answers.told == [{"priority": "P2", "unfinished": "true", "limit": "20"}]
        assert "instance dead" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "words", [["show", "7"], ["show", "7", "--json"], ["list"], ["list", "--json"], ["postmortem", "7"],
                  ["postmortem", "7", "--json"]],
    )  # fmt: skip
    def test_hostile_words_are_shown_and_obeyed_by_no_terminal(
        self, answers: Answers, capsys: pytest.CaptureFixture[str], words: list[str]
    ) -> None:
        assert incidents.main(words) == 0
        said = capsys.readouterr()
        hidden = {sign for sign in said.out + said.err if unicodedata.category(sign) in ("Cc", "Cf", "Cs")}

        assert hidden <= {"\n"}
        assert "{{7*7}} $HOME" in said.out
        if "--json" in words:
            assert any(HOSTILE in text for text in _texts(json.loads(said.out)))

    def test_a_long_timeline_comes_in_pages(self, answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
        assert incidents.main(["show", "7"]) == 0
        said = capsys.readouterr().err

        assert "1 of 120 lines." in said
        assert "There is more: --cursor " in said
        assert "Next: eco incidents ack 7" in said

    def test_people_act_on_it(self, answers: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        written = {"whys": ["No guard."], "follow_ups": [{"what": "Guard it", "owner": "platform"}]}
        (tmp_path / "written.json").write_text(json.dumps(written))
        assert incidents.main(["ack", "7"]) == 0
        assert incidents.main(["resolve", "7", "--reason", "replaced"]) == 0
        assert incidents.main(["postmortem", "7", "--write", str(tmp_path / "written.json")]) == 0
        assert incidents.main(["ticket", "7"]) == 0

        assert PostmortemWritten.model_validate(written).whys == ["No guard."]
        assert answers.told == [
            ("/acknowledge", None), ("/resolve", {"reason": "replaced"}), ("/postmortem", written), ("/ticket", None),
        ]  # fmt: skip
        assert capsys.readouterr().out.endswith('{\n  "fields": {}\n}\n')

    @pytest.mark.parametrize("before", [None, {"whys": ["No guard."]}])
    def test_what_was_printed_is_written_again(
        self, answers: Answers, tmp_path: Path, before: dict[str, Any] | None
    ) -> None:
        printed = {"number": 7, "markdown": "# 7", "written": before, "written_at": before and "2026-03-02T12:00:00Z"}
        (tmp_path / "printed.json").write_text(json.dumps(printed))
        assert incidents.main(["postmortem", "7", "--write", str(tmp_path / "printed.json")]) == 0

        assert answers.told == [("/postmortem", {**(before or {}), "instead_of": printed["written_at"]})]

    def test_what_is_no_json_is_not_written(
        self, answers: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "written.json").write_text("[]")

        assert incidents.main(["postmortem", "7", "--write", str(tmp_path / "written.json")]) == 1
        assert "is no JSON object" in capsys.readouterr().err
        assert answers.told == []
