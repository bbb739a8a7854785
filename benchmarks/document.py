"""Document: a one-page text PDF from the first byte of its upload to its outcome, through the edge of a real fleet.

Baseline, on the same machine in the same rounds, one after the other, as `agent_call` measures each of them: 5 bare
grpc.aio calls with mTLS, 12 times INSERT and COMMIT of a 700-byte row through the platform's pool and session on its
own PostgreSQL, and one bare upload of the same PDF to uvicorn over mTLS. A document is followed by a few readings of
the PDF alone: they keep the processors awake while the platform ends what the document left (its publication, the next
worker), which would slow what is measured next.

Then, without a bar: the same baseline by a program that can wait for one thing only (a synchronous channel, client and
connection in autocommit), how long the reading alone takes (the baselines read nothing), where the time goes inside of
a run, and documents a second with 8 clients.
"""

import asyncio
import json
import os
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import grpc
import grpc.aio
import httpx
import psycopg
import pypdfium2
import uvloop

from benchmarks._bare import METHOD
from benchmarks._report import closing_line, rounds_from_command_line
from ecosystem.cli.login import first_administrator
from ecosystem.cli.operator import Platform, platform
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.identity.authority import Authority
from ecosystem.services.creditx.reading import arrival
from ecosystem.services.creditx.settings import ServiceSettings
from ecosystem_client import Ecosystem
from specimens.maker import make
from specimens.model import Kind

BAR = 4.0
CALLS, COMMITS = 5, 12
DOCUMENTS_PER_ROUND = 10
CLIENTS, DOCUMENTS_PER_CLIENT = 8, 10
READINGS_AFTER_EACH = 5
_ROW = "x" * 700
_INSERT = "insert into public.bare_rows (text) values (%s)"


