"""The fictional people, places and firms that documents are about."""

import random
from dataclasses import dataclass

_FIRST = (
    "Anna", "Beat", "Chiara", "David", "Elena", "Felix", "Greta", "Hugo", "Irène", "Jonas", "Katharina", "Léo",
    "Miriam", "Noah", "Olivia", "Paul", "Renée", "Samuel", "Thérèse", "Urs",
)  # fmt: skip
_LAST = (
    "Ammann", "Brunner", "Caduff", "Dubois", "Egger", "Favre", "Gerber", "Hofer", "Iten", "Jäggi", "Keller", "Lüthi",
    "Meier", "Nägeli", "Oberli", "Probst", "Rochat", "Schär", "Tanner", "Widmer",
)  # fmt: skip
_STREETS = ("Lindenweg", "Rue du Lac", "Bahnhofstrasse", "Via Nova", "Mill Lane", "Seefeldstrasse", "Chemin des Vignes")
_TOWNS = (
    ("8008 Zürich", "Switzerland"), ("1003 Lausanne", "Switzerland"), ("6900 Lugano", "Switzerland"),
    ("80331 München", "Germany"), ("1010 Wien", "Austria"), ("9490 Vaduz", "Liechtenstein"),
)  # fmt: skip
_FIRMS = (
    "Alder",
    "Brightwater",
    "Cobalt",
    "Drifthaven",
    "Eastgate",
    "Fernhill",
    "Granite",
    "Heron",
    "Ivory",
    "Juniper",
)
_TRADES = ("Logistics", "Instruments", "Trading", "Software", "Catering", "Textiles", "Partners", "Timber")
_FORMS = ("AG", "GmbH", "SA", "Ltd")
_BANKS = (
    ("Kestrel Bank", "KSTL"),
    ("Bank of the Seven Lakes", "BSLK"),
    ("Aurora Savings", "AURS"),
    ("Mont Clair", "MTCL"),
)
_AUTHORITIES = ("Town Hall of Amberfield", "Lakeside Energy", "Municipal Water Works", "Residents' Office Northbank")
_OCCUPATIONS = ("Carpenter", "Physician", "Teacher", "Software engineer", "Accountant", "Retired", "Translator")
_NATIONALITIES = ("Swiss", "German", "Austrian", "Italian", "French", "Portuguese")


@dataclass(frozen=True)
class Bank:
    name: str
    bic: str
    country: str
    currency: str


class World:
    """Draws people, places and firms; the same generator draws the same ones."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def person(self) -> str:
        return f"{self._rng.choice(_FIRST)} {self._rng.choice(_LAST)}"

    def address(self) -> str:
        town, country = self._rng.choice(_TOWNS)
        return f"{self._rng.choice(_STREETS)} {self._rng.randint(1, 180)}, {town}, {country}"

    def firm(self) -> str:
        choice = self._rng.choice
        return f"{choice(_FIRMS)} {choice(_TRADES)} {choice(_FORMS)}"

    def bank(self) -> Bank:
        name, letters = self._rng.choice(_BANKS)
        country = self._rng.choice(("CH", "DE", "AT", "LI"))
        branch = self._rng.choice(("", "XXX", "80A"))
        return Bank(name, f"{letters}{country}2{self._rng.choice('ALX')}{branch}", country, self.currency(country))

    def currency(self, country: str) -> str:
        return "CHF" if country in ("CH", "LI") else "EUR"

    def authority(self) -> str:
        return self._rng.choice(_AUTHORITIES)

    def occupation(self) -> str:
        return self._rng.choice(_OCCUPATIONS)

    def nationality(self) -> str:
        return self._rng.choice(_NATIONALITIES)

    def reference(self) -> str:
        """A register or document number."""
        digits = self._rng.randint(100, 999), self._rng.randint(100, 999), self._rng.randint(100, 999)
        return self._rng.choice(("CHE-{0}.{1}.{2}", "HRB {0}{1}", "{0}-{1}/{2}", "R{0}{1}{2}")).format(*digits)
