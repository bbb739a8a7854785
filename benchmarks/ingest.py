"""Ingest, case `scans`: one-page scans at 200 dpi a second, from upload to outcome, through the edge of a real fleet.

Baseline, on the same pages in the same rounds: the OCR engine alone, in as many processes as the fleet has workers
for it. Each round has new pages.
"""

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context

from benchmarks._report import closing_line, rounds_from_command_line
from benchmarks.document import fleet
from ecosystem.cli.login import first_administrator
from ecosystem.kernel.sandbox.settings import SandboxSettings
from ecosystem_client import Ecosystem
from specimens.maker import make
from specimens.model import Kind, Quality, Specimen

BAR = 0.85
PROCESSES = 2
PAGES_PER_ROUND, CLIENTS = 16, 5
_KINDS = (Kind.CERTIFICATE_OF_INCORPORATION, Kind.TAX_FORM, Kind.REGISTER_EXTRACT, Kind.INVOICE, Kind.KYC_QUESTIONNAIRE)


def scans() -> Iterator[Specimen]:
    """No two alike, each of one page."""
    seed = 0
    while True:
        seed += 1
        scan = make(_KINDS[seed % len(_KINDS)], seed=seed, as_of=datetime.now(UTC).date(), quality=Quality.SCAN_200)
        if len(scan.truth.pages) == 1:
            yield scan


def prepare() -> None:
    """As the sandbox does: models loaded, one thread, the same niceness, so that other load weighs equally."""
    os.nice(SandboxSettings().heavy_niceness)
    os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
    from ecosystem.services.creditx.reading import ocr

    ocr.prepare_sandbox()


def read_alone(content: bytes, media_type: str) -> int:
    from ecosystem.services.creditx.reading import ocr

    return len(ocr.read_pages(content, media_type=media_type, pages=[1])[0]["lines"])


def alone(processes: Executor, pages: list[Specimen]) -> float:
    """Pages a second."""
    started = time.perf_counter()
    read = list(processes.map(read_alone, [page.content for page in pages], [page.media_type for page in pages]))
    assert all(read)
    return len(pages) / (time.perf_counter() - started)


def through(clients: list[Ecosystem], pages: list[Specimen]) -> float:
    """Pages a second from the first upload to the last outcome, as CLIENTS see them."""

    def one(client: Ecosystem, mine: list[Specimen]) -> None:
        sent = [client.documents.upload(page.content, name=page.name).document_id for page in mine]
        for document_id in sent:
            client.documents.follow(document_id)

    started = time.perf_counter()
    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(one, clients, [pages[place :: len(clients)] for place in range(len(clients))]))
    return len(pages) / (time.perf_counter() - started)


def main() -> None:
    rounds = rounds_from_command_line(__doc__ or "")
    spawned = ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"), initializer=prepare)
    with fleet() as running, spawned as processes:
        with running.connect(first_administrator(running)) as administrator:
            company = administrator.companies.create(
                "Benchmark AG", region="eu", time_zone="Europe/Zurich", locale="en_GB", currency="CHF"
            )
            client = administrator.clients.create("bench", roles=["integrator"], company_id=company.company_id)

        def connect() -> Ecosystem:
            return Ecosystem(running.edge_url, client.client_id, str(client.client_secret), ca=running.edge_ca)

        clients, pages, figures = [connect() for _ in range(CLIENTS)], scans(), []
        warm = [next(pages) for _ in range(CLIENTS)]
        through(clients, warm)
        alone(processes, warm)
        for number in range(rounds):
            mine = [next(pages) for _ in range(PAGES_PER_ROUND)]
            work = [("ours", partial(through, clients, mine)), ("baseline", partial(alone, processes, mine))]
            random.Random(number).shuffle(work)
            figures.append({name: measure() for name, measure in work})
            print({name: round(rate, 3) for name, rate in figures[-1].items()}, flush=True)
        for one in clients:
            one.close()
    settings = {
        "dpi": 200, "pages_per_round": PAGES_PER_ROUND, "clients": CLIENTS, "ocr_workers": PROCESSES,
        "baseline_processes": PROCESSES, "engine": "rapidocr",
    }  # fmt: skip
    closing_line("ingest", "scans", "pages/s", "higher", figures, BAR, settings)


if __name__ == "__main__":
    main()
