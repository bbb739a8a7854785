"""Machine-readable zones among the lines of a document. Source: ICAO Doc 9303-3 to 9303-7.

Every way to read the lines that the types of the elements allow is tried; the one whose check digits prove most with
the least repair is the zone. Effort is bounded: hostile lines cost a few seconds at most and yield nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ecosystem.services.creditx.reading.mrz import arranging, fitting
from ecosystem.services.creditx.reading.mrz.building import MachineReadableZone, Reading, build
from ecosystem.services.creditx.reading.mrz.lines import Line, Row, rows_of

_BUILDS_MAX = 4_000
_ROWS_WITH_CORE_MAX = 400
_ZONES_MAX = 50
_COST_MAX = 16


@dataclass
class _Effort:
    builds_left: int = _BUILDS_MAX
    rows_left: int = _ROWS_WITH_CORE_MAX


def find_mrz(lines: Iterable[Line]) -> list[MachineReadableZone]:
    """The zones of a document in the order of its pages, from top to bottom.

    A zone whose check digits are wrong is reported as such (`checks`); a text that only looks similar is not reported.
    A line of names that was not read is empty in `lines`: then every check digit must be right.
    """
    zones: list[MachineReadableZone] = []
    effort = _Effort()
    for rows in rows_of(lines):
        found = [reading for at in range(len(rows)) if (reading := _best_at(rows, at, effort))]
        used: set[int] = set()
        for reading in sorted(found, key=lambda reading: -reading.score):
            if not used & set(reading.rows) and len(zones) < _ZONES_MAX:
                used |= set(reading.rows)
                zones.append(reading.zone)
    return sorted(zones, key=lambda zone: (zone.page, zone.box[1]))


def _best_at(rows: list[Row], at: int, effort: _Effort) -> Reading | None:
    """The best reading whose line with the dates is row `at`."""
    best: Reading | None = None
    for text in rows[at].texts[: arranging.TEXTS_MAX]:
        for card, arrangements in ((False, arranging.pairs), (True, arranging.cards)):
            cores = fitting.cores(text, card=card)
            if cores and effort.rows_left <= 0:
                return best
            effort.rows_left -= bool(cores)
            for core in cores:
                for arrangement in arrangements(rows, at, text, core):
                    if arrangement.cost > _COST_MAX or effort.builds_left <= 0:
                        continue
                    effort.builds_left -= 1
                    reading = build(arrangement)
                    if reading and (best is None or reading.score > best.score):
                        best = reading
    return best
