"""Goal: the README's commands do what it says. Method: run each, with its folder moved to a temporary one."""

import re
import shlex
from pathlib import Path

import pytest

from ecosystem.cli import specimens

README = Path(__file__).parents[2] / "specimens" / "README.md"
COMMANDS = re.findall(r"^eco specimens (.+)$", README.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_of_the_readme_makes_documents_with_truths(command: str, tmp_path: Path) -> None:
    words = shlex.split(command)
    folder = tmp_path / words[words.index("--out") + 1]
    words[words.index("--out") + 1] = str(folder)

    assert specimens.main(words) == 0
    names = {path.name for path in folder.iterdir()}
    truths = {name for name in names if name.endswith(".truth.json")}
    assert truths
    assert len(truths) * 2 == len(names)


def test_readme_names_every_fault() -> None:
    from specimens.model import CONSEQUENCES

    text = README.read_text(encoding="utf-8")
    for fault, then in CONSEQUENCES.items():
        assert fault.value in text
        assert all(rule in text for rule in then.failing_rules)
