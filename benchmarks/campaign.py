"""Campaign: ten minutes of seeded faults over a platform with two replicas of everything, under open-loop load.

Bars on our own figures: promises broken (lost, doubled, leaked, stuck, and messages that never arrived, have two ids or
that nobody asked for: none), faults (at least 100); and, in three
minutes in which only replicas of services are killed: requests that clients saw fail, none of which they repeat (GET,
and POST up to 1 MiB with an Idempotency-Key: none), and the median until a killed replica is replaced (below 2 s).
There is nothing to compare with, so the baseline is 1.
"""

import json
import subprocess
import sys
from typing import Any

from benchmarks._report import closing_line, rounds_from_command_line

SEED, MINUTES, KILL_MINUTES = 11, 10, 3
VERDICTS = ("lost", "doubled", "leaked", "stuck", "undelivered", "unstable", "unasked")


def campaign(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "ecosystem", "chaos", "run", *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit("the campaign did not run")
    return dict(json.loads(done.stdout))


def bar(case: str, unit: str, figure: float, limit: float, better: Any, settings: dict[str, Any], **more: Any) -> None:
    rounds = [{"ours": figure, "baseline": 1.0}]
    closing_line("campaign", case, unit, better, rounds, limit, settings, bar_on="ours", **more)


def main() -> None:
    rounds_from_command_line(__doc__ or "")
    long = campaign("--seed", str(SEED), "--minutes", str(MINUTES))
    settings: dict[str, Any] = {"seed": SEED, "minutes": MINUTES, "replicas": 2}
    told = {name: long[name] for name in ("injected", "impossible", "repair_seconds", "longest_unavailable_seconds",
                                          "requests", "failed", "documents", "messages", "wrong", "above")}  # fmt: skip
    broken = sum(long[verdict] for verdict in VERDICTS) + len(long["above"])
    bar("promises", "broken", broken, 0, "lower", settings, **told)
    bar("faults", "injected", long["faults"], 100, "higher", settings)
    kills = campaign("--seed", str(SEED), "--minutes", str(KILL_MINUTES), "--kinds", "kill-service")
    settings = {"seed": SEED, "minutes": KILL_MINUTES, "kinds": ["kill-service"], "kills": kills["service_kills"]}
    bar("service_killed", "failed requests", kills["failed_directly"], 0, "lower", settings, failures=kills["failures"])
    bar("service_back", "s", kills["service_back_seconds"] or 0.0, 2.0, "lower", settings)


if __name__ == "__main__":
    main()
