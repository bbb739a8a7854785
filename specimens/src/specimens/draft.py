"""A document before it is set: what stands on it, not yet where."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from specimens import texts
from specimens.model import Fault, Kind, TableTruth
from specimens.world import Address, Person, World
from specimens.writing import Hand

CENT = Decimal("0.01")
_PAIRED = ("period_", "opening_", "closing_")


@dataclass(frozen=True)
class Run:
    """Text on one line. `name`: the field it prints; `inside`: fields that parts of it print, as (name, start, end)."""

    text: str
    name: str | None = None
    inside: tuple[tuple[str, int, int], ...] = ()


@dataclass
class Cell:
    """A label with what is printed beside or below it: lines of runs, or answers of which one is ticked."""

    label: str
    lines: list[list[Run]]
    choices: tuple[tuple[Run, bool], ...] = ()

    @classmethod
    def of(cls, label: str, text: str, name: str | None = None) -> "Cell":
        return cls(label, [[Run(text, name)]])

    @property
    def paired(self) -> bool:
        """A beginning or an end: the other stands before or behind it."""
        return any((run.name or "").startswith(_PAIRED) for line in self.lines for run in line)


@dataclass(frozen=True)
class Column:
    title: str
    share: float
    """Of the width of the table."""
    right: bool = False


@dataclass
class Table:
    columns: list[Column]
    rows: list[list[Run]]
    totals: list[tuple[str, Run]] = field(default_factory=list)


@dataclass(frozen=True)
class Letterhead:
    name: str
    lines: tuple[str, ...]
    """Street, town, country and the like."""
    footer: tuple[str, ...] = ()
    reference: tuple[tuple[str, str], ...] = ()
    """Beside the address: whom to ask, under which number."""


@dataclass(frozen=True)
class Slip:
    """The payment part of a Swiss QR bill: its payload, and what is printed beside it."""

    payload: str
    iban: str
    creditor: tuple[str, ...]
    reference: str
    message: str
    debtor: tuple[str, ...]
    currency: str
    amount: str


@dataclass
class Draft:
    kind: Kind
    title: str
    letterhead: Letterhead
    recipient: tuple[str, ...] = ()
    opening: str = ""
    cells: list[Cell] = field(default_factory=list)
    table: Table | None = None
    summary: list[Cell] = field(default_factory=list)
    """Cells that stand below the table."""
    closing: str = ""
    signed_by: str | None = None
    annex_pages: int = 0
    lost_pages: int = 0
    """Annexes that page numbers count and nobody finds."""
    slip: Slip | None = None
    code: tuple[str, str] | None = None
    """Payload of a QR code and what stands beside it."""
    fields: dict[str, str] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)
    tables: list[TableTruth] = field(default_factory=list)


@dataclass(frozen=True)
class Brief:
    """What a document is made from: its generator, its people, its hand, the day it is written as of, its fault."""

    rng: random.Random
    world: World
    hand: Hand
    as_of: date
    fault: Fault | None

    @property
    def words(self) -> dict[str, Any]:
        return texts.words(self.world.language)

    def day_ago(self, least: int, most: int) -> date:
        return self.as_of - timedelta(days=self.rng.randint(least, most))

    def money(self, least: int, most: int) -> Decimal:
        return Decimal(self.rng.randint(least * 100, most * 100)) * CENT

    def title(self, kind: Kind) -> str:
        titles = self.words["titles"][kind]
        # Kbis is what France alone calls it.
        return str(self.rng.choice([one for one in titles if "Kbis" not in one or self.world.country == "FR"]))

    def opening(self, kind: Kind) -> str:
        return str(self.rng.choice(self.words["openings"][kind]))

    def closing(self, kind: Kind) -> str:
        """Small print with a date, an amount and a number that are none of the document's values."""
        rng, hand = self.rng, self.hand
        text = str(rng.choice(self.words["closings"][kind])).format(
            date=hand.date(self.day_ago(400, 3000)),
            amount=hand.number(self.money(10, 3000)),
            rate=hand.number(Decimal(rng.randint(200, 1400)) / 100),
            number=f"{rng.randint(0, 99_999):05d}-{rng.randint(10, 99)}",
        )
        return text if rng.random() < 0.8 else ""

    def letterhead(self, name: str, *footer: str) -> Letterhead:
        address = self.world.address()
        phone = f"{self.words['extras']['phone']} {self.world.phone()}"
        return Letterhead(name, (*address.lines, phone), footer, self._reference() if self.rng.random() < 0.55 else ())

    def _reference(self) -> tuple[tuple[str, str], ...]:
        rng, words = self.rng, self.words["extras"]
        entries = [
            (str(words["contact"]), self.world.person().name),
            (str(words["phone"]), self.world.phone()),
            (str(words["our_reference"]), f"{rng.choice('ABKMT')}{rng.randint(100, 999)}/{rng.randint(10, 99)}"),
            (str(words["branch"]), str(rng.randint(100, 999))),
        ]
        return tuple(rng.sample(entries, rng.randint(1, 3)))

    def recipient(self, person: Person, address: Address) -> tuple[str, ...]:
        title = self.words["recipient_titles"][person.sex]
        return f"{title} {person.name}".strip(), *address.lines[:2]


