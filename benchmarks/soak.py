"""Soak: 30 minutes of documents at half of what the platform can bear: does its memory grow, is anything lost?

The peak is measured first, for 10 s with 8 clients; then documents are sent at half of it, in time, whatever becomes of
those before. Memory is the proportional set size of each process with what it has started, every 5 s. The first fifth
is warm-up; what follows is averaged in 12 blocks and fitted by a line: its slope in MB/h, with 95 % confidence.

The bar is on the lower end of the confidence, for each of our processes and for their sum: growth that is shown. The
upper end stands beside it. Engines fill what their settings give them (`engines`): no bar. Counted at the end, in the
log: each accepted document was created once and has one outcome. `--minutes 3` is what `./eco test --all` runs.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import psycopg

from benchmarks._report import closing_line
from benchmarks.document import fleet, pdfs
from benchmarks.overload import CLIENTS, credentials, peak
from ecosystem.cli.operator import Platform
from ecosystem.fleet.memory import memory_bytes, memory_of_group
from ecosystem_client import AsyncEcosystem, EcosystemFailure

BAR_MB_PER_HOUR, LATENCY_BAR = 30.0, 1.5
LOAD, WARM_UP, BLOCKS, SAMPLE_SECONDS = 0.5, 0.2, 12, 5.0
STUDENT = 2.228
"""Student's t for 95 % on both sides, with 10 degrees of freedom: 12 blocks, a line of two parameters."""
ENGINES = ("postgresql", "cache", "edge")
MB = 2**20

Sample = tuple[float, dict[str, int]]


