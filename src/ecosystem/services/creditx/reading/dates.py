"""Dates as they are printed in English, French, German and Spanish, to ISO 8601."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import lru_cache

from babel import Locale

from ecosystem.services.creditx.reading.kinds import LANGUAGES
from ecosystem.services.creditx.reading.labels import folded
from ecosystem.services.creditx.reading.values import Read

_TEXT_CHARACTERS_MAX = 160
_YEAR_FIRST, _YEAR_LAST = 1900, 2100
_PIVOT = 69
_DIGITS_MIN = 3
_OTHER_MONTHS = {
    "sept": 9, "set": 9, "setiembre": 9, "janner": 1, "jaenner": 1, "feber": 2, "maerz": 3, "mrz": 3, "juill": 7,
    "fevr": 2, "aout": 8, "agos": 8, "okt": 10, "dez": 12, "octub": 10,
}  # fmt: skip


def _months() -> dict[str, int]:
    found = dict(_OTHER_MONTHS)
    for language in LANGUAGES:
        for names in Locale(language).months["format"].values():
            found |= {form: number for number, name in names.items() if not (form := folded(str(name))).isdigit()}
    return {form: number for form, number in found.items() if len(form) >= 3}


MONTHS = _months()
_WORD = r"[^\W\d_]{3,12}"
_ORDINAL = r"(?:st|nd|rd|th|er|º|°|\.º|ª)?"
# Month words of passports stand in two languages: "12 MAR/MARS 2026".
_MONTH = rf"({_WORD})\.?(?:\s?/\s?{_WORD}\.?)?"
_YEAR = r"(\d{4}|['’]?\d{2})"
_ISO = re.compile(r"(?<![\d./-])(\d{4})(\s?[-/.]\s?)(\d{1,2})\2(\d{1,2})(?!\d)")
_DAY_MONTH = re.compile(
    rf"(?<!\d)(\d{{1,2}}){_ORDINAL}\.?[\s-]*(?:de\s|of\s)?\s*{_MONTH},?[\s-]*(?:del?\s)?\s*{_YEAR}(?!\d)", re.IGNORECASE
)
_MONTH_DAY = re.compile(rf"(?<!\w){_MONTH}\s*(\d{{1,2}}){_ORDINAL},?\s*(?:de\s)?\s*(\d{{4}})(?!\d)", re.IGNORECASE)
_NUMERIC = re.compile(r"(?<!\d)(?<!\d[.,/])(\d{1,2})\s?([./-])\s?(\d{1,2})\s?\2\s?(\d{4}|\d{2})(?!\d)(?![./]\d)")
_SPACED = re.compile(r"(?<!\d)(\d{2}) (\d{2}) (\d{4})(?!\d)")
_EIGHT = re.compile(r"(?<!\d)(\d{2})(\d{2})(\d{4})(?!\d)")
_TO = r"(?:-|–|—|~|\b(?:to|until|till|through|au|jusqu.au|bis(?: zum)?|al|hasta(?: el)?|a)\b)"
_BETWEEN = re.compile(rf"\s*{_TO}\s*", re.IGNORECASE)
_ENDS_BETWEEN = re.compile(rf"{_TO}\s*$", re.IGNORECASE)
_AROUND = re.compile(r"^[\W_]*(?:on|le|am|den|el|du|vom|from|von|del|desde)?[\W_]*$", re.IGNORECASE)


@lru_cache(maxsize=1024)
def read_date(text: str, order: str) -> Read | None:
    """The one date that stands in a text. `order` (`DMY` or `MDY`) decides what 01/02/2026 means.

    A text with other words around its date ("Zürich, 12. März 2026") is read, as `partial`; one with two different
    dates is not.
    """
    text = " ".join(text.split())[:_TEXT_CHARACTERS_MAX]
    found = list(_dates(text, order))
    if not found or len({read.value for read, _, _ in found}) > 1:
        return None
    read, start, end = found[0]
    if len(found) > 1 or not (_AROUND.match(text[:start]) and _AROUND.match(text[end:])):
        return Read(read.value, ambiguous=read.ambiguous, certain=read.certain, partial=True)
    return read


def read_range(text: str, order: str) -> tuple[Read, Read] | None:
    """Two dates with a word or a dash between them; the first may leave out the year ("1. – 31. März 2026")."""
    text = " ".join(text.split())[:_TEXT_CHARACTERS_MAX]
    found = list(_dates(text, order))
    if len(found) == 2 and _BETWEEN.fullmatch(text[found[0][2] : found[1][1]]):
        return found[0][0], found[1][0]
    if len(found) == 1:
        read, begin, _ = found[0]
        return _shared_year(text[:begin], read, order)
    return None


def _shared_year(before: str, end: Read, order: str) -> tuple[Read, Read] | None:
    match = _ENDS_BETWEEN.search(before)
    if match is None:
        return None
    first = before[: match.start()].strip(" .")
    year, month, _ = end.value.split("-")
    named = f"{first}. {month_name(int(month))} {year}"
    for filled in (f"{first} {year}", named, f"{first}.{year}", f"{first}/{year}"):
        start = read_date(filled, order)
        if start and not start.partial and start.value <= end.value:
            return start, end
    return None


def month_name(number: int) -> str:
    return str(Locale("en").months["format"]["wide"][number])


def _dates(text: str, order: str) -> Iterator[tuple[Read, int, int]]:
    """Dates from left to right, none inside another."""
    if sum(map(str.isdigit, text)) < _DIGITS_MIN:
        return
    matches: list[tuple[int, int, Read]] = []
    for pattern, make in _FORMS:
        for match in pattern.finditer(text):
            read = make(match, order)
            if read and not any(start < match.end() and match.start() < end for start, end, _ in matches):
                matches.append((match.start(), match.end(), read))
    for start, end, read in sorted(matches, key=lambda found: found[0]):
        yield read, start, end


def _iso(match: re.Match[str], order: str) -> Read | None:
    return _date(int(match[1]), int(match[3]), int(match[4]))


def _day_month(match: re.Match[str], order: str) -> Read | None:
    return _date(_year(match[3]), MONTHS.get(folded(match[2]), 0), int(match[1]))


def _month_day(match: re.Match[str], order: str) -> Read | None:
    return _date(int(match[3]), MONTHS.get(folded(match[1]), 0), int(match[2]))


def _numeric(match: re.Match[str], order: str) -> Read | None:
    read = _by_order(int(match[1]), int(match[3]), _year(match[4]), order)
    # With points the day comes first wherever such dates are usual.
    return replace(read, ambiguous=False) if read and match[2] == "." and order != "MDY" else read


def _spaced(match: re.Match[str], order: str) -> Read | None:
    return _by_order(int(match[1]), int(match[2]), int(match[3]), order)


def _by_order(first: int, second: int, year: int, order: str) -> Read | None:
    # Where one of the two cannot be a month, the text itself says which is which.
    day_first = second <= 12 and (first > 12 or order != "MDY")
    both = first <= 12 and second <= 12 and first != second
    return _date(year, second if day_first else first, first if day_first else second, ambiguous=both)


def _year(text: str) -> int:
    """Two digits mean 1969 to 2068, as in POSIX."""
    if text.isdigit() and len(text) == 4:
        return int(text)
    return int(text[-2:]) + (1900 if int(text[-2:]) >= _PIVOT else 2000)


def _date(year: int, month: int, day: int, *, ambiguous: bool = False) -> Read | None:
    if not _YEAR_FIRST <= year <= _YEAR_LAST:
        return None
    try:
        return Read(date(year, month, day).isoformat(), ambiguous=ambiguous)
    except ValueError:
        return None


_FORMS = (
    (_ISO, _iso), (_DAY_MONTH, _day_month), (_MONTH_DAY, _month_day), (_NUMERIC, _numeric), (_SPACED, _spaced),
    (_EIGHT, _spaced),
)  # fmt: skip


def order_shown(text: str) -> str | None:
    """`DMY` or `MDY` where a numeric date of the text can be read in one way only, else None."""
    for match in _NUMERIC.finditer(text[:_TEXT_CHARACTERS_MAX]):
        first, second = int(match[1]), int(match[3])
        if first > 12 >= second >= 1:
            return "DMY"
        if second > 12 >= first >= 1:
            return "MDY"
    return None


def read_year(text: str) -> Read | None:
    """A calendar year, alone or in words, or the later one of a period that spans two ("2024/25" is not read)."""
    found = re.findall(r"(?<![\d.,/'’-])(\d{4})(?![\d.,/'’])", text[:_TEXT_CHARACTERS_MAX])
    years = {year for year in found if _YEAR_FIRST <= int(year) <= _YEAR_LAST}
    if len(years) != 1:
        return None
    year = years.pop()
    return Read(year, partial=text.strip() != year)
