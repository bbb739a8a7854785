"""Goal: the commands of our documents work as they stand there. Method: by `./eco`, on one platform, in reading order.

`tests/docs/test_commands.py` sees to it that none is forgotten.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecosystem.cli.project import tool_environment
from tests.support.engines import short_folder
from tests.tidy.tree import ROOT

pytestmark = pytest.mark.system

RUN_THERE = (
    "eco --help",
    "eco check layers",
    "eco specimens --seed 7 --as-of 2026-11-24 --out demo --demo --json",
    "eco specimens --seed 7 --out passports --kind passport --quality photo --count 3",
    "eco specimens --seed 7 --out faulty --fault altered_amount --language de",
    "eco test unit -- -k settings",
    "eco up",
    "eco login",
    "eco company create 'Alder AG'",
    "eco documents upload FILE --wait",
    "eco status",
    "eco incidents list",
    "eco audit verify",
    "eco status --wait",
    "eco scale creditx 2",
    "eco runs list --state ERROR",
    "eco recovery episodes",
    "eco work list",
    "eco recovery queue",
    "eco scale creditx-backup 1",
    "eco runs list",
    "eco logs cache",
    "eco logs edge",
    "eco logs postgresql",
    "eco logs creditx -f",
    "eco scale creditx 3",
    "eco doctor",
    "eco policies show",
    "eco events list --type phone_reported_lost",
    "eco events dead-letters",
    "eco events replay lost-phones --from-time '…' --dry-run",
    "eco down",
)
_REAL = {"lost-phones": "creditx-companies", "…": "2026-11-01T00:00:00Z"}
_MORE = {"eco test unit -- -k settings": ("--collect-only", "-n", "0")}
"""What is asked for beside what stands there: its tests run in their own stage, and one process finds them."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with short_folder("docs") as folder:
        try:
            yield folder
        finally:
            run(folder, "eco", "down")


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    made = {name: str(folder / name) for name in ("demo", "passports", "faulty")}
    real = _REAL | made | {"FILE": str(next((folder / "demo").glob("invoice*.pdf"), "none was made"))}
    return subprocess.Popen(
        [str(ROOT / "eco"), *(real.get(word, word) for word in words[1:])], cwd=ROOT,
        env=tool_environment() | {"ECO_HOME": str(folder / "home")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, start_new_session=True,
        # A shell that started the tests in the background has told them to ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def run(folder: Path, *words: str) -> tuple[int, str]:
    process = start(folder, *words)
    said, _ = process.communicate(timeout=900)
    return process.returncode, said


@pytest.mark.parametrize("command", RUN_THERE)
def test_it_works(folder: Path, command: str) -> None:
    words = shlex.split(command)
    if "-f" in words:
        following = start(folder, *words)
        assert following.stdout
        first = following.stdout.readline()
        os.kill(following.pid, signal.SIGINT)
        following.communicate(timeout=20)

        assert "creditx-1" in first
        return
    code, said = run(folder, *words, *_MORE.get(command, ()))

    assert code == 0, said
    assert said.strip()


@pytest.mark.long
@pytest.mark.parametrize("name", ["events", "extraction", "recovery"])
def test_a_benchmark_ends_with_its_lines(folder: Path, name: str) -> None:
    """Whether its bars hold on this machine at this moment is for whoever asks; here, that it measures."""
    _, said = run(folder, "eco", "bench", name)

    assert [line for line in said.splitlines() if line.startswith(f'{{"benchmark": "{name}"')]


@pytest.mark.long
def test_three_minutes_of_soak_lose_nothing() -> None:
    """Whether memory grows slowly is for the long run, `./eco bench soak`: in three minutes all of it warms up."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", "--minutes", "3"], cwd=ROOT, env=tool_environment(),
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip

    assert "none lost, none doubled" in done.stdout, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    (memory,) = [line["memory"] for line in lines if line["case"] == "memory_all_of_ours"]
    assert memory["last_mb"] < 1.2 * memory["first_mb"]
