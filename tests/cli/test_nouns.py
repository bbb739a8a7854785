"""Goal: commands act, page, explain and refuse as people and scripts need. Method: each on a twin of the API."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from ecosystem.cli import client, company, documents, events, login, noun, runs, screen, specimens
from ecosystem.cli import main as cli
from ecosystem.cli.operator import FIRST_CREDENTIAL
from ecosystem.cli.project import tool_environment
from ecosystem_client import Ecosystem
from tests.client.twin import CLIENT, Twin, served, twin_app


@pytest.fixture
def twin() -> Twin:
    return Twin(looks_until_done=1)


@pytest.fixture
def home(twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose platform is the twin; its first administrator has not logged in."""
    monkeypatch.setenv("ECO_HOME", str(tmp_path))
    with served(twin_app(twin)) as url:
        (tmp_path / "state.json").write_text(json.dumps({"edge_url": url, "edge_ca": certifi.where()}))
        (tmp_path / FIRST_CREDENTIAL).parent.mkdir()
        (tmp_path / FIRST_CREDENTIAL).write_text("once\n")
        yield tmp_path


@pytest.fixture
def logged_in(home: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert login.main([]) == 0
    assert company.main(["create", "Alder AG"]) == 0
    capsys.readouterr()
    return home


class TestLogin:
    def test_credential_is_exchanged_once_and_kept_private(
        self, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert login.main([]) == 0

        kept = home / "secrets" / "operator.json"
        assert kept.stat().st_mode & 0o777 == 0o600
        assert json.loads(kept.read_text())["client_id"] == CLIENT
        assert not (home / FIRST_CREDENTIAL).exists()
        assert "secret-1" not in "".join(capsys.readouterr())
        assert login.main([]) == 0

    def test_wrong_credential_is_told_with_the_next_step(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (home / FIRST_CREDENTIAL).write_text("guessed")

        assert login.main([]) == 1
        assert "Next: Use the credential file of this home." in capsys.readouterr().err
        assert not (home / "secrets" / "operator.json").exists()

    def test_another_client_proves_itself_first(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (home / "secret").write_text("wrong")

        assert login.main(["--client", CLIENT, "--secret-file", str(home / "secret")]) == 1
        assert not (home / "secrets" / "operator.json").exists()
        (home / "secret").write_text("secret-1\n")
        assert login.main(["--client", CLIENT, "--secret-file", str(home / "secret")]) == 0


def test_commands_that_ask_only_the_fleet_go_without_the_client() -> None:
    """It is most of what `eco status` would import."""
    modules = [f"ecosystem.cli.{name}" for name in ("up", "status", "logs", "scale", "restart", "down", "doctor")]
    program = f"import sys, {', '.join(modules)}; sys.exit('ecosystem_client' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], env=tool_environment(), check=False).returncode == 0


NOUNS = [(name, told) for group in cli.COMMANDS.values() for name, told in group if ": " in told and name != "runbook"]


@pytest.mark.parametrize(("name", "told"), NOUNS)
def test_the_first_help_names_every_verb(name: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([name, "--help"], {"rules": lambda: None})
    verbs = re.findall(r"^    ([a-z-]+)(?: |$)", capsys.readouterr().out, re.MULTILINE)

    assert told.split(": ")[-1].split(", ") == verbs


def test_engines_tell_what_stands_in_a_list_and_not_how_long_it_is(
    logged_in: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = {
        "healthy": True, "warnings": ["The disk is nearly full."],
        "capabilities": [{"name": "postgis", "available": None, "used": False}],
        "migrations": [{"service": "creditx", "revision": "0042"}], "findings": [],
    }  # fmt: skip
    monkeypatch.setattr(Ecosystem, "get", lambda *_: answer)

    assert cli.main(["engines", "postgres"]) == 0
    assert [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()] == [
        ["healthy", "yes"], ["capabilities.postgis", "used no"], ["migrations.creditx", "revision 0042"],
        ["findings", "none"],
    ]  # fmt: skip


class TestRefusals:
    def test_without_platform(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("ECO_HOME", str(tmp_path / "none"))

        assert documents.main(["list"]) == 1
        assert "No platform runs in" in (said := capsys.readouterr().err)
        assert "Next: eco up" in said

    def test_without_login(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert runs.main(["list"]) == 1
        assert "Next: eco login" in capsys.readouterr().err

    def test_platform_that_died(self, logged_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
        gone = {"edge_url": "http://127.0.0.1:9", "edge_ca": certifi.where()}
        (logged_in / "state.json").write_text(json.dumps(gone))

        assert company.main(["list"]) == 1
        assert "gave no answer" in (said := capsys.readouterr().err)
        assert "Next: eco status" in said

    def test_a_mistake_of_our_own_is_no_refusal(self) -> None:
        with pytest.raises(ZeroDivisionError):
            noun.guarded("eco status", lambda: 1 // 0)

    def test_company_must_be_clear(self, logged_in: Path, twin: Twin, capsys: pytest.CaptureFixture[str]) -> None:
        assert documents.main(["list", "--company", "Nobody AG"]) == 1
        assert "Next: eco company list" in capsys.readouterr().err
        assert company.main(["create", "Heron SA"]) == 0
        assert documents.main(["list"]) == 1
        assert "There are 2 companies" in capsys.readouterr().err
        assert documents.main(["list", "--company", "Heron SA"]) == 0
        assert twin.tokens[-1].endswith("-c2")

    def test_the_log_of_the_platform_is_cared_for_without_a_company(
        self, logged_in: Path, twin: Twin, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert company.main(["create", "Heron SA"]) == 0
        assert events.main(["dead-letters"]) == 0
        assert "-c" not in twin.tokens[-1]
        assert "There are 2 companies" not in capsys.readouterr().err

    def test_usage_error_is_exit_code_2(self, capsys: pytest.CaptureFixture[str]) -> None:
        for wrong in (["list", "--limit", "0"], ["sing"], []):
            with pytest.raises(SystemExit) as ended:
                documents.main(wrong)
            assert ended.value.code == 2


class TestDocuments:
    def test_upload_follows_and_refusals_are_rows(
        self, logged_in: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "good.pdf").write_bytes(b"%PDF")
        (tmp_path / "empty.pdf").write_bytes(b"")

        assert documents.main(["upload", str(tmp_path / "good.pdf"), "--wait"]) == 0
        assert documents.main(["upload", str(tmp_path / "empty.pdf"), str(tmp_path / "good.pdf"), "--json"]) == 1
        said = capsys.readouterr().out
        assert "approved" in said.split("{")[0]
        assert json.loads(said[said.index("{") :])["items"][0]["code"] == "empty_file"

    def test_erasing_asks_unless_told_not_to(
        self, logged_in: Path, twin: Twin, tmp_path: Path, capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        (tmp_path / "good.pdf").write_bytes(b"%PDF")
        assert documents.main(["upload", str(tmp_path / "good.pdf")]) == 0

        monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
        assert documents.main(["erase", "document-0"]) == 1
        assert (twin.erased, "the same with --yes" in capsys.readouterr().err) == ([], True)

        answers = iter(["no", "yes"])
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        monkeypatch.setattr("builtins.input", lambda _: next(answers))
        assert documents.main(["erase", "document-0"]) == 1
        assert twin.erased == []
        assert documents.main(["erase", "document-0"]) == 0
        assert documents.main(["erase", "document-0", "--yes"]) == 0
        assert twin.erased == ["document-0"] * 2
        assert "can never be read again" in capsys.readouterr().out

    def test_what_cannot_be_sent_is_refused_before_anything_is(
        self, logged_in: Path, twin: Twin, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "good.pdf").write_bytes(b"%PDF")
        os.mkfifo(tmp_path / "pipe")
        unnamed = Path(os.fsdecode(bytes(tmp_path) + b"/bad\xff\xfe.pdf"))
        unnamed.write_bytes(b"%PDF")

        for wrong, said in ((tmp_path / "pipe", "is no regular file"), (unnamed, "is not Unicode text")):
            assert documents.main(["upload", str(tmp_path / "good.pdf"), str(wrong)]) == 1
            told = capsys.readouterr().err
            assert said in told
            assert "Next: " in told
        assert twin.uploads == {}

    def test_missing_file_is_named(self, logged_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert documents.main(["upload", "/nowhere/a.pdf"]) == 1
        assert "/nowhere/a.pdf: No such file" in capsys.readouterr().err

    def test_pages_go_on_where_they_say(self, logged_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert documents.main(["list", "--limit", "2"]) == 0
        first = capsys.readouterr()
        assert "There is more: --cursor 2" in first.err
        assert first.out.splitlines()[0].split() == ["ID", "STATUS", "KIND", "OUTCOME", "SCORE", "RECEIVED"]

        assert documents.main(["list", "--limit", "2", "--all", "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["items"]) == 5

    def test_result_shows_what_failed_first_and_no_escape_codes(
        self, logged_in: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert documents.main(["result", "d1"]) == 0
        said = capsys.readouterr().out
        assert said.index("address_recent") < said.index("kind_known")
        assert "\x1b" not in said
        assert "Anna �[31mKeller" in said


class TestOthers:
    def test_client_secret_is_shown_once(self, logged_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert client.main(["create", "robot", "--role", "integrator"]) == 0
        assert "shown-once" in capsys.readouterr().out

    def test_run_shows_its_transitions_and_the_way_out(
        self, logged_in: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert runs.main(["show", "r1"]) == 0
        said = capsys.readouterr()
        assert "2026-11-24 04:00:00.123Z" in said.out
        assert "read_pages: 3 of 12 batches" in said.out
        assert [line.split()[:2] for line in said.out.splitlines()[-2:]] == [
            ["read", "3"],
            ["validate", "validation-agent"],
        ]
        assert "Next: eco runs retry r1" in said.err

    def test_a_story_is_told_line_by_line_and_says_where_it_is_cut(
        self, logged_in: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert runs.main(["explain", "d1"]) == 0
        said = capsys.readouterr()
        assert said.out.startswith("2026-11-24 04:00:00.123Z  The run went to ERROR at step")
        assert "\x1b" not in said.out
        assert "Not everything was looked at" in said.err

    def test_events_page_tail_and_have_an_empty_state(
        self, logged_in: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert events.main(["list", "--limit", "2", "--all", "--json"]) == 0
        assert [one["id"] for one in json.loads(capsys.readouterr().out)["items"]] == ["e1", "e2", "e3", "e4", "e5"]
        assert events.main(["tail", "--count", "2", "--after", "7"]) == 0
        assert ["e8" in line or "e9" in line for line in capsys.readouterr().out.splitlines()] == [True, True]
        assert events.main(["dead-letters"]) == 0
        assert "no dead letters" in capsys.readouterr().err

    def test_specimens_are_written_with_their_truth(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        asked = "--seed 4 --as-of 2026-11-24 --kind invoice --count 3 --out"
        assert specimens.main([*asked.split(), str(tmp_path / "s")]) == 0
        assert len(list((tmp_path / "s").glob("*.truth.json"))) == 3
        assert "3 documents in" in capsys.readouterr().err


class TestScreen:
    def test_terminal_controls_become_visible(self) -> None:
        assert screen.clean("a\x1b[2Jb\r\n\u202ec") == "a�[2Jb� �c"
