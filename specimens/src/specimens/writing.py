"""How one document writes its dates, amounts and account numbers."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from specimens import texts

_Style = Callable[[date], str]
_MONTHS = texts.words("en")["months"]

_NUMERIC: dict[str, _Style] = {
    "iso": lambda day: day.isoformat(),
    "dotted": lambda day: f"{day:%d.%m.%Y}",
    "dotted_bare": lambda day: f"{day.day}.{day.month}.{day.year}",
    "slashed": lambda day: f"{day:%d/%m/%Y}",
    "dashed": lambda day: f"{day:%d-%m-%Y}",
    "month_first": lambda day: f"{day:%m/%d/%Y}",
    "short": lambda day: f"{day.day} {_MONTHS[day.month - 1][:3]} {day.year}",
    "american": lambda day: f"{_MONTHS[day.month - 1]} {day.day}, {day.year}",
}
_SEPARATORS = {"apostrophe": ("'", "."), "point": (".", ","), "space": (" ", ","), "comma": (",", ".")}


@dataclass(frozen=True)
class Hand:
    """The habits of whoever wrote the document: one way of writing each thing, all through."""

    language: str
    country: str
    date_style: str
    numbers: str
    code_first: bool
    iban_grouped: bool

    @classmethod
    def of(cls, rng: random.Random, language: str, country: str) -> "Hand":
        facts: dict[str, Any] = texts.countries()[country]
        numbers = facts["numbers"]
        if country == "CH" and language == "en":
            numbers = rng.choice(("apostrophe", "comma"))
        if country in ("AT", "LU"):
            numbers = rng.choice(("point", "space"))
        return cls(
            language, country, rng.choice(facts["dates"][language]), numbers, rng.random() < 0.5, rng.random() < 0.7
        )

    def column_date(self, day: date) -> str:
        """In a table, where there is no room for the name of a month."""
        if self.date_style not in ("long", "short", "american"):
            return self.date(day)
        styles = texts.countries()[self.country]["dates"][self.language]
        return _NUMERIC[next(style for style in styles if style not in ("long", "short", "american"))](day)

    def date(self, day: date) -> str:
        if self.date_style != "long":
            return _NUMERIC[self.date_style](day)
        month = texts.words(self.language)["months"][day.month - 1]
        match self.language:
            case "de":
                # Austria says Jänner.
                return f"{day.day}. {'Jänner' if self.country == 'AT' and day.month == 1 else month} {day.year}"
            case "fr":
                return f"{'1er' if day.day == 1 else day.day} {month} {day.year}"
            case "es":
                return f"{day.day} de {month} de {day.year}"
            case _:
                return f"{day.day} {month} {day.year}"

    def number(self, amount: Decimal, places: int = 2) -> str:
        thousands, decimal = _SEPARATORS[self.numbers]
        return f"{amount:,.{places}f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands)

    def amount(self, amount: Decimal, currency: str, places: int = 2) -> str:
        number = self.number(amount, places)
        return f"{currency} {number}" if self.code_first else f"{number} {currency}"

    def iban(self, iban: str) -> str:
        return grouped(iban) if self.iban_grouped else iban


def grouped(number: str, size: int = 4) -> str:
    """Groups of four from the left, as an IBAN or a creditor reference is printed."""
    return " ".join(number[start : start + size] for start in range(0, len(number), size))
