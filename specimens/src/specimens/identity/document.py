"""What stands on a passport, an identity card or a visa, and how its faults are planted."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from specimens import texts
from specimens.draft import Brief
from specimens.identity import mrz
from specimens.identity.mrz import Bearer, Format
from specimens.model import Fault, Kind

STATES: Mapping[str, tuple[str, ...]] = {
    "en": ("UTO", "UTO", "UTO", "GBR", "IRL"),
    "fr": ("UTO", "FRA", "CHE", "BEL", "LUX"),
    "de": ("UTO", "DEU", "CHE", "AUT", "LIE"),
    "es": ("UTO", "ESP"),
}
"""Utopia is the state that ICAO 9303 itself takes for its specimens."""

_UTOPIAN_TOWNS = ["Zenith", "Amberfield", "Northport", "Saint Brendan", "Lake Verity", "Old Harbour"]
_CODES = {Kind.PASSPORT: ("P",), Kind.IDENTITY_CARD: ("I", "ID"), Kind.VISA: ("V", "VC")}
_FORMATS = {
    Kind.PASSPORT: (Format.TD3,),
    Kind.IDENTITY_CARD: (Format.TD1, Format.TD1, Format.TD2),
    Kind.VISA: (Format.MRV_A, Format.MRV_B),
}
_NUMBER_LETTERS = "ABCDEFGHJKLMNPRTVWXYZ"
_OPTIONAL_LENGTH = {Format.TD1: 11, Format.TD2: 7, Format.TD3: 14, Format.MRV_A: 16, Format.MRV_B: 8}


@dataclass(frozen=True)
class Identity:
    """`printed` is what stands in the visual zone; `fields` the same, normalised, with the zone for machines."""

    kind: Kind
    form: Format
    state: str
    code: str
    title: str
    sex: str
    printed: Mapping[str, str]
    fields: Mapping[str, str]
    zone: tuple[str, ...]


def identity(kind: Kind, brief: Brief, state: str) -> Identity:
    rng, world = brief.rng, brief.world
    form, code, person = rng.choice(_FORMATS[kind]), rng.choice(_CODES[kind]), world.person()
    issued, expires = _validity(brief, kind)
    nationality = state if kind is not Kind.VISA else rng.choice(("UTO", "IND", "BRA", "KEN", "USA", "JPN"))
    sex = "X" if rng.random() < 0.04 else person.sex
    bearer = Bearer(
        person.surname.upper(), person.given_names.upper(), _number(rng), nationality,
        brief.day_ago(19 * 365, 78 * 365), sex, expires, state, _personal_number(rng, form, kind),
    )  # fmt: skip
    zone = mrz.lines(bearer, form, code)
    if brief.fault is Fault.WRONG_MRZ_CHECK_DIGIT:
        zone = _with_wrong_digit(rng, zone, form)
    shown = _contradicted(rng, bearer) if brief.fault is Fault.MRZ_CONTRADICTS_PRINT else bearer
    values = {
        "surname": shown.surname, "given_names": shown.given_names, "document_number": shown.document_number,
        "nationality": shown.nationality, "birth_date": shown.birth_date.isoformat(), "sex": shown.sex,
        "issue_date": issued.isoformat(), "expiry_date": expires.isoformat(), "issuing_state": state,
    }  # fmt: skip
    if kind is Kind.VISA:
        values["visa_type"] = rng.choice(("C", "D", "TOURIST", "BUSINESS"))
    else:
        towns = _UTOPIAN_TOWNS if state == "UTO" else _towns(world.language, world.country)
        values["birth_place"] = rng.choice(towns).upper()
        if bearer.personal_number:
            values["personal_number"] = bearer.personal_number
    printed = {name: _printed(name, value, brief) for name, value in values.items()}
    title = rng.choice(brief.words["titles"][kind])
    return Identity(kind, form, state, code, title, sex, printed, {**values, "mrz": "\n".join(zone)}, zone)


def _validity(brief: Brief, kind: Kind) -> tuple[date, date]:
    rng, years = brief.rng, brief.rng.choice((5, 10)) if kind is not Kind.VISA else 1
    if brief.fault is Fault.EXPIRED:
        expires = brief.as_of - timedelta(days=rng.randint(8, 900))
    else:
        expires = brief.as_of + timedelta(
            days=rng.randint(120, 365 * years - 40) if years > 1 else rng.randint(60, 320)
        )
    return expires - timedelta(days=365 * years + years // 4 - 1), expires


def _number(rng: random.Random) -> str:
    digits = "".join(rng.choice("0123456789") for _ in range(9))
    letters = "".join(rng.choice(_NUMBER_LETTERS) for _ in range(2))
    return rng.choice((digits, f"{letters[0]}{digits[:7]}", f"{letters}{digits[:7]}", f"{letters[0]}{digits[:8]}"))


def _personal_number(rng: random.Random, form: Format, kind: Kind) -> str:
    if kind is Kind.VISA or rng.random() < 0.5:
        return ""
    length = min(_OPTIONAL_LENGTH[form], 10)
    return "".join(rng.choice("0123456789") for _ in range(length))


def _with_wrong_digit(rng: random.Random, zone: tuple[str, ...], form: Format) -> tuple[str, ...]:
    """One check digit becomes another digit: that of the number, of the birth date, or of the expiry date."""
    if form is Format.TD1:
        line, at = rng.choice(((0, 14), (1, 6), (1, 14)))
    else:
        line, at = 1, rng.choice((9, 19, 27))
    wrong = str((int(zone[line][at]) + rng.randint(1, 9)) % 10)
    changed = zone[line][:at] + wrong + zone[line][at + 1 :]
    return *zone[:line], changed, *zone[line + 1 :]


def _contradicted(rng: random.Random, bearer: Bearer) -> Bearer:
    """The print says something else than the zone: another birth date or another number."""
    if rng.random() < 0.5:
        return replace(bearer, birth_date=bearer.birth_date - timedelta(days=rng.randint(400, 3000)))
    number = bearer.document_number
    at = len(number) - rng.randint(1, 3)
    return replace(
        bearer, document_number=f"{number[:at]}{(int(number[at]) + rng.randint(1, 9)) % 10}{number[at + 1 :]}"
    )


def _towns(language: str, country: str) -> list[str]:
    towns = texts.countries()[country]["towns"][language]
    return [" ".join(word for word in town.split() if not any(letter.isdigit() for letter in word)) for town in towns]


def _printed(name: str, value: str, brief: Brief) -> str:
    if name.endswith("_date"):
        day = date.fromisoformat(value)
        month = str(brief.words["months"][day.month - 1])[:3].upper()
        match brief.world.language:
            case "en":
                return f"{day.day:02d} {month} {day.year}"
            case "de":
                return f"{day:%d.%m.%Y}"
            case _:
                return f"{day:%d %m %Y}"
    if name in ("nationality", "issuing_state") and value == "DEU":
        return "D"
    return value
