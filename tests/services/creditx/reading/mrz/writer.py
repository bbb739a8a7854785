"""Zones written by the book (ICAO Doc 9303-4 to 9303-7), apart from the code that reads them, and noise of OCR."""

import random
from dataclasses import dataclass, replace
from datetime import date

from hypothesis import strategies as st

from ecosystem.services.creditx.reading.mrz.lines import Line

STATES = ("UTO", "D", "CHE", "GBR", "USA", "FRA", "ESP", "IND", "UNO", "XXA", "EUE", "KOR", "AUT")
FORMATS = ("TD1", "TD2", "TD3", "MRV-A", "MRV-B")
LENGTH = {"TD1": 30, "TD2": 36, "TD3": 44, "MRV-A": 44, "MRV-B": 36}
_SURNAMES = (
    "ERIKSSON",
    "MUSTERMANN",
    "VAN DER BERG",
    "BECK",
    "LI",
    "KNOX",
    "MARCEL",
    "OBRIEN",
    "GARCIA LOPEZ",
    "ZIMMER",
)
_GIVEN = ("ANNA MARIA", "ERIKA", "MAX", "JEAN LUC", "ISAK", "YU", "PETER JOHN", "SOLEDAD", "MARC", "FELIX OTTO")
_NUMBER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True)
class Paper:
    """What an official wrote into a zone; states with their codes as in the zone, without fillers."""

    format: str
    surname: str
    given_names: str
    number: str
    nationality: str
    issuing_state: str
    birth: str
    sex: str
    expiry: str
    personal: str = ""

    def values(self) -> dict[str, str]:
        iso = {"D": "DEU"}
        found = {
            "surname": self.surname, "given_names": self.given_names, "document_number": self.number,
            "nationality": iso.get(self.nationality, self.nationality), "birth_date": self.birth, "sex": self.sex,
            "issuing_state": iso.get(self.issuing_state, self.issuing_state), "expiry_date": self.expiry,
        }  # fmt: skip
        return found | ({"personal_number": self.personal} if self.personal else {})


def digit(text: str) -> str:
    values = {"<": 0} | {char: at for at, char in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
    return str(sum(values[char] * (7, 3, 1)[at % 3] for at, char in enumerate(text)) % 10)


def written(paper: Paper) -> list[str]:
    """The lines of the zone."""
    length = LENGTH[paper.format]
    names = f"{paper.surname}<<{paper.given_names}".replace(" ", "<")
    birth, expiry = paper.birth[2:].replace("-", ""), paper.expiry[2:].replace("-", "")
    birth, expiry = birth + digit(birth), expiry + digit(expiry)
    sex = paper.sex.replace("X", "<")
    letter = {"TD1": "I<", "TD2": "I<", "TD3": "P<"}.get(paper.format, "V<")
    head = letter + paper.issuing_state.ljust(3, "<")
    nationality = paper.nationality.ljust(3, "<")
    number, extra = paper.number[:9].ljust(9, "<"), ""
    number += digit(number)
    if len(paper.number) > 9:
        number, extra = paper.number[:9] + "<", paper.number[9:] + digit(paper.number) + "<"
    if paper.format == "TD1":
        first = (head + number + (extra or paper.personal)).ljust(30, "<")
        composite = digit(first[5:] + birth + expiry + "<" * 11)
        return [first, birth + sex + expiry + nationality + "<" * 11 + composite, names[:30].ljust(30, "<")]
    data = number + nationality + birth + sex + expiry
    if paper.format == "TD3":
        personal = paper.personal.ljust(14, "<")
        personal += digit(personal) if paper.personal else "<"
        data += personal + digit(number + birth + expiry + personal)
    elif paper.format == "TD2":
        optional = (extra or paper.personal).ljust(7, "<")
        data += optional + digit(number + birth + expiry + optional)
    return [(head + names)[:length].ljust(length, "<"), data.ljust(length, "<")]


def as_lines(texts: list[str], *, exact: bool = False, page: int = 1) -> list[Line]:
    return [
        Line(text, page, (100.0, 700.0 + 40 * at, 1100.0, 730.0 + 40 * at), 1.0 if exact else 0.98, exact)
        for at, text in enumerate(texts)
    ]


def a_paper(format_: str = "TD3", **changes: str) -> Paper:
    paper = Paper(format_, "ERIKSSON", "ANNA MARIA", "D23145890", "UTO", "UTO", "1974-08-12", "F", "2031-04-15")
    return replace(paper, **changes)


def some_paper(chance: random.Random) -> Paper:
    format_ = chance.choice(FORMATS)
    state = chance.choice(STATES)
    shape = chance.choice(("digits", "prefix", "mixed", "short", "extended" if format_ == "TD1" else "prefix"))
    digits = "".join(chance.choice("0123456789") for _ in range(12))
    letters = "".join(chance.choice(_NUMBER[:26]) for _ in range(3))
    mixed = "".join(chance.choice(_NUMBER) for _ in range(9))
    number = {
        "digits": digits[:9], "prefix": letters[: chance.randint(1, 2)] + digits[:7], "mixed": mixed,
        "short": letters[:1] + digits[:7], "extended": letters[:1] + digits[:11],
    }[shape]  # fmt: skip
    personal = chance.choice(("", digits[3:10], mixed[:6])) if format_ in ("TD1", "TD2", "TD3") else ""
    return Paper(
        format_, chance.choice(_SURNAMES), chance.choice(_GIVEN), number[:12] if shape == "extended" else number[:9],
        state if chance.random() < 0.8 else chance.choice(STATES), state,
        date(chance.randint(1930, 2024), chance.randint(1, 12), chance.randint(1, 28)).isoformat(),
        chance.choice("FMFMFMX"),
        date(chance.randint(2020, 2036), chance.randint(1, 12), chance.randint(1, 28)).isoformat(),
        "" if shape == "extended" else personal,
    )  # fmt: skip


def papers() -> st.SearchStrategy[Paper]:
    return st.integers(0, 2**32).map(lambda seed: some_paper(random.Random(seed)))
