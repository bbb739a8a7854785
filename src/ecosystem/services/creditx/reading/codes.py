"""What the text of a QR or bar code means, and the values in it. Pure, and bounded in its effort.

Sources: SIX Swiss Payment Standards, Implementation Guidelines QR-bill 2.0 to 2.3, 4.2 (data structure); European
Payments Council, EPC069-12 (QR code for SEPA credit transfers), section 2.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from stdnum import iso11649
from stdnum.ch import esr
from stdnum.iso7064 import mod_97_10

Meaning = Literal["swiss_qr_bill", "epc", "iban", "creditor_reference", "url"]

_CHARACTERS_MAX = 4_000
_CONFIDENCE = 0.99
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_SWISS_IBAN = re.compile(r"(?:CH|LI)\d{7}[A-Z0-9]{12}")
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_SWISS_AMOUNT = re.compile(r"(?:0|[1-9]\d{0,8})\.\d{2}")
_EPC_AMOUNT = re.compile(r"EUR(\d{1,9})(?:\.(\d{1,2}))?")
_URL = re.compile(r"https?://\S{3,2000}", re.IGNORECASE)
_QR_BANKS = range(30_000, 32_000)


@dataclass(frozen=True)
class Code:
    """`meaning` is None for a text that follows no scheme known here.

    `fields` are normalised values by name (`iban`, `total_amount`, `currency`, `payment_reference`, `issuer`); there
    are none where `problems` names what is wrong with the text, in words without its content.
    """

    meaning: Meaning | None
    fields: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def meaning_of(text: str) -> Code:
    """The meaning of a code's text. Never raises: a malformed text has a named problem and no values."""
    if len(text) > _CHARACTERS_MAX:
        return Code(None, problems=("too_long",))
    lines = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    if lines[0] == "SPC":
        return _checked("swiss_qr_bill", *_swiss_qr_bill(lines))
    if lines[0] == "BCD" and len(lines) > 3:
        return _checked("epc", *_epc(lines))
    return _plain(text.strip())


def values_of_code(code: Code, *, text: str, page: int, box: tuple[float, float, float, float]) -> list[dict[str, Any]]:
    """Its fields as values of a reading, `part` 1, method `barcode`. A code corrects its own errors: 0.99."""
    currency = code.fields.get("currency")
    return [
        {
            "name": name, "value": value, "raw": text[:300], "page": page, "box": box, "confidence": _CONFIDENCE,
            "method": "barcode", "currency": currency if name == "total_amount" else None, "ambiguous": False,
            "part": 1,
        }
        for name, value in code.fields.items()
    ]  # fmt: skip


def _checked(meaning: Meaning, fields: dict[str, str], problems: list[str]) -> Code:
    if problems:
        return Code(meaning, problems=tuple(dict.fromkeys(problems)))
    return Code(meaning, {name: value for name, value in fields.items() if value})


