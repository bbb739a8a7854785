"""Goal: a platform whose state.json was damaged is found and stopped all the same.
Method: the commands, against a control socket behind a held lock, as a supervisor has them."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ecosystem.cli import arrival, down, status
from ecosystem.fleet.control import ControlServer, Tell
from ecosystem.fleet.home import Home
from tests.support.engines import short_folder


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with short_folder("damaged") as folder:
        monkeypatch.setenv("ECO_HOME", str(folder / "home"))
        home = Home(folder / "home")
        home.prepare()
        home.state_file.write_text("{")
        yield home


class Running:
    """What a supervisor answers; it lets go of the home when it is asked to stop."""

    def __init__(self, home: Home) -> None:
        self._lock, self._control = home.lock(), str(home.control)

    async def scale(self, service: str, replicas: int, tell: Tell) -> None: ...

    async def restart(self, service: str | None, tell: Tell) -> None: ...

    def request_stop(self) -> None:
        os.close(self._lock)

    def state(self) -> dict[str, Any]:
        return {"state": "ready", "pid": os.getpid(), "processes": [], "control": self._control}


@contextmanager
def running(home: Home) -> Iterator[None]:
    loop, server = asyncio.new_event_loop(), ControlServer(home.control, Running(home))
    loop.run_until_complete(server.open())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(server.close())
        loop.close()


def test_it_is_shown_and_stopped(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with running(home):
        assert arrival._already_running(home, as_json=False) == 0
        assert status.main([]) == 0
        assert down.main(["--timeout", "5"]) == 0

    said = capsys.readouterr().out
    assert f"A platform already runs in {home.path} (pid {os.getpid()}, ready)" in said
    assert "Stopped after" in said


def test_one_that_does_not_answer_either_is_told_with_the_file(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    held = home.lock()

    assert status.main([]) == 1
    said = capsys.readouterr().err
    assert f"{home.state_file} is damaged" in said
    assert f"Next: eco logs supervisor; fuser {home.path / 'lock'} names its process" in said
    os.close(held)


def test_one_that_has_not_yet_said_who_it_is_is_no_damage(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.state_file.unlink()
    held = home.lock()

    assert status.main([]) == 1
    assert "one is being started" in capsys.readouterr().err
    os.close(held)
