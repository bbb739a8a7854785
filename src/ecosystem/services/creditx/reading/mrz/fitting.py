"""Where the elements stand in lines that lost or gained characters.

The two dates with their check digits and the sex between them (digits, letter, digits) show where a line of data
is; what stands before and behind is brought to its length at a run of fillers. Source: ICAO Doc 9303-4 to 9303-7.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ecosystem.services.creditx.reading.mrz import states
from ecosystem.services.creditx.reading.mrz.characters import FILLER, as_digits, as_letters, changes

_DIGIT = "0-9OQDILZSGTBA"
_SEX = "MFNHWPEXKCL<"
_DATES = (
    rf"(?P<birth>[{_DIGIT}<]{{6}})(?P<birth_check>[{_DIGIT}<])(?P<sex>[{_SEX}]|<{{2,3}})"
    rf"(?P<expiry>[{_DIGIT}]{{6}})(?P<expiry_check>[{_DIGIT}])"
)
_PAIR = re.compile(rf"(?=(?P<all>(?P<nationality>[A-Z0-9<]{{3}}){_DATES}))")
_PAIR_GERMANY = re.compile(rf"(?=(?P<all>(?P<nationality>D<{{0,5}}){_DATES}))")
_CARD = re.compile(rf"(?=(?P<all>{_DATES}(?P<nationality>[A-Z0-9<]{{3}})))")
_FITS_MAX = 4
_EDITS_MAX = 16
_SEX_READ = dict(zip("MNHWFPEXKCL<", "MMMMFFF<<<<<", strict=True))
_GAP, _LENGTH = 1.0, 0.25


@dataclass(frozen=True)
class Core:
    """The elements around the dates as read, where they stand in the text, and what it costs to believe it."""

    start: int
    end: int
    elements: dict[str, str]
    cost: float


def cores(text: str, *, card: bool) -> list[Core]:
    """Where a line of data may be, the likeliest first. `card`: the second line of TD1."""
    patterns = (_CARD,) if card else (_PAIR, _PAIR_GERMANY)
    found = [_core(match) for pattern in patterns for match in pattern.finditer(text)]
    return sorted((core for core in found if core.cost < 9), key=lambda core: core.cost)[:_FITS_MAX]


def _core(match: re.Match[str]) -> Core:
    read = match.groupdict()
    digits = "".join(read[name] for name in ("birth", "birth_check", "expiry", "expiry_check"))
    nationality = read["nationality"]
    cost = float(changes(digits, as_digits(digits)) + (read["sex"] not in ("M", "F", FILLER)))
    cost += 0.5 * digits.count(FILLER) + changes(nationality, as_letters(nationality))
    cost += 0 if states.repaired(nationality) else 2
    cost += sum(not 1 <= int(month) <= 12 for month in _months(read)) + _LENGTH * abs(len(nationality) - 3)
    elements = {
        "nationality": nationality[:3].ljust(3, FILLER), "birth_date": read["birth"],
        "birth_date_check": read["birth_check"], "sex": read["sex"][0], "expiry_date": read["expiry"],
        "expiry_date_check": read["expiry_check"],
    }  # fmt: skip
    return Core(match.start("all"), match.end("all"), elements, cost)


def _months(read: dict[str, str]) -> Iterator[str]:
    for name in ("birth", "expiry"):
        month = as_digits(read[name])[2:4]
        if month.isdigit():
            yield month


def sex_of(raw: str) -> str:
    """`M`, `F` or a filler; letters that are alike are read as what they are like."""
    return _SEX_READ.get(raw, FILLER)


@dataclass(frozen=True)
class Head:
    """Document number (nine characters) and its check digit. `guessed`: a filler was put where none was read."""

    number: str
    digit: str
    cost: float
    guessed: bool


def head_of(text: str) -> Head | None:
    """The document number from what stands before the core, or None where that is too little or too much."""
    if not 4 <= len(text) <= 10 + _EDITS_MAX:
        return None
    number, digit = text[:-1], text[-1]
    missing = 9 - len(number)
    if missing >= 0:
        return Head(number.ljust(9, FILLER), digit, _GAP * missing, missing > 0)
    body = number.rstrip(FILLER)
    if len(body) <= 9:
        return Head(body.ljust(9, FILLER), digit, -_LENGTH * missing, False)
    # What goes before is dust of the page.
    return Head(number[-9:], digit, float(-missing), False)


def tail_of(text: str, length: int, checks: int) -> tuple[str, float]:
    """What stands behind the core brought to `length`, of which the last `checks` are check digits."""
    excess = len(text) - length
    if excess == 0:
        return text, 0.0
    if excess > 0 and checks and text.endswith(FILLER) and text.rstrip(FILLER):
        text = text[: max(len(text.rstrip(FILLER)), length)]
        excess = len(text) - length
    body, end = (text[:-checks], text[-checks:]) if checks else (text, "")
    if excess > 0:
        runs = [match for match in re.finditer("<+", body) if len(match.group()) >= excess]
        cut = max(runs, key=lambda match: len(match.group()), default=None)
        if cut is None:
            return text[:length], float(excess)
        return body[: cut.start()] + body[cut.start() + excess :] + end, _LENGTH * excess
    return body.ljust(length - checks, FILLER)[: length - checks] + end.rjust(checks, FILLER), -_LENGTH * excess


@dataclass(frozen=True)
class Start:
    """The beginning of a zone: two characters of code, three of the issuing state, and what follows."""

    code: str
    state: str
    rest: str
    cost: float


def starts(text: str, nationality: str | None, *, exact: bool) -> Iterator[Start]:
    """Each way to read the beginning of a zone: as it stands, or with a filler lost or gained, or dust before it.

    `exact`: only as it stands.
    """
    if exact:
        yield Start(text[:2], text[2:5], text[5:], 0.0 if text[2:5].rstrip(FILLER) in states.CODES else 3.0)
        return
    seen = set()
    for code, rest, shift_cost in (
        (text[:2], text[2:], 0.0), (text[:1] + FILLER, text[1:], 1.0), (text[:1] + FILLER, text[3:], 1.0),
        (text[1:3], text[3:], 1.5),
    ):  # fmt: skip
        if len(rest) < 5 or (code, rest) in seen:
            continue
        seen.add((code, rest))
        raw, after = rest[:3], rest[3:]
        state = states.repaired(raw, nationality)
        cost = shift_cost + changes(raw, as_letters(raw)) + (3.0 if state is None else 0.0)
        cost += 0.0 if state == nationality else 0.5
        if state == "D" and not all(char in "<KXCL" for char in rest[1:3]):
            # One of Germany's two fillers is missing.
            after = rest[1:].lstrip(FILLER)
        yield Start(code, (state or as_letters(raw)).ljust(3, FILLER)[:3], after, cost)
        if cost < 1:
            # What stands where it should is not moved, or a forged digit might find a place where it is right.
            return


def card_heads(rest: str) -> Iterator[tuple[Head, str]]:
    """The document number and the optional data of TD1's first line, from what stands behind the issuing state."""
    fitted, cost = tail_of(rest, 25, 0)
    yield Head(fitted[:9], fitted[9], cost, False), fitted[10:]
    if len(rest) == 25:
        return
    run = re.match(r"([A-Z0-9]{3,9}?)(<+)([A-Z0-9])(?=<|$)", rest)
    if run:
        optional, more = tail_of(rest[run.end() :], 15, 0)
        yield Head(run[1].ljust(9, FILLER)[:9], run[3], cost + more, False), optional
    for length in range(8, 5, -1):
        optional, more = tail_of(rest[length + 1 :], 15, 0)
        number = rest[:length].ljust(9, FILLER)
        yield Head(number, rest[length], cost + more + _GAP * (9 - length), True), optional
