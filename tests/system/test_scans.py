"""Goal: a scan of several batches reaches its outcome once, whichever process is killed while its pages are read.

Method: SIGKILL in a real fleet with real OCR, as soon as a first batch has been read and others have not.
"""

import io
import os
import signal
from collections.abc import Iterator

import psycopg
import pytest
from PIL import Image, ImageDraw, ImageFont

from ecosystem_client import Ecosystem
from ecosystem_client.models import Run
from tests.support.fleets import Fleet, a_fleet, an_integrator
from tests.support.poll import eventually_now

pytestmark = pytest.mark.system

PAGES = 10
FINISH_SECONDS = 120.0


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with a_fleet("scans") as running:
        yield running


@pytest.fixture(scope="module")
def ecosystem(fleet: Fleet) -> Iterator[Ecosystem]:
    with an_integrator(fleet, "scans") as ecosystem:
        yield ecosystem


def a_scan(pages: int) -> bytes:
    """A PDF of pictures, each with a word of its own."""
    font = ImageFont.load_default(40)
    pictures = []
    for number in range(1, pages + 1):
        picture = Image.new("L", (900, 500), 255)
        ImageDraw.Draw(picture).text((80, 200), f"SHEET NUMBER {number}", fill=0, font=font)
        pictures.append(picture)
    out = io.BytesIO()
    pictures[0].save(out, "PDF", save_all=True, append_images=pictures[1:], resolution=150)
    return out.getvalue()


def rows(fleet: Fleet, statement: str, document_id: str) -> list[tuple[object, ...]]:
    """Past every fence, as the superuser."""
    password = (fleet.home / "fleet" / "postgres.password").read_text()
    folder = fleet.home / "run" / "postgres"
    with psycopg.connect(f"host={folder} user=eco password={password} dbname=postgres") as connection:
        return connection.execute(statement, (document_id,)).fetchall()


def run_of(fleet: Fleet, ecosystem: Ecosystem, document_id: str) -> Run:
    ((run_id,),) = rows(fleet, "select run_id::text from orchestrator.runs where key = %s", document_id)
    return ecosystem.runs.get(str(run_id))


def is_half_read(fleet: Fleet, document_id: str) -> bool:
    statement = (
        "select ended from orchestrator.loops join orchestrator.runs using (company_id, run_id) where runs.key = %s"
    )
    return [row for row in rows(fleet, statement, document_id) if row[0] in (1, 2)] != []


@pytest.mark.parametrize("slot", ["creditx-1", "orchestrator-1"])
def test_a_process_killed_while_pages_are_read(fleet: Fleet, ecosystem: Ecosystem, slot: str) -> None:
    document_id = ecosystem.documents.upload(a_scan(PAGES), name=f"{slot}.pdf").document_id
    eventually_now(lambda: is_half_read(fleet, document_id), within_seconds=60, every_seconds=0.02)

    os.kill(fleet.process(slot)["pid"], signal.SIGKILL)

    document = ecosystem.documents.follow(document_id, timeout_seconds=FINISH_SECONDS)
    events = "select type from kernel.log where subject = %s and type like 'compliance%%processed'"
    eventually_now(lambda: rows(fleet, events, document_id))
    run = run_of(fleet, ecosystem, document_id)
    # No kind of document says SHEET NUMBER: a person looks at it, and nobody approves it.
    assert (document.outcome, document.status) == ("review", "completed")
    assert [(loop.ended, loop.passes) for loop in run.loops] == [(3, 3)]
    assert max(step.attempt for step in run.steps if step.pass_number is not None) <= 2
    kept = rows(
        fleet, "select page, characters from creditx.page_texts where document_id = %s order by page", document_id
    )
    assert [page for page, _ in kept] == list(range(1, PAGES + 1))
    assert all(isinstance(characters, int) and characters >= len("SHEET NUMBER 1") - 2 for _, characters in kept)
    assert len(rows(fleet, events, document_id)) == 1


def test_a_page_is_drawn_for_its_owner(ecosystem: Ecosystem) -> None:
    document_id = ecosystem.documents.upload(a_scan(1), name="one.pdf").document_id

    picture = Image.open(io.BytesIO(ecosystem.documents.page_image(document_id, 1, width=450)))

    assert (picture.format, picture.width) == ("PNG", 450)