class Soak:
    def __init__(self, running: Platform, clients: Sequence[AsyncEcosystem], documents: Iterator[bytes]) -> None:
        self._running, self._clients, self._documents = running, clients, documents
        self.accepted: list[str] = []
        self.refused: Counter[str] = Counter()
        self.latencies: list[tuple[float, float]] = []
        self.samples: list[Sample] = []

    async def one(self, client: AsyncEcosystem, pdf: bytes) -> None:
        began = time.monotonic()
        try:
            received = await client.documents.upload(pdf, name="document.pdf")
            self.accepted.append(received.document_id)
            await client.documents.follow(received.document_id)
        except EcosystemFailure as failure:
            self.refused[type(failure).__name__] += 1
            return
        self.latencies.append((began, time.monotonic() - began))

    async def load(self, rate: float, seconds: float) -> None:
        """`rate` documents a second, each at its time."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.watch(began + seconds))
            for number in range(round(rate * seconds)):
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                tasks.create_task(self.one(self._clients[number % len(self._clients)], next(self._documents)))

    async def watch(self, ends_at: float) -> None:
        while (now := time.monotonic()) < ends_at:
            self.samples.append((now, await asyncio.to_thread(memory_of, self._running.home)))
            await asyncio.sleep(max(0.0, now + SAMPLE_SECONDS - time.monotonic()))

    def counted(self) -> dict[str, int]:
        """Of the accepted documents, those whose log has no creation or no outcome, and those with more than one."""
        password = (self._running.home / "fleet" / "postgres.password").read_text()
        url = f"host={self._running.home / 'run' / 'postgres'} user=eco password={password} dbname=postgres"
        with psycopg.connect(url) as connection:
            rows = connection.execute(
                "select d.id, count(*) filter (where l.type = 'compliance_document_created'),"
                " count(*) filter (where l.type in ('compliance_document_processed', 'compliance_document_failed'))"
                " from unnest(%s::text[]) d (id) left join kernel.log l on l.subject = d.id group by 1",
                (self.accepted,),
            ).fetchall()
        lost = sum(not (created and ended) for _, created, ended in rows)
        doubled = sum(created > 1 or ended > 1 for _, created, ended in rows)
        return {"accepted": len(self.accepted), "lost": lost, "doubled": doubled} | dict(self.refused)


def memory_of(home: Path) -> dict[str, int]:
    """Bytes by slot; a service together with its sandboxes, PostgreSQL with its backends."""
    state = orjson.loads((home / "state.json").read_bytes())
    found = {"supervisor": memory_bytes(state["pid"]) or 0}
    for process in state["processes"]:
        found[Path(process["log"]).stem] = memory_of_group(process["pid"]).total_bytes
    return found


def slope(samples: Sequence[tuple[float, int]]) -> dict[str, float]:
    """MB/h with the ends of its 95 % confidence, and the first and last mean in MB, over blocks of equal length."""
    size = len(samples) // BLOCKS
    blocks = [samples[start : start + size] for start in range(0, size * BLOCKS, size)]
    hours = [statistics.fmean(at for at, _ in block) / 3600 for block in blocks]
    means = [statistics.fmean(memory for _, memory in block) / MB for block in blocks]
    line = statistics.linear_regression(hours, means)
    left = sum((mean - line.slope * hour - line.intercept) ** 2 for hour, mean in zip(hours, means, strict=True))
    spread = sum((hour - statistics.fmean(hours)) ** 2 for hour in hours)
    error = STUDENT * (left / (BLOCKS - 2) / spread) ** 0.5
    found = {
        "slope": line.slope, "lower": line.slope - error, "upper": line.slope + error,
        "first_mb": means[0], "last_mb": means[-1],
    }  # fmt: skip
    return {name: round(value, 2) for name, value in found.items()}


def report(soak: Soak, minutes: float, rate: float) -> bool:
    kept = soak.samples[round(len(soak.samples) * WARM_UP) :]
    slots = [slot for slot in kept[0][1] if slot not in ENGINES]
    series = {"all_of_ours": [(at, sum(memory[slot] for slot in slots)) for at, memory in kept]}
    series |= {slot: [(at, memory.get(slot, 0)) for at, memory in kept] for slot in kept[0][1]}
    slopes = {name: slope(found) for name, found in series.items()}
    settings = {"minutes": minutes, "documents_per_second": round(rate, 2), "load": LOAD, "sample_seconds": 5}
    holds = True
    for name in ("all_of_ours", *slots):
        shown = {"ours": slopes[name]["lower"], "baseline": 0.0}
        engines = {slot: slopes[slot] for slot in ENGINES if slot in slopes} if name == "all_of_ours" else {}
        holds &= closing_line(
            "soak", f"memory_{name}", "MB/h", "lower", [shown], BAR_MB_PER_HOUR, settings, bar_on="ours",
            memory=slopes[name], **({"engines": engines} if engines else {}),
        )  # fmt: skip
    thirds = sorted(soak.latencies)
    third = len(thirds) // 3
    last, first = (statistics.median(late for _, late in part) for part in (thirds[-third:], thirds[:third]))
    counted = soak.counted()
    holds &= closing_line(
        "soak", "latency_last_third", "s", "lower", [{"ours": last, "baseline": first}], LATENCY_BAR, settings,
        counted=counted,
    )  # fmt: skip
    clean = counted["lost"] == counted["doubled"] == 0
    print(f"counted: {counted}; {'none lost, none doubled' if clean else 'LOST OR DOUBLED'}")
    return holds and clean


async def measure(running: Platform, integrators: list[tuple[str, str]], minutes: float) -> bool:
    clients = [AsyncEcosystem(running.edge_url, name, secret, ca=running.edge_ca) for name, secret in integrators]
    documents = pdfs()
    try:
        await peak(clients, documents)
        bears = await peak(clients, documents)
        print(f"peak: {bears:.1f} documents/s with {CLIENTS} clients", file=sys.stderr)
        soak = Soak(running, clients, documents)
        await soak.load(LOAD * bears, minutes * 60)
    finally:
        for client in clients:
            await client.close()
    return report(soak, minutes, LOAD * bears)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="at half load (default: 30; at least 2)")
    parser.add_argument("--rounds", type=int, default=1, help="taken from `eco bench`; a soak has one")
    minutes: float = parser.parse_args().minutes
    if minutes < 2:
        parser.error("a line through less than two minutes says nothing")
    with fleet() as running:
        return 0 if asyncio.run(measure(running, credentials(running), minutes)) else 1


if __name__ == "__main__":
    sys.exit(main())
