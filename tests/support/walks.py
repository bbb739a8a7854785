"""A walk through a page of docs/runbooks, as `eco runbook NAME` gives it."""

import json
import shlex
from typing import Any

from tests.support.fleets import Fleet


class Walk:
    """One walk through a page, as JSON tells it."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        done = fleet.eco("runbook", name, "--json", timeout_seconds=300)
        assert done.returncode == 0, done.stderr
        self._fleet, self.told = fleet, json.loads(done.stdout)
        self.commands: list[dict[str, Any]] = [one for step in self.told["steps"] for one in step["commands"]]

    @property
    def found(self) -> dict[str, Any]:
        return dict(self.told["found"])

    def output(self, command: str) -> str:
        return next(str(one["output"]) for one in self.commands if one["command"] == command)

    def do(self) -> list[str]:
        """What the page leaves to a person; the commands that were given."""
        left = [one["command"] for one in self.commands if one.get("reason") == "it changes something"]
        for command in left:
            done = self._fleet.eco(*shlex.split(command)[1:], timeout_seconds=180)
            assert done.returncode == 0, (command, done.stdout, done.stderr)
        return left

    def failing(self) -> list[str]:
        return [one["command"] for one in self.commands if one["ran"] and one["exit_code"] != 0]