class Sheet:
    """Collects the cells of a draft; a field that is to be missing is neither printed nor true."""

    def __init__(self, brief: Brief, draft: Draft, *, missing: str, doubled: str) -> None:
        self._brief, self.draft = brief, draft
        self._missing = missing if brief.fault is Fault.MISSING_VALUE else None
        self._doubled = doubled if brief.fault is Fault.CONTRADICTS_ITSELF else None
        self._labels: dict[str, Sequence[str]] = brief.words["labels"][draft.kind]
        self._turn = brief.rng.randrange(12)

    def label(self, name: str) -> str:
        """One of the labels of a field; fields whose labels come in pairs take the same turn."""
        labels = self._labels[name]
        turn = self._turn + (0 if name.startswith(_PAIRED) else self._brief.rng.randrange(6))
        return str(labels[turn % len(labels)])

    def put(self, name: str, value: str, printed: str | None = None, other: str | None = None) -> None:
        """`other` is what the document says the second time, where it is to contradict itself."""
        text = printed if printed is not None else value
        self.lines(name, value, [text], other)

    def lines(self, name: str, value: str, lines: Sequence[str], other: str | None = None) -> None:
        label = self.label(name)
        if name == self._missing:
            return
        self.draft.cells.append(Cell(label, [[Run(line, name)] for line in lines]))
        if name == self._doubled and other is not None:
            self.draft.conflicts.append(name)
            self.draft.summary.append(Cell.of(str(self._labels[name][0]), other))
            return
        self.draft.fields[name] = value

    def date(self, name: str, day: date, other: date | None = None) -> None:
        hand = self._brief.hand
        self.put(name, day.isoformat(), hand.date(day), None if other is None else hand.date(other))

    def address(self, name: str, address: Address) -> None:
        """On one line, or on several; the value joins them with commas."""
        if self._brief.rng.random() < 0.5:
            self.put(name, address.text)
        else:
            self.lines(name, address.text, address.lines)

    def amount(
        self, name: str, amount: Decimal, currency: str, *, places: int = 2, other: Decimal | None = None
    ) -> None:
        write = self._brief.hand.amount
        again = None if other is None else write(other, currency, places)
        before = len(self.draft.cells)
        self.put(name, f"{amount:.2f}", write(amount, currency, places), again)
        for cell in self.draft.cells[before:]:
            cell.lines = [[amount_run(cell.lines[0][0].text, currency, name)]]

    def currency(self, code: str) -> None:
        """The code stands beside every amount; a line of its own is a habit of some."""
        self.draft.fields["currency"] = code
        if self._brief.rng.random() < 0.5:
            self.draft.cells.append(Cell.of(self.label("currency"), code, "currency"))

    def aside(self, name: str, text: str) -> None:
        """Something true that nobody asks for."""
        self.draft.cells.append(Cell.of(str(self._brief.words["extras"][name]), text))

    def stir(self) -> None:
        """Exchange neighbours here and there: no two houses ask in the same order. Pairs stay together."""
        cells, rng = self.draft.cells, self._brief.rng
        for _ in range(rng.choice((0, 1, 2, 3))):
            at = rng.randrange(len(cells) - 1)
            if not any(cell.paired for cell in cells[at : at + 2]):
                cells[at], cells[at + 1] = cells[at + 1], cells[at]


def amount_run(text: str, currency: str, name: str) -> Run:
    """An amount with its code, the code itself being where the currency is printed."""
    at = text.find(currency)
    return Run(text, name, () if at < 0 else (("currency", at, at + len(currency)),))
