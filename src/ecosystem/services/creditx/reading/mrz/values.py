"""The values of a zone, each with what proves it and where it stands. Source: ICAO Doc 9303-3, section 4."""

from datetime import date
from typing import Any

from ecosystem.services.creditx.reading.mrz import states
from ecosystem.services.creditx.reading.mrz.building import MachineReadableZone
from ecosystem.services.creditx.reading.mrz.characters import FILLER, LIKE_FILLER, UNTELLABLE
from ecosystem.services.creditx.reading.mrz.fitting import sex_of
from ecosystem.services.creditx.reading.mrz.formats import MRV_A, MRV_B, TD1, TD2, TD3, Place
from ecosystem.services.creditx.reading.mrz.lines import Box

FORMATS = {format_.name: format_ for format_ in (TD1, TD2, TD3, MRV_A, MRV_B)}

_PROVED, _PROVED_EXACT = 0.99, 0.99
_PER_REPAIR = 0.02
_DOUBTED, _UNTELLABLE, _GUESSED, _WRONG = 0.7, 0.85, 0.85, 0.4
_EXACT, _AGREEING, _ONE_LETTER = 0.97, 0.95, 0.93
_NAMES_SURE, _NAMES_UNSURE = 0.88, 0.6
_UNKNOWN_STATE = 0.3
_COMPOSITE_WRONG = 0.8
_EXPIRY_YEARS_AHEAD = 50


def values_of(zone: MachineReadableZone, *, today: date) -> list[dict[str, Any]]:
    """Values as in the contract of a reading, `part` 1, method `mrz`; an element that cannot be read has none.

    Confidence is 0.99 where a check digit proves the element without repair, less with repairs, and below 0.9 where
    no check digit covers it and it can be misread unnoticed (names). `today` decides the century of years of two
    digits: a birth lies in the past, an expiry within 50 years.
    """
    found = [
        _value(zone, "surname", zone.names.surname, _surname_place(zone), _of_names(zone)),
        _value(zone, "given_names", zone.names.given_names, _given_place(zone), _of_names(zone)),
        _value(zone, "document_number", zone.document_number, _place(zone, "document_number"), _of_number(zone)),
        _value(zone, "nationality", *_state(zone, "nationality")),
        _value(zone, "birth_date", _birth(zone, today), _place(zone, "birth_date"), _of(zone, "birth_date")),
        _value(zone, "sex", _sex(zone), _place(zone, "sex"), _of_sex(zone)),
        _value(zone, "expiry_date", _expiry(zone, today), _place(zone, "expiry_date"), _of(zone, "expiry_date")),
        _value(zone, "issuing_state", *_state(zone, "issuing_state")),
        _personal_number(zone),
        _value(zone, "mrz", "\n".join(zone.lines) if all(zone.lines) else None, None, _of_zone(zone)),
    ]
    return [value for value in found if value is not None and value["raw"]]


def _value(
    zone: MachineReadableZone, name: str, value: str | None, place: Place | None, confidence: float
) -> dict[str, Any] | None:
    if not value:
        return None
    raw = "\n".join(zone.lines) if place is None else zone.lines[place.line][place.start : place.end]
    return {
        "name": name, "value": value, "raw": raw, "page": zone.page, "box": _box(zone, place),
        "confidence": round(confidence, 2), "method": "mrz", "currency": None, "ambiguous": False, "part": 1,
    }  # fmt: skip


def _box(zone: MachineReadableZone, place: Place | None) -> Box:
    """The element's share of its line: all characters of a zone are as wide as each other."""
    if place is None:
        return zone.box
    left, top, right, bottom = zone.line_boxes[place.line]
    width = (right - left) / FORMATS[zone.format].length
    return (round(left + place.start * width, 1), top, round(left + place.end * width, 1), bottom)


def _place(zone: MachineReadableZone, name: str) -> Place:
    return FORMATS[zone.format].places[name]


def _text(zone: MachineReadableZone, name: str) -> str:
    place = _place(zone, name)
    return zone.lines[place.line][place.start : place.end]


def _surname_place(zone: MachineReadableZone) -> Place:
    place = _place(zone, "names")
    return Place(place.line, place.start, min(place.start + len(zone.names.surname), place.end))


def _given_place(zone: MachineReadableZone) -> Place:
    place = _place(zone, "names")
    start = min(place.start + len(zone.names.surname) + 2, place.end)
    return Place(place.line, start, min(start + len(zone.names.given_names), place.end))


