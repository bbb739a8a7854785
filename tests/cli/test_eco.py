"""Goal: `./eco` refuses clearly where it cannot work, and runs no code of the folder in which it is called.

Method: the real script, our own `uname` and Pythons; a folder with files that are named like modules.
"""

import os
import re
import subprocess
from pathlib import Path

from ecosystem.fleet.place import our_command
from tests.tidy.tree import ROOT


def run_eco(folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of ./eco with nothing but `programs` (name → shell text) before the system's own tools."""
    tools = folder / "tools"
    tools.mkdir()
    for name, script in programs.items():
        path = tools / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    copy = folder / "eco"
    copy.write_text((ROOT / "eco").read_text())
    environment = {"PATH": f"{tools}:/usr/bin:/bin"}
    return subprocess.run(
        ["/bin/sh", str(copy), "status"], capture_output=True, text=True, env=environment, check=False
    )


def test_another_system_is_refused_with_the_next_step(tmp_path: Path) -> None:
    answer = run_eco(tmp_path, uname='[ "$1" = -s ] && echo Darwin || echo arm64')

    assert answer.returncode == 69
    assert "this machine is Darwin arm64" in answer.stderr
    assert "Next: use a Linux x86-64 machine" in answer.stderr


def test_an_old_python_is_refused_with_the_next_step(tmp_path: Path) -> None:
    old = dict.fromkeys(("python3", "python3.11", "python3.12", "python3.13"), "exit 1")
    answer = run_eco(tmp_path, **old)

    assert answer.returncode == 69
    assert "needs Python 3.11 or newer" in answer.stderr


def test_what_lies_in_the_present_folder_is_not_imported(tmp_path: Path) -> None:
    for module in ("argparse", "orjson", "ecosystem"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('planted')\n")
    answer = subprocess.run(
        [ROOT / "eco", "status"], capture_output=True, text=True, cwd=tmp_path, check=False,
        env=os.environ | {"ECO_HOME": str(tmp_path / "none")},
    )  # fmt: skip

    assert "planted" not in answer.stderr
    assert "Next: eco up" in answer.stderr


def test_our_own_processes_do_not_import_from_there_either(tmp_path: Path) -> None:
    (tmp_path / "orjson.py").write_text("print('planted')")
    words = ("ecosystem", "logs", "nosuch")
    answer = subprocess.run(
        our_command(*words), cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "ECO_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    begun_otherwise = {
        (file.name, options)
        for file in (ROOT / "src").rglob("*.py")
        for options in re.findall(r'sys\.executable, (.*)"-m", "(?:ecosystem|faults)', file.read_text())
    }

    assert ("planted" in answer.stdout, "eco logs: " in answer.stderr) == (False, True)
    # The sandbox, below what knows of commands, says so itself.
    assert begun_otherwise == {("spawning.py", '"-P", ')}
