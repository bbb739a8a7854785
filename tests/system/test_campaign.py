"""Goal: whatever dies, nothing is lost, doubled, leaked or stuck, and its incident says it.

Method: `eco chaos run`, one minute of faults.

The long campaign, and the bars on what clients may see of a killed replica, stand in `benchmarks/campaign.py`.
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ecosystem.cli.project import tool_environment
from tests.support.poll import eventually_now

pytestmark = pytest.mark.system

VERDICTS = (
    "lost", "doubled", "leaked", "stuck", "undetected", "misnamed", "unrecorded", "paged_needlessly", "undelivered",
    "unstable", "unasked",
)  # fmt: skip


def chaos(*arguments: str, timeout_seconds: float) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ecosystem", "chaos", "run", *arguments], env=tool_environment(), check=False,
        capture_output=True, text=True, timeout=timeout_seconds, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def home_in(said: str) -> Path:
    """The home that a campaign says it made."""
    found = re.search(r"starting a platform in (\S+)", said)
    assert found is not None, said
    return Path(found.group(1))


def test_a_minute_of_faults_breaks_no_promise_and_leaves_nothing() -> None:
    done = chaos("--minutes", "1", "--seed", "1", "--json", timeout_seconds=200)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    summary = json.loads(done.stdout)

    assert {verdict: summary[verdict] for verdict in VERDICTS} == dict.fromkeys(VERDICTS, 0)
    assert summary["faults"] + sum(summary["missed"].values()) + len(summary["impossible"]) >= 11
    assert summary["documents"] > 20
    assert summary["messages"]["arrived"] == summary["messages"]["promised"] > 10
    assert summary["faults_with_an_incident"] == summary["faults_that_need_one"] > 0
    assert summary["repaired_by_itself_percent"] >= 95
    assert not home_in(done.stderr).parent.exists()


@pytest.mark.long
@pytest.mark.parametrize("seed", [101, 102])
def test_ten_minutes_break_none(seed: int) -> None:
    done = chaos("--minutes", "10", "--seed", str(seed), "--json", timeout_seconds=900)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    summary = json.loads(done.stdout)

    assert summary["faults"] >= 100


@pytest.mark.long
def test_a_campaign_that_is_interrupted_ends_its_platform() -> None:
    command = [sys.executable, "-m", "ecosystem", "chaos", "run", "--minutes", "5"]
    with subprocess.Popen(
        command, env=tool_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        home = home_in(process.stderr.readline())
        eventually_now((home.parent / "up.log").exists)
        # All of them hear it, some twice, as with `timeout` or a service manager.
        os.killpg(process.pid, signal.SIGTERM)
        process.stderr.read()

    assert process.returncode == 130
    assert not home.parent.exists()
    assert not [pid for pid in Path("/proc").glob("[0-9]*") if str(home) in environment_of(pid)]


def environment_of(process: Path) -> str:
    try:
        return (process / "environ").read_text(errors="replace")
    except OSError:
        return ""
