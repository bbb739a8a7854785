"""Overload: outcomes a second at three times the load that the platform can bear, beside its peak in the same round.

Peak: 8 clients, each sends its next document when the one before has its outcome. Overload: documents are sent at
three times that rate, whatever becomes of those before; a refusal (429, 503) is not repeated. Goodput counts outcomes
in the same span of time. After each round: how long until one document is again as quick as before, within half.

The documents are made beforehand and come in turns: making one takes as much of a processor as reading it, and three
times as many are sent under overload as at the peak.
"""

import asyncio
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice

from benchmarks._report import closing_line, rounds_from_command_line
from benchmarks.document import fleet, pdfs
from ecosystem.cli.login import first_administrator
from ecosystem.cli.operator import Platform
from ecosystem_client import ApiError, AsyncEcosystem, EcosystemFailure, Retries

BAR, NORMAL_SECONDS = 0.8, 30.0
CLIENTS, PEAK_SECONDS, OVERLOAD_SECONDS, TIMES = 8, 6.0, 8.0, 3
COMPANIES, DOCUMENTS = 4, 200


async def one(ecosystem: AsyncEcosystem, pdf: bytes, counted: Counter[str], ends_at: float) -> None:
    try:
        received = await ecosystem.documents.upload(pdf, name="document.pdf")
        await ecosystem.documents.follow(received.document_id)
    except EcosystemFailure as failure:
        counted[str(failure.status) if isinstance(failure, ApiError) else type(failure).__name__] += 1
        return
    counted["outcomes" if time.monotonic() <= ends_at else "later"] += 1


async def peak(clients: list[AsyncEcosystem], documents: Iterator[bytes]) -> float:
    counted: Counter[str] = Counter()
    ends_at = time.monotonic() + PEAK_SECONDS

    async def go_on(number: int) -> None:
        while time.monotonic() < ends_at:
            await one(clients[number % len(clients)], next(documents), counted, ends_at)

    await asyncio.gather(*(go_on(number) for number in range(CLIENTS)))
    return counted["outcomes"] / PEAK_SECONDS


async def overload(
    clients: list[AsyncEcosystem], documents: Iterator[bytes], rate: float
) -> tuple[float, Counter[str]]:  # fmt: skip
    """Outcomes a second while `rate` documents a second are sent, and what became of all of them."""
    counted: Counter[str] = Counter()
    began = time.monotonic()
    ends_at = began + OVERLOAD_SECONDS
    tasks = []
    for number in range(round(rate * OVERLOAD_SECONDS)):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        if time.monotonic() > ends_at:
            break
        tasks.append(asyncio.create_task(one(clients[number % len(clients)], next(documents), counted, ends_at)))
    counted["sent"] = len(tasks)
    await asyncio.sleep(max(0.0, ends_at - time.monotonic()))
    goodput = counted["outcomes"] / OVERLOAD_SECONDS
    await asyncio.gather(*tasks)
    return goodput, counted


async def quick(client: AsyncEcosystem, documents: Iterator[bytes]) -> float:
    """Seconds of one document alone: the median of five."""
    found = []
    for _ in range(5):
        began = time.perf_counter()
        received = await client.documents.upload(next(documents), name="document.pdf")
        await client.documents.follow(received.document_id)
        found.append(time.perf_counter() - began)
    return statistics.median(found)


async def until_normal(client: AsyncEcosystem, documents: Iterator[bytes], usual_seconds: float) -> float:
    began = time.monotonic()
    while await quick(client, documents) > 1.5 * usual_seconds and time.monotonic() - began < 2 * NORMAL_SECONDS:
        pass
    return time.monotonic() - began


async def measure(platform: Platform, integrators: list[tuple[str, str]], rounds: int) -> bool:
    once = Retries(attempts_max=1)
    clients = [
        AsyncEcosystem(platform.edge_url, name, secret, ca=platform.edge_ca, retries=once)
        for name, secret in integrators
    ]
    documents, figures, normal, everything = cycle(list(islice(pdfs(), DOCUMENTS))), [], [], Counter[str]()
    await quick(clients[0], documents)
    for _ in range(rounds):
        usual = await quick(clients[0], documents)
        best = await peak(clients, documents)
        goodput, counted = await overload(clients, documents, TIMES * best)
        normal.append(await until_normal(clients[0], documents, usual))
        everything += counted
        figures.append({"ours": goodput, "baseline": best})
        print(f"peak {best:.1f}/s, at {TIMES} times {goodput:.1f}/s, normal after {normal[-1]:.1f} s, {dict(counted)}")
    for client in clients:
        await client.close()
    settings = {"times": TIMES, "companies": len(clients), "fsync": "on", "overload_seconds": OVERLOAD_SECONDS}
    held = closing_line(
        "overload", "goodput", "outcomes/s", "higher", figures, BAR, settings,
        normal_after_seconds=round(max(normal), 1), normal_bar_seconds=NORMAL_SECONDS, counted=dict(everything),
    )  # fmt: skip
    return held and max(normal) <= NORMAL_SECONDS


def credentials(running: Platform) -> list[tuple[str, str]]:
    """(client id, secret) of an integrator of each of some new companies."""
    made = []
    with running.connect(first_administrator(running)) as administrator:
        for number in range(COMPANIES):
            company = administrator.companies.create(
                f"Benchmark {number}", region="eu", time_zone="Europe/Zurich", locale="en_GB", currency="CHF"
            )
            client = administrator.clients.create("bench", roles=["integrator"], company_id=company.company_id)
            made.append((client.client_id, str(client.client_secret)))
    return made


def main() -> int:
    rounds = rounds_from_command_line(__doc__ or "")
    with fleet() as running:
        return 0 if asyncio.run(measure(running, credentials(running), rounds)) else 1


if __name__ == "__main__":
    sys.exit(main())
