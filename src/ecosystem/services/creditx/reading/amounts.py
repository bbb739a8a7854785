"""Amounts of money and their currencies, to plain decimals with two places."""

import re
from decimal import Decimal
from functools import cache, lru_cache

from babel import Locale
from babel.numbers import get_currency_name

from ecosystem.services.creditx.reading.kinds import LANGUAGES
from ecosystem.services.creditx.reading.labels import folded
from ecosystem.services.creditx.reading.values import Read

_TEXT_CHARACTERS_MAX = 80
_SYMBOLS = {
    "€": "EUR", "£": "GBP", "US$": "USD", "$": "USD", "¥": "JPY", "Fr.": "CHF", "SFr.": "CHF", "sFr.": "CHF",
    "Fr": "CHF", "A$": "AUD", "C$": "CAD", "CA$": "CAD", "AU$": "AUD", "zł": "PLN", "kr": "SEK", "Kč": "CZK",
}  # fmt: skip
_UNIT = r"(?:[A-Z]{3}|[A-Z]{0,2}\$|€|£|¥|[sS]?Fr\.?|zł|kr\.?|Kč)"
_DIGITS = r"\d(?:[\d.,'’´`‘ ]{0,24}\d)?(?:[.,][-–—]{1,2}(?!\d))?"
_AMOUNT = re.compile(
    rf"(?P<sign>[-+−–]?)\s?(?P<open>\(?)\s?(?P<before>{_UNIT})?\s?(?P<inner>[-+−–]?)\s?(?P<digits>{_DIGITS})\s?"
    rf"(?P<trail>[-+−–]?)\s?(?P<after>{_UNIT})?\s?(?P<close>\)?)\s?(?P<side>(?:CR|DR|Cr|Dr|S|H|D|C)?)\.?"
)
_SEPARATORS = re.compile(r"[.,'’´`‘ ]")
_APOSTROPHES = str.maketrans("’´`‘", "''''")
_PLACES = re.compile(r"[.,]\d{2}(?!\d)|[.,][-–—]")
_NO_PLACES = re.compile(r"[.,][-–—]{1,2}$")
_NAMED = ("EUR", "CHF", "USD", "GBP", "CAD", "AUD", "JPY", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF")
_MINUS = frozenset("-−–")
_OWED = frozenset({"DR", "Dr", "S", "D"})


@lru_cache(maxsize=1024)
def read_amount(text: str) -> Read | None:
    """A plain decimal with two to four places, and the currency beside it.

    Negative: a minus before or after it, parentheses, or the debit marks `DR`, `D` and `S` after it.
    """
    text = " ".join(text.split())
    if len(text) > _TEXT_CHARACTERS_MAX:
        return None
    match = _AMOUNT.fullmatch(text)
    if match is None:
        return None
    plain = _plain(match["digits"].translate(_APOSTROPHES))
    signs = [sign for sign in (match["sign"], match["inner"], match["trail"]) if sign]
    if plain is None or len(signs) > 1 or bool(match["open"]) != bool(match["close"]):
        return None
    units = [_code(unit) for unit in (match["before"], match["after"]) if unit]
    if None in units or len(set(units)) > 1:
        return None
    negative = bool(signs and signs[0] in _MINUS) != bool(match["open"]) or match["side"] in _OWED
    return Read(("-" if negative and Decimal(plain) else "") + plain, currency=units[0] if units else None)


def _code(unit: str) -> str | None:
    if unit in _SYMBOLS:
        return _SYMBOLS[unit]
    return unit if unit in codes() else None


@cache
def codes() -> frozenset[str]:
    """The currency codes of ISO 4217."""
    return frozenset(str(code) for code in Locale("en").currencies)


@cache
def _names() -> dict[str, str]:
    """Currencies by their folded names and plurals; where two share a name, neither."""
    found: dict[str, set[str]] = {}
    for language in LANGUAGES:
        for code in _NAMED:
            for count in (1, 2):
                name = get_currency_name(code, count=count, locale=language)
                found.setdefault(folded(name), set()).add(code)
    return {name: min(meant) for name, meant in found.items() if len(meant) == 1}


def _plain(digits: str) -> str | None:
    """`1,234.56`, `1'234.56`, `1.234,56` and `1 234,56` are one number; a lone group of three is thousands."""
    digits = _NO_PLACES.sub("", digits.strip())
    pieces = _SEPARATORS.split(digits)
    marks = _SEPARATORS.findall(digits)
    if not all(piece.isdigit() and piece.isascii() for piece in pieces):
        return None
    has_places = bool(marks) and marks[-1] in ".," and (marks.count(marks[-1]) == 1) and len(pieces[-1]) != 3
    groups = pieces[:-1] if has_places else pieces
    if has_places and not 1 <= len(pieces[-1]) <= 4:
        return None
    group_marks = marks[:-1] if has_places else marks
    if len(set(group_marks)) > 1 or (has_places and marks[-1] in group_marks):
        return None
    if any(len(group) != 3 for group in groups[1:]) or (len(groups) > 1 and not 1 <= len(groups[0]) <= 3):
        return None
    whole = "".join(groups).lstrip("0") or "0"
    return f"{whole}.{pieces[-1]:0<2}" if has_places else f"{whole}.00"


def has_places(text: str) -> bool:
    """Whether an amount is printed with its cents."""
    return bool(_PLACES.search(text))


def read_currency(text: str) -> Read | None:
    """The ISO 4217 code of `CHF`, `€`, `Euro`, `Swiss francs (CHF)`."""
    text = " ".join(text.split())[:_TEXT_CHARACTERS_MAX]
    if text in _SYMBOLS:
        return Read(_SYMBOLS[text])
    if text in codes():
        return Read(text)
    inside = {word for word in re.findall(r"(?<![^\W_])[A-Z]{3}(?![^\W_])", text) if word in codes()}
    if len(inside) == 1:
        return Read(inside.pop(), partial=True)
    name = _names().get(folded(text))
    return Read(name) if name else None


def total(amounts: list[str]) -> str:
    return str(sum((Decimal(amount) for amount in amounts), Decimal(0)))
