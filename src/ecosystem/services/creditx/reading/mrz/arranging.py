"""Which rows of a page may be the lines of one zone, and the elements that they then hold.

The line with the dates is known; the others stand above and below it, in the same text, or were not read.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ecosystem.services.creditx.reading.mrz import fitting, states
from ecosystem.services.creditx.reading.mrz.fitting import Core
from ecosystem.services.creditx.reading.mrz.formats import MRV_A, MRV_B, TD1, TD2, TD3, Format
from ecosystem.services.creditx.reading.mrz.lines import Row

TEXTS_MAX = 4
_FIRST_LETTER = {
    "P": "P", "F": "P", "R": "P", "V": "V", "Y": "V", "I": "I", "1": "I", "L": "I", "T": "I", "J": "I", "A": "A",
    "4": "A", "C": "C", "G": "C", "O": "C", "0": "C",
}  # fmt: skip
"""The letter that a zone may begin with, for each that it is read as."""
_OF_LETTER: dict[str, tuple[Format, ...]] = {"P": (TD3,), "V": (MRV_A, MRV_B), "I": (TD2,), "A": (TD2,), "C": (TD2,)}
_HEAD_CHARACTERS = 10
_LOST_COST, _LOST_COST_EXACT = 3.0, 8.0
_NAMES_LOST = {"code": "", "issuing_state": "", "names": ""}


@dataclass(frozen=True)
class Arrangement:
    """Elements as read, by name, and what it costs to believe in them. `rows` has one row for each line.

    `numbers` are the places of these rows on the page. `guessed`: a filler in the document number is a guess. `short`
    are the lines (from 0) that were read for themselves and with fewer characters than the format has, by their text.
    """

    format: Format
    elements: dict[str, str]
    rows: tuple[Row, ...]
    numbers: tuple[int, ...]
    cost: float
    guessed: bool
    short: dict[int, str] = field(default_factory=dict)


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
            for order, text in enumerate(rows[number].texts[:TEXTS_MAX]):
                yield _Neighbour(text, rows[number], number, distance + 0.1 * order)


def pairs(rows: list[Row], at: int, text: str, core: Core) -> Iterator[Arrangement]:
    """Two lines, of which `text` of row `at` is the second; the first may stand in the same text, or be lost."""
    row, joined = rows[at], core.start - _HEAD_CHARACTERS
    firsts: Iterable[_Neighbour] = _neighbours(rows, (at - 1, at - 2))
    head = fitting.head_of(text[: core.start])
    if joined >= 2 * _HEAD_CHARACTERS:
        firsts = [_Neighbour(text[:joined], row.part(0, 2), at, 0.0)]
        head, row = fitting.head_of(text[joined : core.start]), row.part(1, 2)
    if head is None:
        return
    tail = text[core.end :]
    nationality = states.repaired(core.elements["nationality"])
    for first in firsts:
        for start in fitting.starts(first.text, nationality, exact=first.row.exact):
            letter = _first_letter(start, first.row)
            for format_ in _OF_LETTER.get(letter, ()):
                elements, cost = _second_line(format_, core, head, tail)
                elements |= {"code": letter + start.code[1:], "issuing_state": start.state, "names": start.rest}
                cost += start.cost + first.cost + (letter != start.code[0])
                cost += 0.25 * abs(len(first.text) - format_.length)
                rows_, places = (first.row, row), (first.number, at)
                short = {} if first.number == at else _short(format_, first.text, text)
                yield Arrangement(format_, elements, rows_, places, cost, head.guessed, short)
    for format_ in (TD3, TD2):
        elements, cost = _second_line(format_, core, head, tail)
        short = {1: text} if joined < 2 * _HEAD_CHARACTERS and len(text) < format_.length else {}
        cost += _LOST_COST_EXACT if row.exact else _LOST_COST
        yield Arrangement(format_, elements | _NAMES_LOST, (row, row), (at,), cost, head.guessed, short)


def _first_letter(start: fitting.Start, row: Row) -> str:
    return start.code[0] if row.exact else _FIRST_LETTER.get(start.code[0], "")


def _short(format_: Format, *texts: str) -> dict[int, str]:
    return {line: text for line, text in enumerate(texts) if 0 < len(text) < format_.length}


def _second_line(format_: Format, core: Core, head: fitting.Head, tail: str) -> tuple[dict[str, str], float]:
    checks = ("optional_check" in format_.places) + ("composite_check" in format_.places)
    tail, cost = fitting.tail_of(tail, format_.length - 28, checks)
    elements = core.elements | {
        "document_number": head.number, "document_number_check": head.digit, "optional": tail[: len(tail) - checks],
    }  # fmt: skip
    if checks == 2:
        elements["optional_check"] = tail[-2]
    if checks:
        elements["composite_check"] = tail[-1]
    return elements, core.cost + head.cost + cost


def cards(rows: list[Row], at: int, text: str, core: Core) -> Iterator[Arrangement]:
    """Three lines, of which `text` of row `at` is the second; two or all may stand in one text, the last be lost."""
    row, before, behind = rows[at], text[: core.start], text[core.start + TD1.length :]
    joined = len(before) >= 2 * _HEAD_CHARACTERS
    firsts: Iterable[_Neighbour] = _neighbours(rows, (at - 1,))
    if joined:
        firsts = [_Neighbour(before, row.part(0, 3), at, 0.0)]
    thirds = [*_neighbours(rows, (at + 1,)), _Neighbour("", row, at, _LOST_COST)]
    end = None
    if len(behind) >= TD1.length // 2:
        thirds, end = [_Neighbour(behind, row.part(2, 3), at, 0.0)], core.start + TD1.length
    tail, tail_cost = fitting.tail_of(text[core.end : end], 12, 1)
    nationality = states.repaired(core.elements["nationality"])
    for first in firsts:
        for start in fitting.starts(first.text, nationality, exact=first.row.exact):
            letter = _first_letter(start, first.row)
            if letter not in ("I", "A", "C") or len(start.rest) < _HEAD_CHARACTERS:
                continue
            for head, optional in fitting.card_heads(start.rest):
                elements = core.elements | {
                    "code": letter + start.code[1:], "issuing_state": start.state, "document_number": head.number,
                    "document_number_check": head.digit, "optional": optional, "optional_2": tail[:-1],
                    "composite_check": tail[-1],
                }  # fmt: skip
                cost = core.cost + tail_cost + start.cost + head.cost + first.cost + (letter != start.code[0])
                cost += 0.0 if joined else 0.5 * core.start
                for third in thirds:
                    names = elements | {"names": third.text}
                    more = third.cost + 0.1 * abs(len(third.text) - TD1.length) * bool(third.text)
                    places = (first.number, at, third.number)
                    short = {} if joined or end else _short(TD1, first.text, text, third.text)
                    rows_ = (first.row, row, third.row)
                    yield Arrangement(TD1, names, rows_, places, cost + more, head.guessed, short)
