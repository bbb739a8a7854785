"""Goal: whatever moment the archive's writer is killed at, each event stands once in a chain of whole files.

Method: the real job in a process of its own, killed while PostgreSQL holds it; then the job again, here.
"""

from pathlib import Path

import pytest

from ecosystem.kernel.testing.harness import ServiceHarness
from tests.kernel.db.fixtures import Platform
from tests.services.events.conftest import archived, publish
from tests.support.killing import GATE, wait_at_commit
from tests.support.one_job import killed_job

OBJECT_BESIDE_NO_FILE, A_FILE = (1, 0), (1, 1)


def stored(folder: Path) -> list[Path]:
    return [path for path in (folder / "objects").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("holding", "left"),
    [("lock table events.pending in exclusive mode", OBJECT_BESIDE_NO_FILE),
     ("lock table events.files in share mode", OBJECT_BESIDE_NO_FILE), (GATE, A_FILE)],
    ids=["with its object written", "with its list struck", "in its commit"],
)  # fmt: skip
async def test_killed_writer_of_a_file(
    events: ServiceHarness, platform: Platform, tmp_path: Path, holding: str, left: tuple[int, int]
) -> None:
    codes = [f"c{number}" for number in range(6)]
    await publish(events, *codes)
    await events.consume()
    wait_at_commit(platform.admin_url, "events.files")

    killed_job(holding, platform, tmp_path, "events", "close-archive-files", events={"file_events_max": 3})

    files = platform.rows("select number, events, content_sha256, previous_sha256 from events.files order by number")
    assert (len(stored(tmp_path)), len(files)) == left
    await events.job("close-archive-files")
    files = platform.rows("select number, events, content_sha256, previous_sha256 from events.files order by number")
    assert [file[:2] for file in files] == [(1, 3), (2, 3)]
    assert (files[0][3], files[1][3]) == (None, files[0][2])
    assert len(stored(tmp_path)) == 2
    assert [line["data"]["code"] for line in await archived(events)] == codes
    assert platform.rows("select count(*) from events.pending") == [(0,)]
