"""Machine-readable zones among the lines of a document. Source: ICAO Doc 9303-3 to 9303-7.

Every way to read the lines that the types of the elements allow is tried; the one whose check digits prove most with
the least repair is the zone. Effort is bounded: hostile lines cost a second at most and yield nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ecosystem.services.creditx.reading.mrz import fitting, states
from ecosystem.services.creditx.reading.mrz.building import Element, MachineReadableZone, Reading, build
from ecosystem.services.creditx.reading.mrz.fitting import Core
from ecosystem.services.creditx.reading.mrz.formats import MRV_A, MRV_B, TD1, TD2, TD3, Format
from ecosystem.services.creditx.reading.mrz.lines import Line, Row, rows_of

_BUILDS_MAX = 4_000
_ROWS_WITH_CORE_MAX = 400
_TEXTS_MAX = 4
_ZONES_MAX = 50
_FIRST_LETTER = {
    "P": "P", "F": "P", "R": "P", "V": "V", "Y": "V", "I": "I", "1": "I", "L": "I", "T": "I", "J": "I", "A": "A",
    "4": "A", "C": "C", "G": "C", "O": "C", "0": "C",
}  # fmt: skip
_OF_LETTER: dict[str, tuple[Format, ...]] = {"P": (TD3,), "V": (MRV_A, MRV_B), "I": (TD2,), "A": (TD2,), "C": (TD2,)}
_HEAD_CHARACTERS = 10


@dataclass
class _Effort:
    builds_left: int = _BUILDS_MAX
    rows_left: int = _ROWS_WITH_CORE_MAX


def find_mrz(lines: Iterable[Line]) -> list[MachineReadableZone]:
    """The zones of a document in the order of its pages, from top to bottom.

    A zone whose check digits are wrong is reported as such (`checks`); a text that only looks similar is not reported.
    """
    zones: list[MachineReadableZone] = []
    effort = _Effort()
    for rows in rows_of(lines):
        found = [reading for at in range(len(rows)) for reading in _best_at(rows, at, effort)]
        used: set[int] = set()
        for reading in sorted(found, key=lambda reading: -reading.score):
            if not used & set(reading.rows) and len(zones) < _ZONES_MAX:
                used |= set(reading.rows)
                zones.append(reading.zone)
    return sorted(zones, key=lambda zone: (zone.page, zone.box[1]))


def _best_at(rows: list[Row], at: int, effort: _Effort) -> Iterator[Reading]:
    """The best reading whose line with the dates is row `at`."""
    best: Reading | None = None
    for text in rows[at].texts[:_TEXTS_MAX]:
        for card in (False, True):
            found = fitting.cores(text, card=card)
            if found and effort.rows_left <= 0:
                return
            effort.rows_left -= bool(found)
            for core in found:
                for reading in _cards(rows, at, text, core, effort) if card else _pairs(rows, at, text, core, effort):
                    if best is None or reading.score > best.score:
                        best = reading
    if best is not None:
        yield best


@dataclass(frozen=True)
class _Neighbour:
    """A line beside the one with the dates: its text, its row, and what it costs to believe that they are one zone."""

    text: str
    row: Row
    number: int
    cost: float


def _neighbours(rows: list[Row], numbers: tuple[int, ...]) -> Iterator[_Neighbour]:
    for distance, number in enumerate(numbers):
        if 0 <= number < len(rows):
            for order, text in enumerate(rows[number].texts[:_TEXTS_MAX]):
                yield _Neighbour(text, rows[number], number, distance + 0.1 * order)


def _pairs(rows: list[Row], at: int, text: str, core: Core, effort: _Effort) -> Iterator[Reading]:
    """Readings of two lines; both may stand in one text."""
    row, joined = rows[at], core.start - _HEAD_CHARACTERS
    firsts: Iterable[_Neighbour]
    if joined >= 20:
        firsts = [_Neighbour(text[:joined], row.part(0, 2), at, 0.0)]
        head, row = fitting.head_of(text[joined : core.start]), row.part(1, 2)
    else:
        firsts, head = _neighbours(rows, (at - 1, at - 2)), fitting.head_of(text[: core.start])
    if head is None:
        return
    number, digit, head_cost, guessed = head
    nationality = states.repaired(core.elements["nationality"])
    for first in firsts:
        for code, state, names, cost in fitting.code_and_state(first.text, nationality):
            letter = _FIRST_LETTER.get(code[0])
            for format_ in _OF_LETTER.get(letter or "", ()):
                checks = ("optional_check" in format_.places) + ("composite_check" in format_.places)
                tail, tail_cost = fitting.tail_of(text[core.end :], format_.length - 28, checks)
                elements = core.elements | {
                    "code": f"{letter}{code[1:]}", "issuing_state": state, "names": names, "document_number": number,
                    "document_number_check": digit, "optional": tail[: len(tail) - checks],
                }  # fmt: skip
                elements |= {"optional_check": tail[-2]} if checks == 2 else {}
                elements |= {"composite_check": tail[-1]} if checks else {}
                total = core.cost + head_cost + tail_cost + cost + first.cost + (letter != code[0])
                total += 0.25 * abs(len(first.text) - format_.length)
                numbers = (first.number, at)
                yield from _built(format_, elements, (first.row, row), numbers, total, guessed, effort)


def _cards(rows: list[Row], at: int, text: str, core: Core, effort: _Effort) -> Iterator[Reading]:
    """Readings of three lines; two or all may stand in one text."""
    row = rows[at]
    above = [_Neighbour(text[: core.start], row.part(0, 3), at, 0.0)] if core.start >= 24 else None
    behind = text[core.start + TD1.length :]
    below = [_Neighbour(behind, row.part(2, 3), at, 0.0)] if len(behind) >= 16 else None
    tail_text = text[core.end : core.start + TD1.length if below else None]
    tail, tail_cost = fitting.tail_of(tail_text, 12, 1)
    nationality = states.repaired(core.elements["nationality"])
    start_cost = 0.0 if above else 0.5 * core.start
    for first in above or _neighbours(rows, (at - 1,)):
        for third in below or _neighbours(rows, (at + 1,)):
            for code, state, rest, cost in fitting.code_and_state(first.text, nationality):
                letter = _FIRST_LETTER.get(code[0])
                if letter not in ("I", "A", "C") or len(rest) < 10:
                    continue
                for number, digit, optional, number_cost, guessed in fitting.card_number(rest):
                    elements: dict[str, str] = core.elements | {
                        "code": f"{letter}{code[1:]}", "issuing_state": state, "document_number": number,
                        "document_number_check": digit, "optional": optional, "optional_2": tail[:-1],
                        "composite_check": tail[-1], "names": third.text,
                    }  # fmt: skip
                    total = core.cost + tail_cost + cost + number_cost + first.cost + third.cost + start_cost
                    total += (letter != code[0]) + 0.1 * abs(len(third.text) - TD1.length)
                    numbers = (first.number, at, third.number)
                    yield from _built(TD1, elements, (first.row, row, third.row), numbers, total, guessed, effort)


def _built(
    format_: Format, elements: dict[Element, str], rows: tuple[Row, ...], numbers: tuple[int, ...], cost: float,
    guessed: bool, effort: _Effort,
) -> Iterator[Reading]:  # fmt: skip
    if effort.builds_left <= 0 or cost > 16:
        return
    effort.builds_left -= 1
    reading = build(format_, elements, rows, numbers, cost, number_guessed=guessed)
    if reading is not None:
        yield reading
