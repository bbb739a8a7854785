"""Which country a document comes from, and so in which order it writes 01/02/2025."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from ecosystem.services.creditx.reading.answers import alpha3_of, country_names
from ecosystem.services.creditx.reading.dates import order_shown
from ecosystem.services.creditx.reading.finding import Found
from ecosystem.services.creditx.reading.kinds import KindOf
from ecosystem.services.creditx.reading.labels import folded
from ecosystem.services.creditx.reading.layout import Line

# Month first is usual there (CLDR); everywhere else the day or the year comes first.
_MONTH_FIRST = frozenset({"USA", "ASM", "GUM", "MNP", "PRI", "VIR", "UMI", "FSM", "MHL", "PLW"})
_BY_DOCUMENT, _BY_COUNTRY, _BY_LANGUAGE, _BY_SOME, _BY_COMPANY = 0.98, 0.96, 0.95, 0.88, 0.6
_PIECES = re.compile(r"[,\n;]| - ")
_IBAN_COUNTRY = re.compile(r"\s*(?:IBAN\W*)?([A-Z]{2})\d{2}")
_US_TOWN = re.compile(r"\b[A-Z]{2} \d{5}(?:-\d{4})?\b")
_GB_POSTCODE = re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b")
_PREFIXED = re.compile(r"(?<![\w-])([A-Z]{1,2})-\d{4,5}(?= )")
_OLD_PREFIXES = {"D": "DEU", "F": "FRA", "A": "AUT", "E": "ESP", "I": "ITA"}
_CELLS_MAX = 400
_CODE_CHARACTERS = 3


def country_of(kind: KindOf, candidates: Mapping[str, list[Found]], lines: Sequence[Line]) -> tuple[str | None, bool]:
    """Alpha-3, and whether nothing else speaks half as much for another.

    An address says most, then account and VAT numbers, then names of countries anywhere.
    """
    votes: Counter[str] = Counter()
    for name, field_of in kind.fields.items():
        for found in candidates.get(name, ()):
            if field_of.type == "address":
                votes.update(dict.fromkeys(_in_address(found.text), 6))
            elif field_of.type == "iban" and (match := _IBAN_COUNTRY.match(found.text)):
                votes.update({code: 5 for code in [alpha3_of(match[1])] if code})
            elif field_of.type == "vat" and (match := re.match(r"[A-Z]{2}", found.text)):
                votes.update({code: 4 for code in [alpha3_of(match[0])] if code})
    for line in lines[:_CELLS_MAX]:
        for cell in line:
            if len(cell.text) < 80:
                votes.update(dict.fromkeys(_in_address(cell.text), 2))
    ranked = votes.most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None, False
    return ranked[0][0], len(ranked) == 1 or 2 * ranked[1][1] <= ranked[0][1]


def _in_address(text: str) -> set[str]:
    found = set()
    for piece in _PIECES.split(text)[-3:]:
        name = country_names().get(folded(piece))
        if name and len(piece.strip()) > _CODE_CHARACTERS:
            found.add(name)
    if _US_TOWN.search(text):
        found.add("USA")
    if _GB_POSTCODE.search(text):
        found.add("GBR")
    for match in _PREFIXED.finditer(text):
        code = _OLD_PREFIXES.get(match[1]) or (alpha3_of(match[1]) if len(match[1]) == 2 else None)
        found |= {code} if code else set()
    return found


def order_of(
    lines: Sequence[Line], country: tuple[str | None, bool], language: str | None, habit: str
) -> tuple[str, float]:
    """The order of the document's numeric dates, and how sure that makes one that could be read either way."""
    shown = {order for line in lines for cell in line if (order := order_shown(cell.text))}
    if len(shown) == 1:
        return shown.pop(), _BY_DOCUMENT
    name, sure = country
    if name:
        return ("MDY" if name in _MONTH_FIRST else "DMY"), _BY_COUNTRY if sure else _BY_SOME
    if language and language != "en":
        return "DMY", _BY_LANGUAGE
    return habit, _BY_COMPANY
