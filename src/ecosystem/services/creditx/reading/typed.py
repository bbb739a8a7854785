"""The value of a text as a field's type; from OCR also with characters taken back that look alike."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from ecosystem.services.creditx.reading import amounts, answers, dates, names, numbers
from ecosystem.services.creditx.reading.labels import distance_within, folded
from ecosystem.services.creditx.reading.values import Read

_MONTH_LETTERS = str.maketrans("01458", "olasb")
_TO_DIGIT = str.maketrans("OoQDIl|!ZSB", "00001111258")
_LOOSE_DIGITS = re.compile(
    r"(?<![^\W\d_])[OoQDIl|!ZSB](?=[\d.,/' ])|(?<=[\d.,/' ])[OoQDIl|!ZSB](?![^\W\d_])|(?<=\d)[OoIl|!](?=\d)"
)


_WORDS = ("text", "name", "company", "address")
_SPECK = re.compile(r"(?<=[a-zà-ÿ]{4})\s?[.,·']$")


@dataclass(frozen=True)
class Habits:
    """How a document is read: the order of its numeric dates (`DMY`, `MDY`), its country (alpha-3), and whether OCR."""

    order: str
    country: str | None = None
    ocr: bool = False


def read_as(kind: str, text: str, habits: Habits) -> Read | None:
    """None where the text is no value of this type."""
    if habits.ocr and kind in _WORDS:
        # A speck behind the last word is read as a point; abbreviations end in one.
        text = _SPECK.sub("", text)
    plain = _PLAIN.get(kind, _read_text)(text, habits)
    if not habits.ocr or (plain and plain.proved):
        return plain
    repair = _REPAIRS.get(kind)
    repaired = repair(text, habits) if repair else None
    if repaired is None or (plain and not repaired.proved):
        return plain
    return repaired


def _read_text(text: str, habits: Habits) -> Read | None:
    return names.read_text(text)


def read_range(text: str, habits: Habits) -> tuple[Read, Read] | None:
    pair = dates.read_range(text, habits.order)
    if pair is None and habits.ocr:
        pair = dates.read_range(_digits_back(text), habits.order)
        return (replace(pair[0], repaired=1), replace(pair[1], repaired=1)) if pair else None
    return pair


def _digits_back(text: str) -> str:
    """Letters among digits as the digits they look like."""
    for _ in range(3):
        text = _LOOSE_DIGITS.sub(lambda match: match[0].translate(_TO_DIGIT), text)
    return text


def _repaired_date(text: str, habits: Habits) -> Read | None:
    for candidate in (_digits_back(text), _spaced_out(_digits_back(text))):
        read = dates.read_date(candidate, habits.order)
        if read:
            return replace(read, repaired=1) if candidate != text else read
    return None


def _spaced_out(text: str) -> str:
    """`12marzode2026` and `12. März2026` with spaces where letters and digits meet."""
    text = re.sub(r"(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)", " ", text)
    text = re.sub(r"^(\d{1,2}) ?de ?([^\W\d_]+?) ?de ?(\d{4})$", r"\1 de \2 de \3", text)
    # A month word of one misread letter is taken for its neighbour.
    return re.sub(r"[^\W\d_][^\W_]{2,11}", lambda match: _month(match[0]), text)


def _month(word: str) -> str:
    form = folded(word)
    if form in dates.MONTHS:
        return word
    back = form.translate(_MONTH_LETTERS)
    if back in dates.MONTHS:
        return back
    near = {dates.MONTHS[known] for known in dates.MONTHS if len(known) > 4 and distance_within(form, known, 1) == 1}
    return dates.month_name(near.pop()) if len(near) == 1 else word


def _repaired_amount(text: str, habits: Habits) -> Read | None:
    """Letters as digits, spaces beside marks away, a colon or semicolon as the mark that it looks like."""
    plain = _digits_back(text.strip(" |_"))
    plain = re.sub(r"(?<=\d)\s?([.,'’])\s?(?=\d)", r"\1", plain).replace(";", ",").replace(":", ".")
    # "€" is read as a letter at times, and a minus as a dash of any length.
    plain = re.sub(r"\s[CeE€]$", " €", plain).replace("—", "-").replace("~", "-")
    read = amounts.read_amount(plain) or amounts.read_amount(re.sub(r"(?<=\d) (?=\d)", "", plain))
    return replace(read, repaired=1) if read and plain != text else read


def _without_country(reader: Callable[[str], Read | None]) -> Callable[[str, Habits], Read | None]:
    return lambda text, habits: reader(text)


_PLAIN: dict[str, Callable[[str, Habits], Read | None]] = {
    "date": lambda text, habits: dates.read_date(text, habits.order),
    "year": _without_country(dates.read_year),
    "amount": _without_country(amounts.read_amount),
    "currency": _without_country(amounts.read_currency),
    "iban": _without_country(numbers.read_iban),
    "bic": _without_country(numbers.read_bic),
    "lei": _without_country(numbers.read_lei),
    "vat": lambda text, habits: numbers.read_vat(text, habits.country),
    "tax_number": lambda text, habits: numbers.read_tax_number(text, habits.country),
    "number": _without_country(numbers.read_number),
    "document_number": _without_country(numbers.read_document_number),
    "reference": _without_country(numbers.read_reference),
    "name": _without_country(names.read_name),
    "names": _without_country(names.read_names),
    "company": _without_country(names.read_company),
    "address": _without_country(names.read_address),
    "yes_no": _without_country(answers.read_yes_no),
    "sex": _without_country(answers.read_sex),
    "country": _without_country(answers.read_country),
    "nationality": _without_country(answers.read_country),
}
_REPAIRS: dict[str, Callable[[str, Habits], Read | None]] = {
    "date": _repaired_date,
    "year": lambda text, habits: dates.read_year(_digits_back(text)),
    "amount": _repaired_amount,
    "iban": _without_country(numbers.repaired_iban),
    "bic": _without_country(numbers.repaired_bic),
    "lei": _without_country(numbers.repaired_lei),
    "vat": lambda text, habits: numbers.repaired_vat(text, habits.country),
    "tax_number": lambda text, habits: numbers.repaired_tax_number(text, habits.country),
    "reference": _without_country(numbers.repaired_reference),
}
STRICT = frozenset(_PLAIN) - {"name", "names", "company", "address", "number", "country", "nationality"}
"""Types that a text of another meaning hardly ever is."""
