"""Elements of a zone, repaired by their type and proved by their check digits.

A digit never becomes another digit: whoever altered one is found. A repair that the type forces (a letter among
digits) is proved by the check digit. One that the type does not force, in a number of letters and digits, may explain
a wrong check digit as well as a forgery does: it is kept as a doubt. Source: ICAO Doc 9303-3, 4.9.
"""

import re
from dataclasses import dataclass

from ecosystem.services.creditx.reading.mrz.characters import (
    FILLER,
    LIKE_FILLER,
    UNTELLABLE,
    as_digits,
    changes,
    check_digit,
    digit_for,
    letter_for,
)  # fmt: skip

_BETWEEN_DIGITS = re.compile(r"(?<=\d)[GL](?=\d)")
_SUSPECT = re.compile(r"(?<=[A-Z])[61](?=[A-Z])|(?:CC|XX)$|\d[A-Z0-9]*[OQDISBZ][A-Z0-9]*[OQDISBZ]")
"""A digit among letters that has the value of its like; fillers read as letters; two letters that digits are read as,
behind a digit: their mistakes may cancel each other out."""
_LETTERS_FIRST = re.compile(r"[A-Z]{0,3}\d{4,}[A-Z]?")


@dataclass(frozen=True)
class Proved:
    """An element and its check digit after repair. `right`: the check digit agrees. `doubted`: only after a repair
    that nothing forced. `untellable`: holds a character that no check digit tells from its like."""

    text: str
    digit: str
    right: bool
    repaired: int = 0
    doubted: bool = False
    untellable: bool = False


def prove_date(raw: str, raw_digit: str, *, exact: bool) -> Proved:
    """A date of six digits; unknown parts are fillers (Doc 9303-3, 4.8). `exact`: nothing is repaired."""
    if exact:
        return Proved(raw, raw_digit, agrees(raw, raw_digit))
    text, digit = as_digits(raw), as_digits(raw_digit)
    repaired = changes(raw + raw_digit, text + digit)
    return Proved(text, digit, agrees(text, digit), repaired)


def prove_number(raw: str, raw_digit: str, *, exact: bool, empty_allowed: bool = False) -> Proved:
    """A number of letters and digits with its check digit. `exact`: nothing was misread, so nothing is repaired.

    `empty_allowed`: an element of fillers may have a filler as its check digit (Doc 9303-4, personal number).
    """
    if exact:
        digit_right = agrees(raw, raw_digit) or (empty_allowed and not (raw + raw_digit).strip(FILLER))
        return Proved(raw, raw_digit, digit_right)
    if empty_allowed and all(char == FILLER or char in LIKE_FILLER for char in raw) and FILLER in raw:
        digit = FILLER if raw_digit in {FILLER, *LIKE_FILLER} else as_digits(raw_digit)
        text = FILLER * len(raw)
        return Proved(text, digit, digit in (FILLER, "0"), changes(raw + raw_digit, text + digit))
    digit = as_digits(raw_digit)
    repaired = changes(raw_digit, digit)
    if agrees(raw, digit):
        text = _among_digits(_ending_in_fillers(raw))
        untellable = bool(UNTELLABLE & set(raw)) or _SUSPECT.search(text.rstrip(FILLER)) is not None
        return Proved(text, digit, True, repaired + changes(raw, text), untellable=untellable)
    explaining = {_among_digits(text) for text in _likenesses(raw) if agrees(text, digit)}
    if len(explaining) == 1:
        text = explaining.pop()
        return Proved(text, digit, True, repaired + changes(raw, text), doubted=True)
    return Proved(raw, digit, False, repaired)


def agrees(text: str, digit: str) -> bool:
    return digit.isdigit() and check_digit(text) == int(digit)


def _ending_in_fillers(raw: str) -> str:
    """K at the end, behind a filler, is a filler: their values are the same."""
    head = raw.rstrip(FILLER + "K")
    return head.ljust(len(raw), FILLER) if raw[len(head) :].lstrip("K").startswith(FILLER + "K") else raw


def _among_digits(raw: str) -> str:
    """G and L between digits, in a number that has letters at its beginning only, are 6 and 1: their values agree."""
    body = raw.rstrip(FILLER)
    likely = _BETWEEN_DIGITS.sub(lambda match: as_digits(match.group()), body)
    return likely.ljust(len(raw), FILLER) if _LETTERS_FIRST.fullmatch(likely) else raw


def _likenesses(raw: str) -> set[str]:
    """What a number may have been before one character of it was misread; or all that are alike among digits."""
    found = set()
    body = raw.rstrip(FILLER)
    for at, char in enumerate(body):
        if digit := digit_for(char):
            found.add(raw[:at] + digit + raw[at + 1 :])
        # A letter stands at the beginning of a number or among letters.
        if (letter := letter_for(char)) and (body[:at].isalpha() or not at):
            found.add(raw[:at] + letter + raw[at + 1 :])
    for letter in ("O", "I"):
        found.add(raw.replace(letter, as_digits(letter)))
    islands = [
        as_digits(char) if body[max(at - 1, 0) : at].isdigit() or body[at + 1 : at + 2].isdigit() else char
        for at, char in enumerate(body)
    ]
    found.add("".join(islands).ljust(len(raw), FILLER))
    end = len(body.rstrip("KXCL"))
    for start in range(max(end, 1), len(body)):
        found.add(body[:start].ljust(len(raw), FILLER))
    return found - {raw}


def prove_composite(covered: str, raw_digit: str, *, exact: bool) -> Proved:
    """`covered`: the repaired text of everything that the composite check digit covers, in order."""
    digit = raw_digit if exact else as_digits(raw_digit)
    return Proved("", digit, agrees(covered, digit), changes(raw_digit, digit))
