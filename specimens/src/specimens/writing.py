"""How one document writes its dates, amounts and account numbers; and how an IBAN is made."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

_DATES: dict[str, Callable[[date], str]] = {
    "iso": lambda day: day.isoformat(),
    "long": lambda day: f"{day.day} {_MONTHS[day.month - 1]} {day.year}",
    "short": lambda day: f"{day.day} {_MONTHS[day.month - 1][:3]} {day.year}",
    "american": lambda day: f"{_MONTHS[day.month - 1]} {day.day}, {day.year}",
    "day_first": lambda day: f"{day:%d/%m/%Y}",
    "month_first": lambda day: f"{day:%m/%d/%Y}",
}


@dataclass(frozen=True)
class Hand:
    """The habits of whoever wrote the document: one way of writing each thing, all through."""

    date_style: str
    thousands: str
    code_first: bool
    iban_grouped: bool

    @classmethod
    def of(cls, rng: random.Random, locale: str | None) -> "Hand":
        """Numeric dates such as 01/02/2026 are written only where `locale` says how they are meant."""
        styles = ["iso", "long", "short", "american"]
        if locale is not None:
            styles.append("month_first" if locale == "en_US" else "day_first")
        return cls(rng.choice(styles), rng.choice([",", "'"]), rng.random() < 0.5, rng.random() < 0.6)

    def date(self, day: date) -> str:
        return _DATES[self.date_style](day)

    def number(self, amount: Decimal) -> str:
        return f"{amount:,.2f}".replace(",", self.thousands)

    def amount(self, amount: Decimal, currency: str) -> str:
        number = self.number(amount)
        return f"{currency} {number}" if self.code_first else f"{number} {currency}"

    def iban(self, iban: str) -> str:
        if not self.iban_grouped:
            return iban
        return " ".join(iban[start : start + 4] for start in range(0, len(iban), 4))


_ACCOUNT_DIGITS = {"CH": 17, "DE": 18, "AT": 16, "LI": 17}
"""Length of the part after the check digits, for countries whose account part is digits without a check of its own."""


def iban(rng: random.Random, country: str) -> str:
    """An IBAN with right check digits (ISO 13616, MOD 97-10) of an account that nobody has."""
    account = "".join(rng.choice("0123456789") for _ in range(_ACCOUNT_DIGITS[country]))
    return f"{country}{_check_digits(country, account)}{account}"


def with_wrong_check_digits(rng: random.Random, right: str) -> str:
    wrong = (int(right[2:4]) - 2 + rng.randrange(1, 97)) % 97 + 2
    return f"{right[:2]}{wrong:02d}{right[4:]}"


def _check_digits(country: str, account: str) -> str:
    digits = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{98 - int(digits) % 97:02d}"
