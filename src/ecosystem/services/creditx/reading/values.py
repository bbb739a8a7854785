"""From printed text to one normal form: dates, amounts, account numbers. Pure, and bounded in its effort."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from stdnum.iso7064 import mod_97_10

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
            "september sep sept", "october oct", "november nov", "december dec",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?\.? ([A-Za-z]{3,9})\.?,? (\d{4})")
_MONTH_DAY = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})")
_NUMERIC = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})")
_RANGE = re.compile(r" (?:to|until|-|–|—) ")
_AMOUNT = re.compile(r"(?:([A-Z]{3}) ?)?([-+−]?) ?(\d[\d.,'’ ]{0,24}|\d) ?([-−]?)(?: ?([A-Z]{3}))?")
_SEPARATORS = re.compile(r"[.,'’ ]")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_YES_NO = {"yes": "yes", "no": "no", "y": "yes", "n": "no", "true": "yes", "false": "no"}
_TEXT_CHARACTERS_MAX = 300


@dataclass(frozen=True)
class Read:
    """`ambiguous`: the text allows another reading, which the company's habit has decided against."""

    value: str
    currency: str | None = None
    ambiguous: bool = False
    certain: bool = True


def read_date(text: str, order: str) -> Read | None:
    """ISO 8601. `order` (`DMY` or `MDY`) decides what 01/02/2026 means."""
    text = " ".join(text.split())
    if match := _ISO.fullmatch(text):
        return _date(*map(int, match.groups()))
    if match := _DAY_MONTH.fullmatch(text):
        return _date(int(match[3]), _MONTHS.get(match[2].lower(), 0), int(match[1]))
    if match := _MONTH_DAY.fullmatch(text):
        return _date(int(match[3]), _MONTHS.get(match[1].lower(), 0), int(match[2]))
    if match := _NUMERIC.fullmatch(text):
        first, second, year = map(int, match.groups())
        # Where one of the two cannot be a month, the text itself says which is which.
        day_first = second <= 12 and (first > 12 or order != "MDY")
        both = first <= 12 and second <= 12 and first != second
        return _date(year, second if day_first else first, first if day_first else second, ambiguous=both)
    return None


def _date(year: int, month: int, day: int, *, ambiguous: bool = False) -> Read | None:
    try:
        return Read(date(year, month, day).isoformat(), ambiguous=ambiguous)
    except ValueError:
        return None


def read_range(text: str, order: str) -> tuple[Read, Read] | None:
    parts = _RANGE.split(" ".join(text.split()))
    if len(parts) != 2:
        return None
    start, end = read_date(parts[0], order), read_date(parts[1], order)
    return (start, end) if start and end else None


def read_amount(text: str) -> Read | None:
    """A plain decimal with two to four places as printed, and the currency beside it."""
    match = _AMOUNT.fullmatch(" ".join(text.split()))
    if match is None:
        return None
    before, sign, digits, sign_after, after = match.groups()
    plain = _plain(digits.strip())
    if plain is None or (sign and sign_after):
        return None
    negative = "-" if {sign, sign_after} & {"-", "−"} else ""
    return Read(negative + plain, currency=before or after)


def _plain(digits: str) -> str | None:
    """`1,234.56`, `1'234.56`, `1.234,56` and `1 234,56` are one number; a lone group of three is thousands."""
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


def read_iban(text: str) -> Read | None:
    """Without spaces, upper case. Wrong check digits make it uncertain, not unread: that is for a rule to judge."""
    compact = "".join(text.split()).upper()
    if not _IBAN.fullmatch(compact):
        return None
    return Read(compact, certain=iban_check_digits_right(compact))


def iban_check_digits_right(iban: str) -> bool:
    return bool(mod_97_10.is_valid(iban[4:] + iban[:4]))


def read_bic(text: str) -> Read | None:
    compact = "".join(text.split()).upper()
    return Read(compact) if _BIC.fullmatch(compact) else None


def read_text(text: str) -> Read | None:
    cleaned = " ".join(text.split())[:_TEXT_CHARACTERS_MAX]
    return Read(cleaned) if cleaned else None


def read_currency(text: str) -> Read | None:
    code = text.strip()
    return Read(code) if len(code) == 3 and code.isascii() and code.isalpha() and code.isupper() else None


def read_yes_no(text: str) -> Read | None:
    answer = _YES_NO.get(text.strip().rstrip(".").casefold())
    return Read(answer) if answer else None


def read_as(kind: str, text: str, order: str) -> Read | None:
    """The value of a text as a field's type, or None where it is no such value."""
    match kind:
        case "date":
            return read_date(text, order)
        case "amount":
            return read_amount(text)
        case "iban":
            return read_iban(text)
        case "bic":
            return read_bic(text)
        case "currency":
            return read_currency(text)
        case "yes_no":
            return read_yes_no(text)
        case _:
            return read_text(text)


def total(amounts: list[str]) -> str:
    return str(sum((Decimal(amount) for amount in amounts), Decimal(0)))
