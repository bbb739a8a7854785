"""Goal: one command takes real documents to their outcomes and leaves nothing. Method: as a program of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.poll import eventually_now

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
REPORT = "report.html"
DOCUMENTS = ROOT.parent / "shared" / "data" / "docs"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder with a short path that is the demonstration's own: what is left in it was left by it."""
    with tempfile.TemporaryDirectory(prefix="eco-t-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join(str(ROOT / part) for part in ("src", "client/src", "specimens/src"))
    return subprocess.Popen(
        [sys.executable, "-m", "ecosystem", "demo", "--report", str(folder / REPORT), *arguments],
        env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": paths},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def assert_nothing_left(folder: Path) -> None:
    """No file of the demonstration but its report, and no process that was started in its home."""
    eventually_now(lambda: not _processes_of(folder))
    assert [path.name for path in folder.iterdir() if path.name != REPORT] == []


def _processes_of(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and str(folder) in " ".join(
                [*process.cmdline(), *(file.path for file in process.open_files())]
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_specimens_come_out_as_their_truth_says(folder: Path) -> None:
    demo = start(folder, "--seed", "11")
    said, noted = demo.communicate(timeout=150)

    assert demo.returncode == 0, said + noted
    assert "14 of 14 came out as the truth of their specimen says." in said
    for heading in ("document", "kind", "what was read", "score", "outcome", "failing rules", "time", "look further"):
        assert heading in said.split("\n\n")[0]
    for outcome in ("approved", "rejected", "review", "refused"):
        assert outcome in said
    report = (folder / REPORT).read_text()
    assert report.count("<section ") == 14
    assert report.count("<rect ") > 60
    assert_nothing_left(folder)


def test_folder_of_real_documents_goes_through(folder: Path) -> None:
    if not DOCUMENTS.exists():
        assert "CI" not in os.environ, f"{DOCUMENTS} is needed here"
        pytest.skip(f"{DOCUMENTS} is absent")
    demo = start(folder, str(DOCUMENTS), "--json")
    said, noted = demo.communicate(timeout=150)

    assert demo.returncode == 0, said + noted
    came = {one["document"]: one for one in json.loads(said)["documents"]}
    assert came.keys() == {path.name for path in DOCUMENTS.iterdir()}
    for turned in ("docling_ocr_test.pdf", "docling_ocr_test_rotated_90.pdf"):
        assert (came[turned]["outcome"], came[turned]["reasons"]) == ("review", ["the kind of document is not known"])
    bill, card = came["docling_qr_bill_example.jpg"], came["passporteye_passport-td2.jpg"]
    assert (bill["kind"], bill["values"]["total_amount"], bill["values"]["iban"]) == (
        "invoice", "3949.75", "CH5800791123000889012",
    )  # fmt: skip
    assert (card["kind"], card["outcome"]) == ("identity_card", "rejected")
    assert "identity_not_expired" in {rule["rule"] for rule in card["failing_rules"]}
    assert came["pypdf_libreoffice-writer-password.pdf"]["refusal_rule"] == "encrypted_document"
    assert_nothing_left(folder)


def test_ctrl_c_cleans_up(folder: Path) -> None:
    demo = start(folder)
    assert demo.stderr is not None
    for line in demo.stderr:
        if line.startswith("1/14"):
            break
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=60)

    assert demo.returncode == 130
    assert_nothing_left(folder)
