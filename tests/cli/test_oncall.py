"""Goal: who is woken at night is told plainly what to do. Method: the commands against answers written down here."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ecosystem.cli import notifications, oncall
from ecosystem_client.calling import CalledPage, Channel, Notification, Rota
from ecosystem_client.errors import Invalid, NotFound
from ecosystem_client.reading import Page

AT = "2026-11-26T04:00:00+00:00"
ROTA = {
    "version": 3, "time_zone": "Europe/Zurich", "as_of": AT, "overrides": [], "people": [],
    "on_call": [{"level": 1, "person": {"person_id": "p-1", "key": "amy", "name": "Amy \x1b[31mMuster"},
                 "acknowledge_within_minutes": 5}],
}  # fmt: skip
PAGE = {
    "page_id": "page-1", "priority": "P1", "title": "creditx is down", "state": "open", "level": 1,
    "requested_at": AT, "calls": [{"at": AT, "level": 1, "round": 1, "person_id": "p-1", "notifications": ["n-1"]}],
}  # fmt: skip


class Platform:
    """What the commands ask, and what they are answered."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.rota: Rota | Exception = Rota.read(ROTA)
        self.states = ["waiting", "sent"]
        self.oncall = SimpleNamespace(
            rota=lambda at: self._say(self.rota), set_rota=lambda text: self._say(self.rota),
            pages=lambda **_: Page((CalledPage.read(PAGE),), None),
            acknowledge=lambda page: self._asked(CalledPage.read(PAGE | {"state": "acknowledged"}), "ack", page),
            override=lambda person, to_at, **more: self._asked(Rota.read(ROTA), person, to_at),
        )  # fmt: skip
        self.notifications = SimpleNamespace(
            add_channel=lambda name, url, **more: self._asked(Channel(name=name, service="JSON"), name, url),
            test_channel=lambda name: self._message(), get=lambda _: self._message(),
        )  # fmt: skip

    def _say(self, answer: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _asked(self, answer: Any, *what: Any) -> Any:
        self.asked.append(what)
        return answer

    def _message(self) -> Notification:
        state = self.states.pop(0)
        problem = "address_refused" if state == "failed" else None
        reason = "see monitoring.private_networks" if problem else None
        return Notification(
            notification_id="n-1", channel="chat", state=state, attempts=1, problem=problem, reason=reason
        )


def a_message(channel: str, state: str, attempts: int, problem: str | None = None, repeats: int = 0) -> Notification:
    return Notification.read({
        "notification_id": f"n-{channel}", "channel": channel, "state": state, "attempts": attempts,
        "problem": problem, "reason": problem and "said in words", "repeats": repeats, "created_at": AT, "due_at": AT,
    })  # fmt: skip


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    platform = Platform()

    @contextmanager
    def acting_for(_: str | None) -> Iterator[Platform]:
        yield platform

    monkeypatch.setattr(oncall, "acting_for", acting_for)
    monkeypatch.setattr(notifications, "acting_for", acting_for)
    monkeypatch.setattr(notifications, "_LOOK_SECONDS", 0)
    return platform


def test_show_says_who_which_pages_and_what_to_do(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    assert oncall.main(["show"]) == 0
    said = capsys.readouterr()

    assert "amy" in said.out
    assert "\x1b" not in said.out
    assert "Next: eco oncall ack page-1" in said.err


def test_without_a_rota_it_says_how_to_get_one(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.rota = NotFound(404, "rota_missing", "Nobody is on call.")

    assert oncall.main(["show"]) == 0
    assert "eco oncall set rota.yaml" in capsys.readouterr().err


def test_a_wrong_rota_is_refused_as_compilers_do(
    platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rota.yaml"
    file.write_text("people: 1")
    problems = [{"line": 7, "message": "ben is on no level"}]
    platform.rota = Invalid(422, "rota_refused", "wrong", problem={"problems": problems})

    assert oncall.main(["set", str(file)]) == 1
    assert capsys.readouterr().out == f"{file}:7: ben is on no level\n"
    assert oncall.main(["set", str(file), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["problems"] == problems


@pytest.mark.parametrize("words", [["--for", "8m"], ["--for", "8h", "--until", AT], ["--until", "soon"], []])
def test_an_override_needs_an_end(platform: Platform, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        oncall.main(["override", "ben", *words])

    assert (ended.value.code, platform.asked) == (2, [])


def test_an_override_by_its_length_has_a_zone(platform: Platform) -> None:
    assert oncall.main(["override", "ben", "--for", "2d"]) == 0
    assert platform.asked[0][0] == "ben"
    assert platform.asked[0][1].tzinfo is not None


def test_ack_takes_the_page(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    assert oncall.main(["ack", "page-1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "acknowledged"
    assert platform.asked == [("ack", "page-1")]


def test_an_address_comes_from_a_pipe_and_is_not_repeated(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("slack://t0ps3cret\n"))

    assert notifications.main(["add", "chat"]) == 0
    said = capsys.readouterr()
    assert platform.asked == [("chat", "slack://t0ps3cret")]
    assert "t0ps3cret" not in said.out + said.err


def test_without_an_address_it_says_where_it_may_come_from(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(""))

    assert notifications.main(["add", "chat"]) == 1
    assert "--url-file" in capsys.readouterr().err


class TestTest:
    """What `eco notifications test` says while it waits, and in the end."""

    @pytest.mark.parametrize(("states", "code"), [(["waiting", "sent"], 0), (["failed"], 1)])
    def test_it_waits_for_the_end_and_says_it_by_its_code(
        self, platform: Platform, capsys: pytest.CaptureFixture[str], states: list[str], code: int
    ) -> None:
        platform.states = list(states)

        assert notifications.main(["test", "chat"]) == code
        said = capsys.readouterr()
        assert said.out.startswith(f"chat: {states[-1]} after 1 attempt")
        assert ("private_networks" in said.out) is (code == 1)

    def test_what_is_tried_is_told_at_once_and_each_channel_when_it_has_ended(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        seen: list[Any] = []
        looks = iter([
            a_message("slow", "waiting", 1, "http_503"), a_message("quick", "sent", 1),
            a_message("slow", "sending", 2, "http_503"), a_message("slow", "failed", 2, "redirected"),
        ])  # fmt: skip
        platform.notifications.channels = lambda: tuple(
            Channel(name=name, service="JSON") for name in ("slow", "quick")
        )
        platform.notifications.test_channel = lambda name: a_message(name, "waiting", 0)
        platform.notifications.get = lambda _: (seen.append(capsys.readouterr()), next(looks))[1]

        assert notifications.main(["test"]) == 1
        last = capsys.readouterr()
        assert seen[0].err.splitlines() == ["slow: test n-slow is on its way", "quick: test n-quick is on its way"]
        assert seen[1].err == "slow: attempt 1 failed, http_503 (said in words); the next is at 2026-11-26 04:00:00Z\n"
        assert seen[2].out == "quick: sent after 1 attempt\n"
        assert last.out == "slow: failed after 2 attempts: redirected (said in words)\n"

    def test_json_is_a_line_for_each_channel(self, platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
        platform.notifications.test_channel = lambda name: a_message(name, "sent", 1)

        assert notifications.main(["test", "one", "two", "one", "--json"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [(found["channel"], found["state"]) for found in map(json.loads, lines)] == [
            ("one", "sent"), ("two", "sent"),
        ]  # fmt: skip

    def test_what_has_not_ended_in_time_says_where_to_look(
        self, platform: Platform, capsys: pytest.CaptureFixture[str]
    ) -> None:
        platform.notifications.test_channel = lambda name: a_message(name, "waiting", 0)

        assert notifications.main(["test", "chat", "--wait-seconds", "0"]) == 1
        said = capsys.readouterr()
        assert said.out == "chat: not sent yet after 0 attempts\n"
        assert "eco notifications list" in said.err

    def test_one_that_was_tested_a_moment_ago_says_so(
        self, platform: Platform, capsys: pytest.CaptureFixture[str]
    ) -> None:
        platform.notifications.test_channel = lambda name: a_message(name, "sent", 1, repeats=1)

        assert notifications.main(["test", "chat"]) == 0
        assert "chat: tested at 2026-11-26 04:00:00Z, and not sent again so soon" in capsys.readouterr().err
