"""Goal: the examples run as they stand. Method: as programs of their own, against a twin of the API."""

import os
import subprocess
import sys
from pathlib import Path

import certifi
import pytest

from tests.client.twin import CLIENT, SECRET, Twin, served, twin_app
from tests.support.poll import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


def run(program: str, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"ECO_URL": url, "ECO_CA": certifi.where(), "ECO_CLIENT_ID": CLIENT, "ECO_CLIENT_SECRET": SECRET}
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / program), *arguments],
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT / "client" / "src")},
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip


def test_send_and_follow(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    (tmp_path / "b.pdf").write_bytes(b"")
    with served(twin_app(Twin())) as url:
        sent, refused = (run("send_and_follow.py", url, str(tmp_path / name)) for name in ("a.pdf", "b.pdf"))

    assert (sent.returncode, sent.stdout.splitlines()[0]) == (0, "invoice: approved, score 92.50")
    assert "address_recent: 120 days old." in sent.stdout
    assert refused.returncode == 1
    assert "Next: Send the file again." in refused.stdout


@pytest.mark.parametrize("count", [3])
def test_tail_events(count: int) -> None:
    with served(twin_app(Twin())) as url:
        done = run("tail_events.py", url, str(count), "4")

    assert done.returncode == 0, done.stderr
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["5", "6", "7"]
