"""Machine-readable zones under simulated noise of OCR and under forgery: what is read right, and confidently wrong.

`noise`: zones written by the book, up to three of nine confusions each. `forged`: one digit of a clean zone replaced by
another; each must be found as a wrong check digit or a doubt. The bars are shares of fields and of zones.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from datetime import date
from typing import Any

from ecosystem.services.creditx.reading.mrz.building import MachineReadableZone
from ecosystem.services.creditx.reading.mrz.values import values_of
from ecosystem.services.creditx.reading.mrz.zones import find_mrz
from tests.services.creditx.reading.mrz.noise import NOISES, forged
from tests.services.creditx.reading.mrz.writer import Paper, as_lines, some_paper, written

TODAY = date(2026, 11, 25)
RIGHT_BAR, CONFIDENTLY_WRONG_BAR = 0.98, 0.002
CONFIDENT = 0.9
ZONES_A_ROUND = 1_000


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7, help=f"of {ZONES_A_ROUND} zones a case (default: 7)")
    arguments = parser.parse_args()
    chance, zones = random.Random(arguments.seed), arguments.rounds * ZONES_A_ROUND
    good = noise(chance, zones)
    good = forgeries(chance, zones) and good
    return 0 if good else 1


def noise(chance: random.Random, zones: int) -> bool:
    fields = right = confident = wrong = 0
    seconds = 0.0
    for _ in range(zones):
        paper = some_paper(chance)
        lines = as_lines(noisy(paper, chance))
        started = time.perf_counter()
        found = find_mrz(lines)
        seconds += time.perf_counter() - started
        read = values_by_name(found)
        for name, truth in paper.values().items():
            value = read.get(name, {"value": None, "confidence": 0.0})
            sure, same = value["confidence"] >= CONFIDENT, value["value"] == truth
            fields, right, confident, wrong = fields + 1, right + same, confident + sure, wrong + (sure and not same)
    holds = right / fields >= RIGHT_BAR and wrong / fields <= CONFIDENTLY_WRONG_BAR
    report("noise", holds, fields=fields, right=right / fields, confident=confident / fields,
           confidently_wrong=wrong / fields, ms_a_zone=1000 * seconds / zones)  # fmt: skip
    return holds


def noisy(paper: Paper, chance: random.Random) -> list[str]:
    lines = written(paper)
    names = chance.choices(sorted(NOISES), k=chance.randint(0, 3))
    for name in sorted(names, key=lambda name: name == "joined"):
        lines = NOISES[name](lines, chance)
    return lines


def forgeries(chance: random.Random, zones: int) -> bool:
    unnoticed = doubts = 0
    for _ in range(zones):
        found = find_mrz(as_lines(forged(some_paper(chance), chance)))
        wrong = len(found) == 1 and not all(found[0].checks.values())
        doubtful = len(found) == 1 and not wrong and bool(found[0].doubts)
        doubts, unnoticed = doubts + doubtful, unnoticed + (not wrong and not doubtful)
    report("forged", unnoticed == 0, zones=zones, unnoticed=unnoticed, found_as_doubt=doubts / zones)
    return unnoticed == 0


def values_by_name(zones: Sequence[MachineReadableZone]) -> dict[str, dict[str, Any]]:
    return {value["name"]: value for zone in zones for value in values_of(zone, today=TODAY)}


def report(case: str, holds: bool, **figures: float) -> None:
    rounded = {name: round(value, 6) for name, value in figures.items()}
    print(json.dumps({"benchmark": "zones", "case": case, "holds": holds} | rounded), flush=True)


if __name__ == "__main__":
    sys.exit(main())
