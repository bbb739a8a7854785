"""The fictional people, places and firms that documents are about."""

import random
from dataclasses import dataclass
from typing import Any

from specimens import numbers, texts

_IBAN_COUNTRY = {"US": "GB"}


@dataclass(frozen=True)
class Person:
    given_names: str
    surname: str
    sex: str

    @property
    def name(self) -> str:
        return f"{self.given_names} {self.surname}"


@dataclass(frozen=True)
class Address:
    street: str
    town: str
    country: str
    """Its name in the language of the document."""

    @property
    def lines(self) -> tuple[str, ...]:
        return self.street, self.town, self.country

    @property
    def text(self) -> str:
        return ", ".join(self.lines)


@dataclass(frozen=True)
class Firm:
    name: str
    legal_form: str
    """The long form, as a register prints it."""


@dataclass(frozen=True)
class Bank:
    name: str
    bic: str
    country: str
    currency: str


class World:
    """Draws people, places and firms of one country in one language; the same generator draws the same ones."""

    def __init__(self, rng: random.Random, language: str, country: str) -> None:
        self._rng, self.language, self.country = rng, language, country
        self._facts: dict[str, Any] = texts.countries()[country]
        self._names: dict[str, Any] = texts.names(language)
        self._words: dict[str, Any] = texts.words(language)

    def person(self) -> Person:
        rng, names = self._rng, self._names
        sex = rng.choice(("F", "M"))
        given = [rng.choice(names["female" if sex == "F" else "male"])]
        if rng.random() < 0.3:
            given.append(rng.choice(names["female" if sex == "F" else "male"]))
        surname = rng.choice(names["long"]) if rng.random() < 0.08 else rng.choice(names["surnames"])
        return Person(" ".join(dict.fromkeys(given)), surname, sex)

    def address(self) -> Address:
        rng, language = self._rng, self.language
        street, number = rng.choice(self._facts["streets"][language]), rng.randint(1, 180)
        suffix = rng.choice(("", "", "", "a", " bis" if language == "fr" else "b"))
        match self.country:
            case "GB" | "IE" | "US":
                line = f"{number} {street}"
            case "FR":
                line = f"{number}{suffix}, {street}" if rng.random() < 0.5 else f"{number}{suffix} {street}"
            case "ES":
                line = f"{street}, {number}" + rng.choice(("", ", 3.º B", ", bajo"))
            case _:
                line = f"{street} {number}{suffix}"
        return Address(line, rng.choice(self._facts["towns"][language]), self._facts["names"][language])

    def firm(self) -> Firm:
        choice = self._rng.choice
        short, long = choice(self._facts["forms"][self.language])
        first, trade = choice(self._names["firms"]), choice(self._names["trades"])
        return Firm(f"{first} {trade} {short}", long)

    def bank(self) -> Bank:
        name, letters = self._rng.choice(self._names["banks"])
        country = _IBAN_COUNTRY.get(self.country, self.country)
        branch = self._rng.choice(("", "XXX", "80A"))
        return Bank(name, f"{letters}{country}2{self._rng.choice('ALX')}{branch}", country, self._facts["currency"])

    @property
    def currency(self) -> str:
        return str(self._facts["currency"])

    @property
    def alpha3(self) -> str:
        return str(self._facts["alpha3"])

    def register(self) -> str:
        return str(self._facts["registers"][self.language])

    def tax_office(self) -> str:
        return str(self._facts["tax_offices"][self.language])

    def provider(self) -> str:
        return str(self._rng.choice(self._names["providers"]))

    def occupation(self) -> str:
        return str(self._rng.choice(self._words["occupations"]))

    def source_of_funds(self) -> str:
        return str(self._rng.choice(self._words["sources_of_funds"]))

    def nationality(self) -> str:
        return str(self._rng.choice(list(self._words["nationalities"].values())))

    def phone(self) -> str:
        return str(self._facts["phone"]).format(self._rng.randint(0, 99), self._rng.randint(0, 99))

    def registration_number(self) -> str:
        rng, town = self._rng, self._rng.choice(self._facts["towns"][self.language])
        match self.country:
            case "CH":
                return numbers.swiss_uid(rng)
            case "DE":
                return f"HRB {rng.randint(1000, 299_999)}"
            case "AT":
                return f"FN {rng.randint(10_000, 599_999)}{rng.choice('abdfghikmp')}"
            case "FR":
                return f"{numbers.siren(rng)} RCS {town.split(' ', 1)[1]}"
            case "ES":
                return f"{rng.choice(('M', 'B', 'SE'))}-{rng.randint(10_000, 699_999)}"
            case "BE":
                return f"0{rng.randint(400, 799)}.{rng.randint(100, 999)}.{rng.randint(100, 999)}"
            case "LU":
                return f"B{rng.randint(10_000, 299_999)}"
            case "LI":
                return f"FL-0002.{rng.randint(100, 699)}.{rng.randint(100, 999)}-{rng.randint(1, 9)}"
            case "GB":
                return rng.choice((f"{rng.randint(1_000_000, 15_999_999):08d}", f"SC{rng.randint(100_000, 799_999)}"))
            case _:
                return str(rng.randint(100_000, 7_999_999))

    def tax_number(self) -> str:
        rng, digits = self._rng, numbers.digits
        match self.country:
            case "CH":
                return f"756.{digits(rng, 4)}.{digits(rng, 4)}.{digits(rng, 2)}"
            case "DE":
                return f"{digits(rng, 3)}/{digits(rng, 4)}/{digits(rng, 4)}"
            case "AT":
                return f"{digits(rng, 2)}-{digits(rng, 3)}/{digits(rng, 4)}"
            case "FR":
                return f"{digits(rng, 2)} {digits(rng, 2)} {digits(rng, 3)} {digits(rng, 3)} {digits(rng, 3)}"
            case "ES":
                return numbers.spanish_nif(rng)
            case "GB":
                return f"{digits(rng, 5)} {digits(rng, 5)}"
            case "US":
                return f"{rng.randint(900, 999)}-{digits(rng, 2)}-{digits(rng, 4)}"
            case _:
                return f"{digits(rng, 3)}.{digits(rng, 3)}.{digits(rng, 3)}"