def _of(zone: MachineReadableZone, check: str) -> float:
    """Confidence in an element that a check digit covers."""
    proof = zone.proofs["optional" if check == "personal_number" else check]
    if not zone.checks[check]:
        return _WRONG
    if proof.doubted:
        return _DOUBTED
    confidence = _PROVED - _PER_REPAIR * proof.repaired
    if not zone.checks.get("composite", True):
        return min(confidence, _COMPOSITE_WRONG)
    return min(confidence, _UNTELLABLE) if proof.untellable and not zone.exact else confidence


def _of_number(zone: MachineReadableZone) -> float:
    return min(_of(zone, "document_number"), _GUESSED if zone.number_guessed else 1.0)


def _of_names(zone: MachineReadableZone) -> float:
    if zone.names.truncated or not zone.names.sure:
        return min(_NAMES_UNSURE, zone.confidence)
    return _EXACT if zone.exact else min(_NAMES_SURE, zone.confidence)


def _of_zone(zone: MachineReadableZone) -> float:
    """All characters right: no surer than the names, which nothing proves."""
    if zone.truncated:
        return _WRONG
    return min([_of_names(zone), *(_of(zone, check) for check in zone.checks if check != "composite")])


def _of_sex(zone: MachineReadableZone) -> float:
    if zone.raw_sex not in "MF":
        return _NAMES_UNSURE if not zone.exact else _EXACT
    return _EXACT if zone.exact else min(_ONE_LETTER, zone.confidence)


def _sex(zone: MachineReadableZone) -> str:
    sex = sex_of(_text(zone, "sex"))
    return {FILLER: "X"}.get(sex, sex)


def _state(zone: MachineReadableZone, name: str) -> tuple[str, Place, float]:
    code = _text(zone, name).rstrip(FILLER)
    other = _text(zone, "nationality" if name == "issuing_state" else "issuing_state").rstrip(FILLER)
    place = _place(zone, name)
    if code not in states.CODES:
        return code, place, _UNKNOWN_STATE
    if zone.exact:
        return states.iso(code), place, _EXACT
    raw_agrees = code == other
    return states.iso(code), place, min(_AGREEING if raw_agrees else _NAMES_SURE, max(zone.confidence, 0.5))


def _personal_number(zone: MachineReadableZone) -> dict[str, Any] | None:
    if "optional" in zone.proofs and "personal_number" not in zone.checks:
        return None  # its line ends too early
    if "personal_number" in zone.checks:
        text = _text(zone, "optional").strip(FILLER)
        return _value(zone, "personal_number", text, _place(zone, "optional"), _of(zone, "personal_number"))
    if zone.format not in ("TD1", "TD2"):
        return None
    for name in ("optional", "optional_2"):
        if name in FORMATS[zone.format].places and (text := _text(zone, name).strip(FILLER)):
            if name == "optional" and zone.proofs["document_number"].digit == FILLER:
                continue  # it carries the end of the document number
            sure = zone.checks.get("composite") and all(zone.checks.values()) and not zone.doubts
            untellable = not zone.exact and (text[-1] in LIKE_FILLER or bool(UNTELLABLE & set(text)))
            confidence = _UNTELLABLE if untellable else _AGREEING
            return _value(zone, "personal_number", text, _place(zone, name), confidence if sure else _WRONG)
    return None


def _birth(zone: MachineReadableZone, today: date) -> str | None:
    text = _text(zone, "birth_date")
    if not text.isdigit():
        return None
    year = today.year - today.year % 100 + int(text[:2])
    born = _date(year, text)
    if born is None or born > today:
        born = _date(year - 100, text)
    return born.isoformat() if born else None


def _expiry(zone: MachineReadableZone, today: date) -> str | None:
    text = _text(zone, "expiry_date")
    if not text.isdigit():
        return None
    year = today.year - today.year % 100 + int(text[:2])
    if year >= today.year + _EXPIRY_YEARS_AHEAD:
        year -= 100
    elif year < today.year + _EXPIRY_YEARS_AHEAD - 100:
        year += 100
    ends = _date(year, text)
    return ends.isoformat() if ends else None


def _date(year: int, text: str) -> date | None:
    try:
        return date(year, int(text[2:4]), int(text[4:6]))
    except ValueError:
        return None
