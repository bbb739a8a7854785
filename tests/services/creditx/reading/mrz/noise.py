"""What readers of pixels make of a zone: each confusion by name, applied to clean lines by a seeded chance."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from ecosystem.services.creditx.reading.mrz.lines import Line
from tests.services.creditx.reading.mrz.writer import Paper, written

Noise = Callable[[list[str], random.Random], list[str]]

_LETTER_FOR_DIGIT = {"0": "OODQ", "1": "IIl", "2": "Z", "5": "S", "6": "G", "8": "B"}
_DIGIT_FOR_LETTER = {"O": "0", "D": "0", "Q": "0", "I": "1", "Z": "2", "S": "5", "G": "6", "B": "8"}
_FILLER_READ_AS = "KXCck«‹({L "


def _one(lines: list[str], chance: random.Random, table: dict[str, str]) -> list[str]:
    places = [(row, at) for row, line in enumerate(lines) for at, char in enumerate(line) if char in table]
    if not places:
        return lines
    row, at = chance.choice(places)
    return _replaced(lines, row, at, chance.choice(table[lines[row][at]]))


def _replaced(lines: list[str], row: int, at: int, by: str) -> list[str]:
    line = lines[row]
    return [*lines[:row], line[:at] + by + line[at + 1 :], *lines[row + 1 :]]


def digit_as_letter(lines: list[str], chance: random.Random) -> list[str]:
    return _one(lines, chance, _LETTER_FOR_DIGIT)


def letter_as_digit(lines: list[str], chance: random.Random) -> list[str]:
    return _one(lines, chance, _DIGIT_FOR_LETTER)


def filler_misread(lines: list[str], chance: random.Random) -> list[str]:
    return _one(lines, chance, {"<": _FILLER_READ_AS})


def run_misread(lines: list[str], chance: random.Random) -> list[str]:
    """The fillers at the end of one line, all read as one letter."""
    row = chance.randrange(len(lines))
    line = lines[row]
    name = line.rstrip("<")
    return [*lines[:row], name + chance.choice("KXC") * (len(line) - len(name)), *lines[row + 1 :]]


def fillers_dropped(lines: list[str], chance: random.Random) -> list[str]:
    return _at_filler(lines, chance, lambda line, at: line[:at] + line[at + chance.randint(1, 2) :].lstrip(" "))


def fillers_added(lines: list[str], chance: random.Random) -> list[str]:
    return _at_filler(lines, chance, lambda line, at: line[:at] + "<" * chance.randint(1, 3) + line[at:])


def _at_filler(lines: list[str], chance: random.Random, change: Callable[[str, int], str]) -> list[str]:
    """At a run of at least four fillers: that is where readers lose count."""
    places = [(row, at) for row, line in enumerate(lines) for at in range(len(line)) if line[at : at + 4] == "<<<<"]
    if not places:
        return lines
    row, at = chance.choice(places)
    return [*lines[:row], change(lines[row], at), *lines[row + 1 :]]


def lower_case(lines: list[str], chance: random.Random) -> list[str]:
    return [line.lower() for line in lines]


def spaces_between(lines: list[str], chance: random.Random) -> list[str]:
    row = chance.randrange(len(lines))
    at = chance.randrange(1, len(lines[row]))
    return [*lines[:row], lines[row][:at] + " " + lines[row][at:], *lines[row + 1 :]]


def joined(lines: list[str], chance: random.Random) -> list[str]:
    return ["".join(lines)]


def forged(paper: Paper, chance: random.Random) -> list[str]:
    """A clean zone in which one digit that a check digit covers, or a check digit, is another digit."""
    lines = written(paper)
    covered = 28 if paper.format.startswith("MRV") else len(lines[0])
    places = [(row, at) for row, line in enumerate(lines) for at, char in enumerate(line[:covered]) if char.isdigit()]
    row, at = chance.choice(places)
    return _replaced(lines, row, at, chance.choice([digit for digit in "0123456789" if digit != lines[row][at]]))


def in_pieces(lines: list[Line], chance: random.Random) -> list[Line]:
    """Each line cut into up to four pieces with boxes of their own, a little askew, in no order, with dust between."""
    pieces = []
    for line in lines:
        left, top, right, bottom = line.box
        each = (right - left) / len(line.text)
        cuts = sorted({0, len(line.text), *(chance.randrange(1, len(line.text)) for _ in range(chance.randint(0, 3)))})
        for start, end in pairwise(cuts):
            lower = chance.uniform(-3, 3)
            box = (left + start * each, top + lower, left + end * each, bottom + lower)
            pieces.append(replace(line, text=line.text[start:end], box=box))
    pieces.append(Line("Unterschrift des Inhabers", 1, (100.0, 600.0, 400.0, 625.0), 0.99))
    pieces.append(Line(".", 1, (60.0, 700.0, 64.0, 704.0), 0.5))
    chance.shuffle(pieces)
    return pieces


NOISES: dict[str, Noise] = {
    noise.__name__: noise
    for noise in (
        digit_as_letter, letter_as_digit, filler_misread, run_misread, fillers_dropped, fillers_added, lower_case,
        spaces_between, joined,
    )
}  # fmt: skip