@contextmanager
def fleet() -> Iterator[Platform]:
    """A platform in a home of its own, as `./eco up` starts it; ended and removed afterwards, on SIGTERM too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="eco-bench-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        home = Path(folder) / "home"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ECO_")}
        environment["ECO_HOME"] = str(home)
        command = [sys.executable, "-m", "ecosystem"]
        subprocess.run([*command, "up"], env=environment, check=True, stdout=subprocess.DEVNULL)
        try:
            yield platform(home)
        finally:
            subprocess.run([*command, "down"], env=environment, check=False, stdout=subprocess.DEVNULL)


@contextmanager
def bare_server(folder: Path) -> Iterator[dict[str, int]]:
    authority = Authority.open(folder / "authority")
    (folder / "ca.pem").write_bytes(authority.bundle())
    (folder / "bare.pem").write_bytes(authority.issue("bare"))
    command = [sys.executable, "-m", "benchmarks._bare", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@dataclass
class Bare:
    """What the least possible program would do: an upload, calls and commits, one after the other."""

    call: Callable[[bytes], Awaitable[bytes]]
    database: Database
    upload: Callable[[bytes], Awaitable[object]]

    async def document(self, pdf: bytes) -> float:
        """Seconds that it took."""
        started = time.perf_counter()
        await self.upload(pdf)
        for _ in range(CALLS):
            await self.call(_ROW.encode())
        for _ in range(COMMITS):
            await self.database.run(self._insert)
        return time.perf_counter() - started

    async def _insert(self) -> None:
        await (await driver(self.database)).execute(_INSERT, (_ROW,))


@dataclass
class Synchronous:
    """The same, by a program that waits for one thing at a time."""

    call: Callable[[bytes], bytes]
    database: psycopg.Connection[Any]
    upload: Callable[[bytes], object]

    def document(self, pdf: bytes) -> float:
        started = time.perf_counter()
        self.upload(pdf)
        for _ in range(CALLS):
            self.call(_ROW.encode())
        for _ in range(COMMITS):
            self.database.execute(_INSERT, (_ROW,))
        return time.perf_counter() - started


@contextmanager
def bare(home: Path) -> Iterator[tuple[Callable[[bytes], float], Synchronous]]:
    """Both baselines; the first runs in an event loop as the platform's processes do."""
    with (
        tempfile.TemporaryDirectory(prefix="eco-bare-") as name,
        bare_server(Path(name)) as ports,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        folder = Path(name)
        pem, ca = (folder / "bare.pem").read_bytes(), (folder / "ca.pem").read_bytes()
        address, credentials = (
            f"localhost:{ports['grpc_port']}", grpc.ssl_channel_credentials(ca, private_key=pem, certificate_chain=pem),
        )  # fmt: skip
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(str(folder / "bare.pem"))
        base_url = f"https://localhost:{ports['http_port']}"
        password = (home / "fleet" / "postgres.password").read_text()
        url = f"host={home / 'run' / 'postgres'} user=eco password={password} dbname=postgres"

        async def opened() -> tuple[Bare, Callable[[], Coroutine[Any, Any, None]]]:
            channel = grpc.aio.secure_channel(address, credentials)
            client = httpx.AsyncClient(base_url=base_url, verify=context)
            database = Database(DatabaseSettings.model_validate({"url": url}), "public")

            async def close() -> None:
                await channel.close()
                await client.aclose()
                await database.close()

            call = cast("Callable[[bytes], Awaitable[bytes]]", channel.unary_unary(METHOD))
            return Bare(call, database, lambda pdf: client.post("/", files={"file": pdf})), close

        with (
            grpc.secure_channel(address, credentials) as channel,
            httpx.Client(base_url=base_url, verify=context) as client,
            psycopg.connect(url, autocommit=True) as database,
        ):
            database.execute("create table if not exists public.bare_rows (id bigserial primary key, text text)")
            call = cast("Callable[[bytes], bytes]", channel.unary_unary(METHOD))
            least, close = runner.run(opened())
            try:
                yield (
                    lambda pdf: runner.run(least.document(pdf)),
                    Synchronous(call, database, lambda pdf: client.post("/", files={"file": pdf})),
                )
            finally:
                runner.run(close())


def to_outcome(ecosystem: Ecosystem, pdf: bytes) -> float:
    """Seconds from upload to outcome as a client sees them."""
    started = time.perf_counter()
    document = ecosystem.documents.ingest(pdf, name="document.pdf")
    if not document.finished:
        sys.exit(f"document {document.document_id} has no outcome")
    return time.perf_counter() - started


def pdfs() -> Iterator[bytes]:
    """One-page bank statements, no two alike."""
    seed = 0
    while True:
        seed += 1
        pdf = make(Kind.BANK_STATEMENT, seed=seed, as_of=datetime.now(UTC).date()).content
        if len(pypdfium2.PdfDocument(pdf)) == 1:
            yield pdf


def read(pdf: bytes) -> None:
    """What the sandbox does for one document, without a platform around it: inspect, then extract."""
    limits = ServiceSettings()
    inspect = {"file_name": "document.pdf", "pages_max": limits.pages_max}
    inspect |= {"inflated_bytes_max": limits.inflated_bytes_max}
    habits = {"date_order": "DMY", "country": "CH"}
    answers = list(arrival.arrive(pdf, inspect=inspect, habits=habits, extracted_pages_max=1))
    assert len(answers) == 2, "the document was not read"


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def milliseconds(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000


def breakdown(ecosystem: Ecosystem) -> None:
    """The transitions of the last run with the milliseconds since the one before."""
    run = ecosystem.runs.page(limit=1).items[0]
    before: datetime | None = None
    for step in ecosystem.runs.get(run.run_id).transitions:
        at = step.at if isinstance(step.at, datetime) else datetime.fromisoformat(str(step.at))
        print(
            f"  {0 if before is None else (at - before).total_seconds() * 1000:7.1f} ms  {step.state} {step.step or ''}"
        )
        before = at


def throughput(connect: Callable[[], Ecosystem], documents: Iterator[bytes]) -> float:
    """Documents a second from the first upload to the last outcome, with CLIENTS of them at once."""
    work = [[next(documents) for _ in range(DOCUMENTS_PER_CLIENT)] for _ in range(CLIENTS)]

    def one(mine: list[bytes]) -> None:
        with connect() as ecosystem:
            for pdf in mine:
                to_outcome(ecosystem, pdf)

    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(one, work))
    return CLIENTS * DOCUMENTS_PER_CLIENT / (time.perf_counter() - started)


def main() -> None:
    rounds = rounds_from_command_line(__doc__ or "")
    with fleet() as running, bare(running.home) as (baseline, waiting):
        with running.connect(first_administrator(running)) as administrator:
            company = administrator.companies.create(
                "Benchmark AG", region="eu", time_zone="Europe/Zurich", locale="en_GB", currency="CHF"
            )
            client = administrator.clients.create("bench", roles=["integrator"], company_id=company.company_id)

        def connect() -> Ecosystem:
            return Ecosystem(running.edge_url, client.client_id, str(client.client_secret), ca=running.edge_ca)

        documents, figures, readings, synchronous = pdfs(), [], list[float](), list[float]()
        arrival.prepare_sandbox()
        with connect() as ecosystem:
            for number in range(-1, rounds):
                ours, theirs = [], []
                for _ in range(DOCUMENTS_PER_ROUND):
                    pdf = next(documents)
                    theirs.append(baseline(pdf))
                    ours.append(to_outcome(ecosystem, pdf))
                    readings += [timed(lambda pdf=pdf: read(pdf)) for _ in range(READINGS_AFTER_EACH)]  # type: ignore[misc]
                    synchronous.append(waiting.document(pdf))
                if number >= 0:
                    figures.append({"ours": milliseconds(ours), "baseline": milliseconds(theirs)})
            print("where the time of the last document's run went:")
            breakdown(ecosystem)
        rate = throughput(connect, documents)
        print(f"{rate:.1f} documents a second with {CLIENTS} clients")
        settings = {"fsync": "on", "synchronous_commit": "on", "mtls": True, "documents_per_round": DOCUMENTS_PER_ROUND}
        closing_line(
            "document", "latency", "ms", "lower", figures, BAR, settings, documents_per_second=round(rate, 1),
            reading_alone_ms=round(milliseconds(readings), 1),
            synchronous_baseline_ms=round(milliseconds(synchronous), 1),
        )  # fmt: skip


if __name__ == "__main__":
    main()
