"""A copy of the tree with a bug planted in it, and a campaign with a schedule of its own over that copy."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecosystem.cli.project import tool_environment
from tests.support.engines import short_folder
from tests.tidy.tree import ROOT

_PARTS = ("src", "client/src", "specimens/src", "faults/src")


@dataclass(frozen=True)
class Change:
    """`old` stands once in the file, `new` takes its place."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Planted:
    """`faults` as in a printed schedule. `verdict` and `sentence` are what the checker must say of the bug."""

    name: str
    changes: Sequence[Change]
    faults: Sequence[Mapping[str, Any]]
    verdict: str
    sentence: str
    minutes: float = 0.2
    uploads_per_second: float = 3.0
    replicas: Sequence[str] = ("creditx", "orchestrator")
    settle_seconds: float = 12.0

    def apply(self, tree: Path) -> None:
        for change in self.changes:
            file = tree / change.file
            text = file.read_text()
            assert text.count(change.old) == 1, f"{self.name}: {change.file} no longer reads as it did"
            file.write_text(text.replace(change.old, change.new))


def campaign_over(planted: Planted) -> dict[str, Any]:
    """The summary of a campaign over a tree with this bug."""
    with short_folder("planted") as folder:
        tree = folder / "tree"
        for part in _PARTS:
            # With what was compiled: of what is not changed it stays true.
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("*.egg-info"))
        planted.apply(tree)
        schedule = folder / "schedule.json"
        schedule.write_text(json.dumps({"faults": list(planted.faults)}))
        paths = os.pathsep.join(str(tree / part) for part in _PARTS)
        command = [
            sys.executable, "-m", "faults", "--services", ",".join(planted.replicas), "--schedule", str(schedule),
            "--minutes", str(planted.minutes), "--rate", str(planted.uploads_per_second),
            "--settle", str(planted.settle_seconds), "--json",
        ]  # fmt: skip
        done = subprocess.run(
            command, env=tool_environment() | {"PYTHONPATH": paths}, cwd=folder,
            capture_output=True, text=True, timeout=240, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stderr
        return dict(json.loads(done.stdout))
