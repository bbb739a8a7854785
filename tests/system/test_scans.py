"""Goal: a scan of several batches reaches its outcome once, whichever process is killed while its pages are read.

Method: SIGKILL in a real fleet with real OCR, as soon as a first batch has been read and others have not.
"""

import io
import os
import signal
import time
from collections.abc import Iterator
from datetime import date
from itertools import cycle

import psycopg
import pytest
from PIL import Image, ImageDraw, ImageFont
from pypdf import PdfReader, PdfWriter

from ecosystem_client import Ecosystem
from ecosystem_client.models import Run
from specimens.maker import make
from specimens.model import Kind, Quality, Specimen
from tests.support.fleets import Fleet, a_fleet, an_integrator
from tests.support.poll import PATIENCE_SECONDS, eventually_now

pytestmark = pytest.mark.system

PAGES = 10
LONG_PAGES, LONG_SPECIMENS, LONG_SECONDS = 200, 20, 1200.0
NORMAL_SECONDS, ONE_SCAN_SECONDS = 5.0, 60.0
"""A text document beside two cores full of OCR, of which it is told first; a scan of one page behind two batches."""
AS_OF = date(2026, 11, 25)


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


def a_long_scan(pages: int) -> bytes:
    """Pages of specimens at 200 dpi, some of them often, as one file."""
    kinds = (Kind.CERTIFICATE_OF_INCORPORATION, Kind.TAX_FORM, Kind.REGISTER_EXTRACT)
    made = [
        make(kinds[seed % len(kinds)], seed=seed, as_of=AS_OF, quality=Quality.SCAN_200)
        for seed in range(LONG_SPECIMENS)
    ]
    scans = cycle([scan for scan in made if scan.media_type == "application/pdf"])
    writer = PdfWriter()
    while len(writer.pages) < pages:
        writer.append(io.BytesIO(next(scans).content))
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def seconds_to_outcome(ecosystem: Ecosystem, document: Specimen) -> float:
    started = time.monotonic()
    document_id = ecosystem.documents.upload(document.content, name=document.name).document_id
    assert ecosystem.documents.follow(document_id).status == "completed"
    return time.monotonic() - started


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
    pid = fleet.process(slot)["pid"]
    document_id = ecosystem.documents.upload(a_scan(PAGES), name=f"{slot}.pdf").document_id
    eventually_now(lambda: is_half_read(fleet, document_id), every_seconds=0.02)

    os.kill(pid, signal.SIGKILL)

    document = ecosystem.documents.follow(document_id, timeout_seconds=PATIENCE_SECONDS)
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


@pytest.mark.long
def test_two_hundred_pages_neither_time_out_nor_stand_in_the_way_of_others(fleet: Fleet, ecosystem: Ecosystem) -> None:
    content = a_long_scan(LONG_PAGES)
    pages = len(PdfReader(io.BytesIO(content)).pages)
    document_id = ecosystem.documents.upload(content, name="long.pdf").document_id
    eventually_now(lambda: is_half_read(fleet, document_id), every_seconds=0.1)

    texts = [make(Kind.INVOICE, seed=seed, as_of=AS_OF) for seed in range(3)]
    meanwhile = [seconds_to_outcome(ecosystem, text) for text in texts]
    one_scan = seconds_to_outcome(ecosystem, make(Kind.TAX_FORM, seed=2, as_of=AS_OF, quality=Quality.SCAN_200))
    assert not ecosystem.documents.get(document_id).finished

    document = ecosystem.documents.follow(document_id, timeout_seconds=LONG_SECONDS)
    run = run_of(fleet, ecosystem, document_id)
    kept = rows(fleet, "select page from creditx.page_texts where document_id = %s and characters > 0", document_id)
    assert max(meanwhile) <= NORMAL_SECONDS
    assert one_scan <= ONE_SCAN_SECONDS
    assert (document.status, len(kept)) == ("completed", pages)
    assert [(loop.ended, loop.passes) for loop in run.loops] == [(-(-pages // 4), -(-pages // 4))]
    assert {step.attempt for step in run.steps} == {1}
