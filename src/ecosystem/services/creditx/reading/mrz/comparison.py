"""A zone against what is printed above it. Source: ICAO Doc 9303-3, 4.6 to 4.9 and 6; 9303-4, 4.2.3 (truncation)."""

from collections.abc import Mapping
from typing import Literal

from ecosystem.services.creditx.reading.mrz import states
from ecosystem.services.creditx.reading.mrz.building import MachineReadableZone
from ecosystem.services.creditx.reading.mrz.characters import as_digits
from ecosystem.services.creditx.reading.mrz.transliteration import matches, written_as

Verdict = Literal["same", "different", "not_printed"]
FIELDS = (
    "surname", "given_names", "document_number", "nationality", "birth_date", "sex", "expiry_date", "issuing_state",
    "personal_number",
)  # fmt: skip
_SEX = {"M": "M", "F": "F", "X": "X", "W": "F", "H": "M", "V": "M", "<": "X"}


def compare(zone: MachineReadableZone, values: Mapping[str, str], printed: Mapping[str, str]) -> dict[str, Verdict]:
    """For each field of the zone whether the print says the same.

    `values` are those of `values_of` by name, `printed` those read from the print by name: dates ISO 8601, sex `F`,
    `M` or `X`, states as three-letter codes, names as printed. What is printed in a script or form that cannot be
    compared counts as not printed. Letters and digits that readers confuse (O and 0) make no difference.
    """
    return {name: _verdict(zone, name, values[name], printed.get(name)) for name in FIELDS if name in values}


def _verdict(zone: MachineReadableZone, name: str, value: str, printed: str | None) -> Verdict:
    if printed is None or not printed.strip():
        return "not_printed"
    same: bool | None
    if name in ("surname", "given_names"):
        same = _names_agree(zone, name, value, printed)
    elif name in ("nationality", "issuing_state"):
        same = _states_agree(value, printed)
    elif name in ("document_number", "personal_number"):
        same = _folded(value) == _folded(printed)
    elif name == "sex":
        same = _SEX.get(printed.strip().upper()[:1], "?") == value
    else:
        same = printed.strip() == value
    return "not_printed" if same is None else "same" if same else "different"


def _names_agree(zone: MachineReadableZone, name: str, value: str, printed: str) -> bool | None:
    choices = written_as(printed)
    if choices is None:
        return None
    last = name == "given_names" or not zone.names.given_names
    if matches(choices, value, truncated=zone.names.truncated and last):
        return True
    # A long name is shortened in every part, or its later parts are left out.
    words = value.split()
    parts = [written_as(part) or [] for part in printed.replace("-", " ").split()]
    return (
        zone.names.truncated
        and len(words) <= len(parts)
        and all(matches(part, word, truncated=True) for part, word in zip(parts, words, strict=False))
    )


def _states_agree(value: str, printed: str) -> bool | None:
    code = printed.strip().upper()
    return states.iso(code) == states.iso(value) if code in states.CODES else None


def _folded(number: str) -> str:
    return as_digits("".join(char for char in number.upper() if char.isascii() and char.isalnum()))
