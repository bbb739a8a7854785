"""Running balances that do not follow from the movements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from ecosystem.services.creditx.reading.signs.sign import Box, Sign

_ROWS_MAX = 20_000
_SIGNS_MAX = 5
_CONFIDENCE_MIN = 0.8


@dataclass(frozen=True)
class Movement:
    """A row of a bank statement: its signed amount, and the balance after it where one is printed.

    None where it could not be read beyond doubt: nothing is said about that row and the next balance.
    """

    amount: Decimal | None
    balance: Decimal | None
    page: int
    box: Box | None


def breaks(rows: Sequence[Movement], values: Sequence[Mapping[str, Any]], part: int) -> list[Sign]:
    """Rows whose balance is not the one before it plus their amount, whichever end of the list is the newest.

    Where most of the rows do not follow, the columns mean something else, and nothing is said.
    """
    rows = rows[:_ROWS_MAX]
    opening, closing = (_balance(values, part, name) for name in ("opening_balance", "closing_balance"))
    down = _broken(rows, opening)
    up = _broken(rows[::-1], opening)
    broken, end = min(down, up, key=lambda found: len(found[0]))
    checked = sum(row.balance is not None for row in rows)
    if broken and len(broken) * 2 > checked:
        return []
    found = [
        Sign("balance_does_not_follow", "A running balance does not follow from the one before and the amount.",
             row.page, row.box, part)
        for row in broken
    ]  # fmt: skip
    if not found and closing is not None and end is not None and end != closing:
        found.append(_at_the_end(values, part))
    return found[:_SIGNS_MAX]


def _broken(rows: Sequence[Movement], opening: Decimal | None) -> tuple[list[Movement], Decimal | None]:
    """Rows that do not follow, oldest first, and the balance that the rows lead to."""
    found, balance = [], opening
    for row in rows:
        expected = balance + row.amount if balance is not None and row.amount is not None else None
        if row.balance is not None and expected is not None and expected != row.balance:
            found.append(row)
        balance = row.balance if row.balance is not None else expected
    return found, balance


def _balance(values: Sequence[Mapping[str, Any]], part: int, name: str) -> Decimal | None:
    for value in values:
        if value["name"] == name and value["part"] == part and value["confidence"] >= _CONFIDENCE_MIN:
            try:
                return Decimal(value["value"])
            except InvalidOperation:
                return None
    return None


def _at_the_end(values: Sequence[Mapping[str, Any]], part: int) -> Sign:
    value = next(value for value in values if value["name"] == "closing_balance" and value["part"] == part)
    box = tuple(value["box"]) if value["box"] else None
    return Sign(
        "balance_does_not_follow", "The closing balance does not follow from the opening one and the movements.",
        value["page"], box, part,
    )  # fmt: skip
