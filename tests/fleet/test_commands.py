"""Goal: settings and machine are explained, nonsense is refused with a next step. Method: the commands in process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ecosystem.cli import main as cli
from ecosystem.cli.project import tool_environment
from ecosystem.entrypoints import settings_classes
from ecosystem.fleet.home import FORMAT, Home
from tests.support.engines import CacheEngine, PostgresEngine


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def eco(*arguments: str) -> int:
    return cli.main(list(arguments), {"config": settings_classes, "doctor": settings_classes})


class TestConfig:
    def test_origin_is_told_and_a_secret_is_not(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "eco.toml").write_text("[database]\nurl = 'postgresql://eco:hunter2@db/eco'\npool_size = 5\n")
        monkeypatch.setenv("ECO_CREDITX_PAGES_MAX", "400")

        assert eco("config", "show", "--origin") == 0
        shown = capsys.readouterr().out

        assert "hunter2" not in shown
        assert "eco.toml:3" in shown
        assert "environment variable ECO_CREDITX_PAGES_MAX" in shown

    def test_every_setting_has_a_meaning_and_reads_as_in_the_file(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert eco("config", "show", "--json") == 0
        settings = {f"{one['section']}.{one['name']}": one for one in json.loads(capsys.readouterr().out)["settings"]}

        assert [name for name, one in settings.items() if not one["description"]] == []
        assert settings["authn.regions"]["value"] == '["eu", "ch", "uk", "us", "ap"]'
        assert settings["agents.answers_kept"]["value"] == "P14D"
        assert settings["agents.answers_kept"]["allowed"] == "PT1H to P400D"
        assert settings["creditx.pages_max"]["allowed"] == "1 to 10000"
        assert settings["creditx.inspect_seconds_max"]["allowed"] == "above 0 to 60"
        assert settings["telemetry.level"]["allowed"] == "debug, info, warning or error"

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("[creditx]\npages = 4\n", "eco.toml:2"),
            ("[creditxx]\n", "eco.toml:1"),
            ("[creditx]\npages_max = -1\n", "eco.toml:2"),
            (
                "[fleet]\naccount = 'nosuchuser'\n",
                "eco.toml:2: fleet.account is refused: there is no",
            ),
            ("[monitoring]\nbusiness_zone = 'Mars/X'\n", "eco.toml:2: monitoring.business_zone is refused"),
            (
                "[cache]\nurl = 'http://hunter2'\n",
                "eco.toml:2: cache.url is refused: it begins with redis://",
            ),
            (
                "[database]\nurl = 'hunter2'\n",
                "eco.toml:2: database.url is refused: it begins with",
            ),
            ("[database]\nurl_file = '/nope'\n", "eco.toml:2: the file of database.url cannot be read: No such file"),
        ],
    )
    @pytest.mark.parametrize("command", [("config", "show"), ("config", "show", "creditx"), ("doctor",)], ids=" ".join)
    def test_what_is_wrong_is_refused_by_name_and_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], text: str, place: str
    ) -> None:
        (tmp_path / "eco.toml").write_text(text)

        assert eco(*command) == 1
        said = capsys.readouterr().err
        assert place in said
        assert "hunter2" not in said
        assert "Next: " in said

    def test_a_file_that_is_not_there_is_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert eco("config", "show", "--config", "away.toml") == 1
        assert "away.toml cannot be read: No such file or directory." in capsys.readouterr().err


class TestDoctor:
    def test_engines_with_versions_and_the_sum_of_connections(self, capsys: pytest.CaptureFixture[str]) -> None:
        eco("doctor", "--json")
        found = {one["name"]: one for one in json.loads(capsys.readouterr().out)["findings"]}

        assert {"postgresql", "cache", "edge", "ocr", "disk", "memory", "open files", "port"} <= set(found)
        assert "of 400" in found["connections"]["fact"]

    def test_an_account_without_a_name_is_wrong_for_the_embedded_database_only(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)

        def verdict() -> str:
            eco("doctor", "--json")
            findings = json.loads(capsys.readouterr().out)["findings"]
            return str(next(one["verdict"] for one in findings if one["name"] == "account"))

        assert verdict() == "wrong"
        (tmp_path / "eco.toml").write_text("[database]\nurl = 'postgresql://eco@db/eco'\n")
        assert verdict() == "good"

    @pytest.mark.parametrize("starter", [0, 54321])
    def test_a_home_that_a_start_would_refuse_is_wrong_for_root_too(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], starter: int
    ) -> None:
        monkeypatch.setattr("os.geteuid", lambda: starter)
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "format").write_text(f"{FORMAT + 1}\n")

        assert eco("doctor") == 1
        assert f"has format {FORMAT + 1}" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("section", "url"), [("database", "postgresql://eco:hunter2@127.0.0.1:1/eco"), ("database", "postgresql://eco:hunter2@:x"),
                             ("cache", "redis://:hunter2@127.0.0.1:1"), ("cache", "redis://:hunter2@127.0.0.1:x")],
    )  # fmt: skip
    def test_a_server_that_does_not_answer_is_wrong_and_its_password_is_not_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], section: str, url: str
    ) -> None:
        (tmp_path / "eco.toml").write_text(f"[{section}]\nurl = '{url}'\n")

        assert eco("doctor") == 1
        said = capsys.readouterr().out
        assert "does not answer" in said
        assert f"correct {section}.url" in said
        assert "hunter2" not in said

    def test_servers_by_url_tell_their_versions(
        self, postgres_engine: PostgresEngine, cache_engine: CacheEngine, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        monkeypatch.setenv("ECO_DATABASE_URL", postgres_engine.admin_url)
        monkeypatch.setenv("ECO_CACHE_URL", cache_engine.url)
        eco("doctor", "--json")
        facts = {one["name"]: one["fact"] for one in json.loads(capsys.readouterr().out)["findings"]}

        assert re.fullmatch(r"\d\d\.\d+, by its URL", facts["postgresql"])
        assert re.fullmatch(r"\d\.\d+\.\d+, by its URL", facts["cache"])

    def test_it_says_how_many_processes_a_backup_will_have(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        eco("doctor")
        assert "replicas of creditx-backup: 0" in capsys.readouterr().out
        (tmp_path / "eco.toml").write_text("[fleet]\nreplicas = {creditx-backup = 2}\n")
        eco("doctor")
        assert "replicas of creditx-backup: 2" in capsys.readouterr().out

    def test_too_many_replicas_are_wrong_and_it_says_how_to_mend_it(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "eco.toml").write_text("[fleet]\nreplicas = {creditx = 32, authn = 32, events = 32}\n")

        assert eco("doctor") == 1
        assert "Fewer replicas" in capsys.readouterr().out


class TestPipes:
    def test_a_reader_that_has_seen_enough_is_no_trouble(self) -> None:
        command = f"{sys.executable} -m ecosystem config show --origin | head -1"
        done = subprocess.run(["/bin/sh", "-c", command], env=tool_environment(), capture_output=True, text=True)

        assert done.stdout.startswith("SETTING")
        assert done.stderr == ""


class TestWithoutPlatform:
    @pytest.mark.parametrize("words", [("status",), ("scale", "creditx", "2"), ("restart",)])
    def test_commands_say_what_to_do(self, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
        assert eco(*words) == 1
        assert "Next: eco up" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "words", [("down", "--timeout", "-1"), ("status", "--wait", "-3"), ("demo", "--timeout", "nan")], ids=" ".join
    )
    def test_a_time_below_nothing_is_refused(self, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            eco(*words)
        assert "a number of seconds is expected, 0 or more" in capsys.readouterr().err

    def test_down_is_content(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert eco("down") == 0
        assert "Nothing runs" in capsys.readouterr().out

    def test_down_ends_nobody_who_has_the_number_of_a_former_supervisor(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The home was just taken by one that has not yet said who it is: it is asked until it has."""
        home = Home(tmp_path / "home")
        home.prepare()
        held = home.lock()
        with subprocess.Popen(["sleep", "60"]) as stranger:
            former = {"pid": stranger.pid, "started_ticks": 1, "control": str(home.control), "state": "ready"}
            home.state_file.write_text(json.dumps(former))

            assert eco("down", "--timeout", "0.2") == 1
            assert "did not stop within 0.2 s" in capsys.readouterr().err
            assert stranger.poll() is None
            stranger.kill()
        os.close(held)

    def test_a_command_that_is_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert eco("stauts") == 2
        assert "status" in capsys.readouterr().err