def _swiss_qr_bill(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    """31 elements, one a line, then up to three that may be missing (4.2.2)."""
    if len(lines) < 31:
        return {}, ["element_missing"]
    problems = []
    if not re.fullmatch(r"02\d\d", lines[1]):
        problems.append("version_not_supported")
    if lines[2] != "1":
        problems.append("character_set_not_supported")
    if any(lines[34:]):
        problems.append("element_too_many")
    iban, amount, currency, kind, reference = lines[3].replace(" ", ""), lines[18], lines[19], lines[27], lines[28]
    if not _SWISS_IBAN.fullmatch(iban):
        problems.append("iban_malformed")
    elif not _iban_right(iban):
        problems.append("iban_check_digits_wrong")
    problems += _address_problems(lines[4:11], "creditor")
    if any(lines[11:18]):
        problems.append("reserved_element_filled")
    if amount and not _SWISS_AMOUNT.fullmatch(amount):
        problems.append("amount_malformed")
    if currency not in ("CHF", "EUR"):
        problems.append("currency_not_allowed")
    if any(lines[20:27]):
        problems += _address_problems(lines[20:27], "debtor")
    problems += _reference_problems(kind, reference, iban)
    if len(lines[29]) > 140 or lines[30] != "EPD":
        problems.append("message_too_long" if len(lines[29]) > 140 else "trailer_missing")
    fields = {
        "iban": iban, "total_amount": amount, "currency": currency, "payment_reference": reference.replace(" ", ""),
        "issuer": " ".join(lines[5].split()),
    }  # fmt: skip
    return fields, problems


def _address_problems(lines: list[str], whose: str) -> list[str]:
    """Type S (structured) or K (combined, until 2.2), name, two lines or street and number, postcode, town, country."""
    kind, name, _, _, postcode, town, country = lines
    right = kind in ("S", "K") and 0 < len(name) <= 70 and re.fullmatch(r"[A-Z]{2}", country) is not None
    right = right and (bool(postcode and town) if kind == "S" else not (postcode or town))
    return [] if right else [f"{whose}_malformed"]


def _reference_problems(kind: str, reference: str, iban: str) -> list[str]:
    """A QR-IBAN (bank 30000 to 31999) goes with a QR reference, and only with it (4.2.2, reference type)."""
    bank = iban[4:9]
    is_qr_iban = bank.isdigit() and int(bank) in _QR_BANKS
    if kind not in ("QRR", "SCOR", "NON"):
        return ["reference_type_unknown"]
    if is_qr_iban != (kind == "QRR"):
        return ["reference_type_contradicts_iban"]
    compact = reference.replace(" ", "")
    if kind == "NON":
        return ["reference_not_expected"] if compact else []
    if kind == "QRR":
        right = bool(re.fullmatch(r"[0-9]{27}", compact)) and _qr_reference_right(compact)
    else:
        right = iso11649.is_valid(compact)
    return [] if right else ["reference_check_digit_wrong"]


def _qr_reference_right(digits: str) -> bool:
    """Modulo 10, recursive (Swiss Payment Standards, annex B)."""
    return bool(esr.calc_check_digit(digits[:-1]) == digits[-1])


def _epc(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    """Service tag, version, character set, identification, BIC, name, IBAN, amount, purpose, reference, text, note."""
    elements = (lines + [""] * 12)[:12]
    _, version, characters, identification, bic, name, iban, amount, _, reference, text, _ = elements
    problems = []
    if version not in ("001", "002"):
        problems.append("version_not_supported")
    if characters not in tuple("12345678"):
        problems.append("character_set_not_supported")
    if identification not in ("SCT", "INST"):
        problems.append("identification_unknown")
    if any(lines[12:]):
        problems.append("element_too_many")
    if (bic or version == "001") and not _BIC.fullmatch(bic):
        problems.append("bic_malformed")
    if not 0 < len(name) <= 70:
        problems.append("creditor_malformed")
    iban = iban.replace(" ", "").upper()
    if not _IBAN.fullmatch(iban):
        problems.append("iban_malformed")
    elif not _iban_right(iban):
        problems.append("iban_check_digits_wrong")
    match = _EPC_AMOUNT.fullmatch(amount)
    if amount and (match is None or not float(amount[3:])):
        problems.append("amount_malformed")
    if reference and text:
        problems.append("reference_and_text")
    compact = reference.replace(" ", "").upper()
    if compact.startswith("RF") and not iso11649.is_valid(compact):
        problems.append("reference_check_digit_wrong")
    total = f"{int(match[1])}.{match[2] or '':0<2}" if match else ""
    fields = {
        "iban": iban, "total_amount": total, "currency": "EUR", "payment_reference": compact,
        "issuer": " ".join(name.split()),
    }  # fmt: skip
    return fields, problems


def _plain(text: str) -> Code:
    compact = text.replace(" ", "").upper()
    if 5 <= len(compact) <= 25 and compact.startswith("RF") and iso11649.is_valid(compact):
        return Code("creditor_reference", {"payment_reference": compact})
    if _IBAN.fullmatch(compact) and _iban_right(compact):
        return Code("iban", {"iban": compact})
    if _URL.fullmatch(text):
        return Code("url")
    return Code(None)


def _iban_right(iban: str) -> bool:
    return bool(mod_97_10.is_valid(iban[4:] + iban[:4]))
