"""Machine readable zones after ICAO 9303: parts 4 (TD3), 5 (TD1), 6 (TD2) and 7 (MRV-A, MRV-B)."""

import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

_WEIGHTS = (7, 3, 1)
_SPELT = {
    "Ä": "AE", "Ö": "OE", "Ü": "UE", "ß": "SS", "Æ": "AE", "Œ": "OE", "Ø": "OE", "Å": "AA", "Þ": "TH", "Ð": "D",
    "Ñ": "N", "-": "<", " ": "<", "'": "", "’": "", ",": "", ".": "",
}  # fmt: skip
"""Part 3, section 6: what letters beyond A to Z become; hyphens and spaces become fillers, apostrophes nothing."""

_STATES = {"DEU": "D"}


class Format(StrEnum):
    TD1 = "TD1"
    TD2 = "TD2"
    TD3 = "TD3"
    MRV_A = "MRV-A"
    MRV_B = "MRV-B"

    @property
    def line_length(self) -> int:
        return {"TD1": 30, "TD2": 36, "MRV-B": 36}.get(self.value, 44)


@dataclass(frozen=True)
class Bearer:
    surname: str
    given_names: str
    document_number: str
    """At most nine characters, A to Z and 0 to 9."""
    nationality: str
    birth_date: date
    sex: str
    expiry_date: date
    issuing_state: str
    personal_number: str = ""


def check_digit(text: str) -> str:
    """Weights 7, 3, 1; digits count as themselves, letters from A = 10, the filler as 0; the sum by 10."""
    values = (0 if character == "<" else int(character, 36) for character in text)
    return str(sum(value * _WEIGHTS[position % 3] for position, value in enumerate(values)) % 10)


def lines(bearer: Bearer, form: Format, code: str) -> tuple[str, ...]:
    """`code`: the one or two letters that name the kind of document (P, I, V and one more)."""
    state = _state(bearer.issuing_state)
    kind = code.ljust(2, "<")
    number = _checked(bearer.document_number.ljust(9, "<"))
    birth, expiry = _checked(f"{bearer.birth_date:%y%m%d}"), _checked(f"{bearer.expiry_date:%y%m%d}")
    sex = bearer.sex if bearer.sex in "FM" else "<"
    personal = bearer.personal_number.upper()
    length = form.line_length
    if form is Format.TD1:
        first = f"{kind}{state}{number}".ljust(30, "<")
        second = f"{birth}{sex}{expiry}{_state(bearer.nationality)}{personal.ljust(11, '<')}"
        composite = check_digit(first[5:30] + second[0:7] + second[8:15] + second[18:29])
        return first, second + composite, _names(bearer, 30)
    first = f"{kind}{state}{_names(bearer, length - 5)}"
    second = f"{number}{_state(bearer.nationality)}{birth}{sex}{expiry}"
    if form in (Format.MRV_A, Format.MRV_B):
        return first, f"{second}{personal}".ljust(length, "<")
    if form is Format.TD2:
        second += personal.ljust(7, "<")
    else:
        second += personal.ljust(14, "<") + (check_digit(personal.ljust(14, "<")) if personal else "<")
    return first, second + check_digit(second[0:10] + second[13:20] + second[21:])


def transliterated(text: str) -> str:
    spelt = "".join(_SPELT.get(character, character) for character in text.upper())
    plain = unicodedata.normalize("NFKD", spelt)
    return "".join(
        character for character in plain if character.isascii() and (character.isalnum() or character == "<")
    )


def _state(alpha3: str) -> str:
    """Germany is D in machine readable zones (part 3, section 5)."""
    return _STATES.get(alpha3, alpha3).ljust(3, "<")


def _checked(text: str) -> str:
    return text + check_digit(text)


def _names(bearer: Bearer, length: int) -> str:
    """Surname, two fillers, given names; too long ones lose the end of the given names, then that of the surname."""
    surname, given = transliterated(bearer.surname), transliterated(bearer.given_names)
    if len(surname) + len(given) + 2 > length:
        surname = surname[: max(length - 2 - len(given), length // 2)].rstrip("<")
        given = given[: length - 2 - len(surname)].rstrip("<")
    return f"{surname}<<{given}".ljust(length, "<")
