"""Repair: single faults on a platform under light load; when each has its incident, and when all is well again.

`eco chaos run` carries out a written schedule: first a stretch in which nothing is done, so that whatever is told then
is a false alarm; then seven rounds of four faults, one after the other, each kind in its turn (replicas, engines, the
supervisor, a restart of the server), and at the end a full disk and a writing transaction that stays open. Two replicas
of every service; targets by the seed. An incident counts from when monitoring-service has it; time in which the
database is down does not count.

Bars on our own figures: detection (15 s, each round's slowest), repair (60 s, the time within which nobody is paged;
each round's slowest), false alarms (none), repaired without a person (at least 95 %), and what was not told rightly
(none). The clock of each fault starts at its injection; there is nothing else to compare with, so the baseline is 1.
"""

import itertools
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks._report import Better, closing_line, rounds_from_command_line
from ecosystem.catalog import CATALOG

SEED, QUIET_SECONDS, FAULTS_OF_ROUND = 17, 45.0, 4
KINDS = {
    "kill-service": 5.0, "kill-database": 9.0, "kill-cache": 5.0, "kill-replicas": 6.0, "kill-edge": 5.0,
    "restart-database": 9.0, "kill-zygote": 6.0, "kill-supervisor": 14.0,
}  # fmt: skip
"""Each with the seconds until the next fault: long enough for its repair on two cores."""
LONG = {"fill-disk": 12.0, "hold-transaction": 22.0}
NEVER_SECONDS = 3600.0
WRONG = ("undetected", "misnamed", "unrecorded", "paged_needlessly", "stuck")


def schedule(rounds: int) -> tuple[list[dict[str, Any]], list[float]]:
    """The faults, and when each round begins."""
    chance, at = random.Random(SEED), QUIET_SECONDS
    services = sorted(entry.short_name for entry in CATALOG)
    kinds: Iterator[str] = itertools.cycle(KINDS)
    faults, begins = [], []
    for _ in range(rounds):
        begins.append(at)
        for kind in itertools.islice(kinds, FAULTS_OF_ROUND):
            service, replica = chance.choice(services), chance.randint(1, 2)
            target = {"kill-service": f"{service}-{replica}", "kill-replicas": service}.get(kind, "")
            faults.append({"at_seconds": round(at, 2), "kind": kind, "target": target})
            at += KINDS[kind] * chance.uniform(0.9, 1.1)
    for kind, seconds in LONG.items():
        faults.append({"at_seconds": round(at, 2), "kind": kind, "seconds": seconds})
        at += seconds + 8
    return faults, begins


def run(faults: list[dict[str, Any]]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "schedule.json"
        file.write_text(json.dumps({"faults": faults}))
        minutes = (faults[-1]["at_seconds"] + faults[-1]["seconds"]) / 60
        command = [sys.executable, "-m", "ecosystem", "chaos", "run", "--schedule", str(file), "--seed", str(SEED),
                   "--minutes", f"{minutes:.2f}", "--rate", "0.25", "--json"]  # fmt: skip
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit("the campaign did not run")
    return dict(json.loads(done.stdout))


def slowest(timed: list[dict[str, Any]], begins: list[float]) -> list[dict[str, float]]:
    """Of each round the slowest; the long faults behind the last one count to it."""
    found = []
    for begin, end in itertools.pairwise([*begins, float("inf")]):
        of_round = [one["seconds"] for one in timed if begin <= one["at_seconds"] < end]
        found.append({"ours": max(of_round, default=NEVER_SECONDS), "baseline": 1.0})
    return found


def spread(timed: list[dict[str, Any]]) -> dict[str, Any]:
    """Median, 95th percentile and most, of all and by kind."""
    ordered = sorted(one["seconds"] for one in timed)
    if not ordered:
        return {}
    kinds = sorted({one["kind"] for one in timed})
    return {
        "median": round(median(ordered), 2), "p95": ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))],
        "max": ordered[-1],
        "by_kind": {kind: round(median(one["seconds"] for one in timed if one["kind"] == kind), 2) for kind in kinds},
    }  # fmt: skip


def main() -> int:
    faults, begins = schedule(rounds_from_command_line(__doc__ or ""))
    told = run(faults)
    settings = {"seed": SEED, "faults": told["faults"], "quiet_seconds": QUIET_SECONDS, "replicas": 2}

    def bar(case: str, unit: str, figures: list[dict[str, float]], limit: float, better: Better, **more: Any) -> bool:
        return closing_line("repair", case, unit, better, figures, limit, settings, bar_on="ours", **more)

    elapsed = [one | {"seconds": one["elapsed_seconds"]} for one in told["detected"]]
    wrong = [sentence for verdict in WRONG for sentence in told["wrong"][verdict]]
    holds = [
        bar("detection", "s", slowest(told["detected"], begins), 15.0, "lower", spread=spread(told["detected"]),
            with_time_in_which_nobody_could_write=spread(elapsed)),
        bar("repaired", "s", slowest(told["repaired"], begins), 60.0, "lower", spread=spread(told["repaired"])),
        bar("false_alarms", "incidents", once(len(told["unexplained"])), 0, "lower", told=told["unexplained"]),
        bar("repaired_by_itself", "%", once(told["repaired_by_itself_percent"]), 95, "higher", pages=told["pages"]),
        bar("told_wrongly", "faults", once(len(wrong)), 0, "lower", told=wrong, needed=told["faults_that_need_one"]),
    ]  # fmt: skip
    return 0 if all(holds) else 1


def once(figure: float) -> list[dict[str, float]]:
    return [{"ours": figure, "baseline": 1.0}]


if __name__ == "__main__":
    sys.exit(main())
