"""Boot: the time until the whole platform is ready, against PostgreSQL's own start plus one process that imports.

Baseline, in the same rounds, each alone: a PostgreSQL of the same wheel and settings (warm: an existing cluster;
`initdb` is no part of it in either case), and one Python that imports a fixed list of the libraries we stand on.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks._report import closing_line, rounds_from_command_line
from ecosystem.catalog import CATALOG
from ecosystem.fleet.engines.found import find_postgres
from ecosystem.fleet.engines.postgres import Postgres
from ecosystem.fleet.home import Home
from ecosystem.fleet.processes import unprivileged_account

IMPORTS = (
    "fastapi, uvicorn, uvloop, grpc, sqlalchemy, psycopg, redis, pydantic, structlog, cryptography.x509, obstore, "
    "opentelemetry.sdk.trace"
)
MEMORY_BYTES_MAX = 700 * 2**20
WARM_BAR, EMPTY_BAR = 2.2, 4.0


@contextmanager
def short_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="eco-boot-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def eco(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ECO_")}
    done = subprocess.run(
        [sys.executable, "-m", "ecosystem", *arguments], env=environ | {"ECO_HOME": str(home)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"eco {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done


def cpu_seconds(state: dict[str, Any]) -> float:
    """What the supervisor and everything it started have used so far."""
    ticks = 0
    for pid in (state["pid"], *(process["pid"] for process in state["processes"])):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def boot(home: Path) -> tuple[float, float]:
    """(seconds from the command to its answer that all is ready, CPU seconds of all processes)."""
    started = time.perf_counter()
    state = json.loads(eco(home, "up", "--json").stdout)
    return time.perf_counter() - started, cpu_seconds(state)


def memory_at_rest(home: Path) -> int:
    state = json.loads(eco(home, "status", "--json").stdout)
    return sum(process["memory_bytes"] or 0 for process in state["processes"])


def postgres_alone(engine: Postgres, log: int) -> float:
    started = time.perf_counter()
    server = engine.start(log)
    while not engine.is_ready(server.pid):
        time.sleep(0.002)
    seconds = time.perf_counter() - started
    server.send_signal(signal.SIGINT)
    server.wait(30)
    return seconds


def import_alone() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {IMPORTS}"], check=True)
    return time.perf_counter() - started


def a_cluster(folder: Path, log: int) -> Postgres:
    home = Home(folder / "alone", unprivileged_account())
    home.prepare()
    engine = Postgres(home, find_postgres(None), 400)
    made = engine.begin_initdb(log)
    engine.finish_initdb(made.wait() if made else 0)
    return engine


def main() -> int:
    count = rounds_from_command_line(str(__doc__))
    warm: list[dict[str, float]] = []
    empty: list[dict[str, float]] = []
    cpu: dict[str, list[float]] = {"warm": [], "empty": []}
    with short_folder() as folder, (folder / "alone.log").open("wb") as log:
        alone = a_cluster(folder, log.fileno())
        kept = folder / "kept"
        boot(kept)
        memory = memory_at_rest(kept)
        eco(kept, "down")
        for number in range(count):
            baseline = postgres_alone(alone, log.fileno()) + import_alone()
            for case, rounds, home in (("warm", warm, kept), ("empty", empty, folder / f"empty-{number}")):
                seconds, used = boot(home)
                eco(home, "down")
                rounds.append({"ours": seconds, "baseline": baseline})
                cpu[case].append(used)
            print(f"round {number + 1}: baseline {baseline:.2f} s, warm {warm[-1]['ours']:.2f}, "
                  f"empty {empty[-1]['ours']:.2f}", file=sys.stderr)  # fmt: skip
    return report(warm, empty, cpu, memory)


def report(
    warm: list[dict[str, float]], empty: list[dict[str, float]], cpu: dict[str, list[float]], memory: int
) -> int:
    settings = {
        "services": len(CATALOG), "fsync": True, "mtls": True, "imports": IMPORTS,
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }  # fmt: skip
    good = memory <= MEMORY_BYTES_MAX
    for case, rounds, bar in (("warm", warm, WARM_BAR), ("empty", empty, EMPTY_BAR)):
        seconds = [round(value, 2) for value in cpu[case]]
        more: dict[str, Any] = {
            "cpu_seconds": seconds,
            "memory_at_rest_mb": round(memory / 2**20),
            "memory_mb_max": 700,
        }
        good = closing_line("boot", case, "s", "lower", rounds, bar, settings, **more) and good
    if memory > MEMORY_BYTES_MAX:
        print(f"memory at rest is {memory / 2**20:.0f} MB, at most 700 MB are wanted", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
