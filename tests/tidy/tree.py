"""What git tracks, or would: the text files of this checkout."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("src/ecosystem/kernel/agent/wire/",)


@cache
def files() -> tuple[str, ...]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return tuple(sorted(name for name in names if name and (ROOT / name).is_file()))


def python_files(*heads: str) -> list[str]:
    return [
        name
        for name in files()
        if name.endswith(".py") and name.startswith(heads or ("",)) and not name.startswith(GENERATED)
    ]


@cache
def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(text(name))
