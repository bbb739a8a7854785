"""Goal: `./eco` refuses clearly where it cannot work. Method: the real script, our own `uname` and Pythons."""

import subprocess
from pathlib import Path

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
