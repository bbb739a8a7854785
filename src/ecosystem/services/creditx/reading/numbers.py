"""Numbers that carry a check: IBAN, BIC, LEI, VAT, tax and register numbers. Wrong ones are uncertain, not unread.

Repairs are proved: a character is taken for its double only where the check then holds, and for one reading only.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

from schwifty import BIC, IBAN
from schwifty.exceptions import SchwiftyException
from schwifty.registry import get_iban_spec
from stdnum import lei as stdnum_lei
from stdnum.ch import esr
from stdnum.eu import vat as stdnum_vat
from stdnum.exceptions import ValidationError
from stdnum.iso11649 import is_valid as creditor_reference_is_valid

from ecosystem.services.creditx.reading.values import Read

_TEXT_CHARACTERS_MAX, _VAT_CHARACTERS_MAX = 120, 20
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_LEI = re.compile(r"[A-Z0-9]{18}\d{2}")
_NUMBER = re.compile(r"(?=.*\d)[\w][\w .,:/()&#°º’'-]{0,58}")
_TO_DIGIT = str.maketrans("OoQDIlL|!iZSBG", "00001111112586")
_TO_LETTER = str.maketrans("01582", "OISBZ")
_DOUBLES = {
    "0": "O", "O": "0Q", "Q": "0", "1": "I", "I": "1", "L": "1", "5": "S", "S": "5", "8": "B", "B": "8", "2": "Z",
    "Z": "2", "6": "G", "G": "6",
}  # fmt: skip

# Modules of stdnum whose numbers a person or company is taxed under, by country.
_TAX: dict[str, tuple[str, ...]] = {
    "CHE": ("ch.ssn", "ch.uid"), "DEU": ("de.idnr", "de.stnr"), "FRA": ("fr.nif", "fr.siren"),
    "ESP": ("es.nif", "es.cif"),
    "AUT": ("at.tin", "at.vnr"), "GBR": ("gb.utr",), "USA": ("us.ssn", "us.ein", "us.itin"), "LIE": ("li.peid",),
    "IRL": ("ie.pps",), "ITA": ("it.codicefiscale",), "LUX": ("lu.tva",), "BEL": ("be.nn",), "NLD": ("nl.bsn",),
    "PRT": ("pt.nif",),
}  # fmt: skip
_VAT_ELSEWHERE = {"CHE": "ch.vat", "GB": "gb.vat"}


def _module(name: str) -> Any:
    return import_module(f"stdnum.{name}")


TAX_MODULES = {country: tuple(_module(name) for name in names) for country, names in _TAX.items()}
_VAT_MODULES = {prefix: _module(name) for prefix, name in _VAT_ELSEWHERE.items()}


def _compact(text: str) -> str:
    return "".join(text[:_TEXT_CHARACTERS_MAX].split()).upper()


def iban_is_right(iban: str) -> bool:
    """Length, structure of its country, and check digits."""
    return IBAN(iban, allow_invalid=True).is_valid


def read_iban(text: str) -> Read | None:
    """Without spaces, upper case."""
    compact = re.sub(r"^IBAN[.:\s-]*", "", _compact(text)).replace("-", "").strip(".,;:")
    if not _IBAN.fullmatch(compact):
        return None
    right = iban_is_right(compact)
    return Read(compact, certain=right, proved=right)


def repaired_iban(text: str) -> Read | None:
    """An IBAN with digits and letters where its country has them; where both may stand, as the check digits say."""
    compact = re.sub(r"^[I1L]?BAN", "", re.sub(r"[^A-Z0-9]", "", text[:_TEXT_CHARACTERS_MAX].upper()))
    if not 15 <= len(compact) <= 34:
        return None
    head = compact[:2].translate(_TO_LETTER) + compact[2:4].translate(_TO_DIGIT)
    kinds = _structure(head[:2])
    rest = compact[4 : 4 + len(kinds)] if kinds and len(compact) - 4 <= len(kinds) + 4 else compact[4:]
    if not kinds or len(rest) != len(kinds):
        return None
    plain = head + "".join(_as_kind(mark, kind) for mark, kind in zip(rest, kinds, strict=True))
    digits = head + "".join(
        _as_kind(mark, "n" if kind == "c" else kind) for mark, kind in zip(rest, kinds, strict=True)
    )
    changes = _differences(plain, compact[: len(plain)])
    for candidate in (plain, digits):
        if _IBAN.fullmatch(candidate) and iban_is_right(candidate):
            return Read(candidate, proved=True, repaired=_differences(candidate, compact[: len(plain)]))
    return Read(plain, certain=False, repaired=changes) if _IBAN.fullmatch(plain) else None


def _structure(country: str) -> str:
    """A letter for each place of the account part: `n` a digit, `a` a letter, `c` either; empty where none is known."""
    try:
        spec = get_iban_spec(country).bban_spec
    except (SchwiftyException, KeyError):
        return ""
    return "".join(kind * int(count) for count, kind in re.findall(r"(\d+)!([nac])", spec))


def _as_kind(mark: str, kind: str) -> str:
    return mark.translate(_TO_DIGIT) if kind == "n" else mark.translate(_TO_LETTER) if kind == "a" else mark


def _differences(one: str, other: str) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


def read_bic(text: str) -> Read | None:
    compact = _compact(text)
    if not _BIC.fullmatch(compact):
        return None
    # Whether the bank exists is not asked: its list is a file a country, which a worker cannot open.
    return Read(compact, certain=BIC(compact, allow_invalid=True).is_valid)


def repaired_bic(text: str) -> Read | None:
    compact = re.sub(r"[^A-Z0-9]", "", _compact(text))
    plain = compact[:6].translate(_TO_LETTER) + compact[6:]
    read = read_bic(plain)
    return replace(read, repaired=_differences(plain, compact)) if read else None


def read_lei(text: str) -> Read | None:
    compact = _compact(text)
    if not _LEI.fullmatch(compact):
        return None
    right = bool(stdnum_lei.is_valid(compact))
    return Read(compact, certain=right, proved=right)


def repaired_lei(text: str) -> Read | None:
    """A LEI with its last two characters as digits, and one more taken for its double where only one then holds."""
    compact = re.sub(r"[^A-Z0-9]", "", _compact(text))
    if len(compact) != 20:
        return None
    plain = compact[:18] + compact[18:].translate(_TO_DIGIT)
    if stdnum_lei.is_valid(plain):
        return Read(plain, proved=True, repaired=_differences(plain, compact))
    rights = [
        candidate
        for place, mark in enumerate(plain[:18])
        for double in _DOUBLES.get(mark, "")
        if stdnum_lei.is_valid(candidate := plain[:place] + double + plain[place + 1 :])
    ]
    if len(rights) == 1:
        return Read(rights[0], certain=False, proved=True, repaired=1)
    return Read(plain, certain=False) if _LEI.fullmatch(plain) else None


def read_vat(text: str, country: str | None) -> Read | None:
    """Without spaces, dots and dashes as its country writes it (`CHE-123.456.788 MWST` is `CHE123456788MWST`)."""
    compact = re.sub(r"[\s.\-–]", "", text[:_TEXT_CHARACTERS_MAX]).upper()
    if not re.fullmatch(r"[A-Z]{2,3}[A-Z0-9]{7,16}|\d{9,11}", compact):
        return None
    right = _vat_is_right(compact)
    return Read(compact, certain=right is not False, proved=bool(right))


def _vat_is_right(compact: str) -> bool | None:
    """None where the country has no check that is known here."""
    for prefix, module in _VAT_MODULES.items():
        if compact.startswith(prefix):
            bare = compact.removeprefix(prefix) if prefix == "GB" else compact
            return bool(module.is_valid(bare) or (prefix == "CHE" and TAX_MODULES["CHE"][1].is_valid(compact[:12])))
    try:
        stdnum_vat.validate(compact)
    except ValidationError:
        return False if compact[:2].isalpha() else None
    return True


def repaired_vat(text: str, country: str | None) -> Read | None:
    """A VAT number with one character taken for its double, where only one then holds."""
    compact = re.sub(r"[\s.\-–]", "", text[:_TEXT_CHARACTERS_MAX]).upper()
    head = 3 if compact.startswith("CHE") else 2
    tail = re.search(r"(?:MWST|TVA|IVA|HR)$", compact)
    end = tail.start() if tail else len(compact)
    plain = compact[:head] + compact[head:end].translate(_TO_DIGIT) + compact[end:]
    for candidate in (plain, compact):
        read = read_vat(candidate, country)
        if read and read.proved:
            return replace(read, repaired=_differences(candidate, compact))
    rights = {
        candidate
        for place in range(head, min(end, _VAT_CHARACTERS_MAX))
        for double in _DOUBLES.get(plain[place], "")
        if (read := read_vat(candidate := plain[:place] + double + plain[place + 1 :], country)) and read.proved
    }
    if len(rights) == 1:
        return Read(rights.pop(), certain=False, proved=True, repaired=1)
    return read_vat(compact, country)


def read_tax_number(text: str, country: str | None) -> Read | None:
    """As printed, proved by its country's check, or by any country's whose form fits."""
    cleaned = " ".join(text.split())[:_TEXT_CHARACTERS_MAX]
    if not _NUMBER.fullmatch(cleaned):
        return None
    if country in TAX_MODULES:
        if _valid(TAX_MODULES[country], cleaned):
            return Read(cleaned, proved=True)
        return Read(cleaned, certain=len(re.sub(r"\D", "", cleaned)) >= 6)
    return Read(cleaned, proved=any(_valid(modules, cleaned) for modules in TAX_MODULES.values()))


def _valid(modules: tuple[Any, ...], text: str) -> bool:
    checks: list[Callable[[str], bool]] = [module.is_valid for module in modules]
    return any(check(text) for check in checks)


def repaired_tax_number(text: str, country: str | None) -> Read | None:
    cleaned = " ".join(text.split())[:_TEXT_CHARACTERS_MAX]
    digits = sum(character.isdigit() for character in cleaned)
    plain = cleaned.translate(_TO_DIGIT) if digits >= 0.6 * len(re.sub(r"\W", "", cleaned)) else cleaned
    for candidate in (cleaned, plain):
        read = read_tax_number(candidate, country)
        if read and read.proved:
            return Read(read.value, proved=True, repaired=_differences(candidate, cleaned))
    return read_tax_number(cleaned, country)


def read_number(text: str) -> Read | None:
    """A number of a register or an invoice, as printed: at most 60 characters with a digit among them."""
    cleaned = " ".join(text.split())
    return Read(cleaned) if _NUMBER.fullmatch(cleaned) else None


def read_document_number(text: str) -> Read | None:
    """Of a passport, card or visa: capitals and digits, without spaces."""
    compact = _compact(text).strip(".:")
    return Read(compact) if re.fullmatch(r"(?=.*\d)[A-Z0-9][A-Z0-9./-]{3,19}", compact) else None


def read_reference(text: str) -> Read | None:
    """A reference of a QR bill without spaces, proved by its check digit (QRR) or ISO 11649 (SCOR)."""
    compact = _compact(text)
    if re.fullmatch(r"\d{27}", compact):
        right = bool(esr.is_valid(compact))
        return Read(compact, certain=right, proved=right)
    if re.fullmatch(r"RF\d{2}[A-Z0-9]{1,21}", compact):
        right = bool(creditor_reference_is_valid(compact))
        return Read(compact, certain=right, proved=right)
    return None


def repaired_reference(text: str) -> Read | None:
    compact = _compact(text)
    plain = compact.translate(_TO_DIGIT)
    if re.fullmatch(r"\d{27}", plain):
        read = read_reference(plain)
        return Read(plain, certain=bool(read and read.proved), proved=bool(read and read.proved))
    return read_reference(text)
