"""One document of a file: its kind, values, tables and movements."""

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from ecosystem.services.creditx.reading import amounts, bills, proofs
from ecosystem.services.creditx.reading.choosing import Value, choose, conflicts_in
from ecosystem.services.creditx.reading.countries import country_of, order_of
from ecosystem.services.creditx.reading.finding import Found, candidates, sheet_of
from ecosystem.services.creditx.reading.kinds import UNKNOWN, KindOf
from ecosystem.services.creditx.reading.layout import Line
from ecosystem.services.creditx.reading.papers import join
from ecosystem.services.creditx.reading.parts import Part
from ecosystem.services.creditx.reading.recognising import recognise
from ecosystem.services.creditx.reading.signs.balances import Movement
from ecosystem.services.creditx.reading.tables import Table, balance_rows, movements_of, tables_in
from ecosystem.services.creditx.reading.typed import Habits
from ecosystem.services.creditx.reading.values import Read

_CARRIED, _WAY_SURE, _HEADED = 0.97, 0.99, 0.93
_UNIT = re.compile(r"[A-Z]{3}|[A-Z]{0,2}\$|€|£|[sS]?Fr\.")


@dataclass
class Document:
    """What was read of one part."""

    part: int
    pages: list[int]
    kind: KindOf | None = None
    confidence: float = 0.0
    language: str | None = None
    country: str | None = None
    values: dict[str, Value] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    movements: dict[str, Any] | None = None
    rows: list[Movement] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    mrz: list[dict[str, Any]] = field(default_factory=list)
    codes: list[dict[str, Any]] = field(default_factory=list)
    numbering: dict[str, object] | None = None

    @property
    def name(self) -> str:
        return self.kind.kind if self.kind else UNKNOWN

    @property
    def missing(self) -> list[str]:
        return [name for name in self.kind.required if name not in self.values] if self.kind else []

    def as_json(self) -> dict[str, Any]:
        return {
            "part": self.part, "kind": self.name, "kind_confidence": self.confidence, "first_page": self.pages[0],
            "last_page": self.pages[-1], "missing": self.missing, "conflicts": self.conflicts,
            "movements": self.movements, "language": self.language, "country": self.country,
            "page_numbering": self.numbering,
        }  # fmt: skip


def read_part(number: int, part: Part, *, date_order: str, country: str | None) -> Document:
    """`country` (alpha-3) is where documents of this company come from where they do not say it themselves."""
    lines, ocr = part.lines, any(page.ocr for page in part.pages)
    zone = next((page.zone for page in part.pages if page.zone), None)
    codes = [code for page in part.pages for code in page.codes]
    known = recognise(lines, ocr=ocr, mrz_format=zone.mrz.format if zone else None, bill=bills.is_bill(codes))
    document = Document(
        number, [page.page for page in part.pages], known.kind, known.confidence, known.language,
        codes=codes, numbering=part.numbering,
    )  # fmt: skip
    if known.kind:
        _read(document, known.kind, part, date_order, country)
    return document


def _read(document: Document, kind: KindOf, part: Part, date_order: str, country: str | None) -> None:
    lines, ocr = part.lines, any(page.ocr for page in part.pages)
    habits = Habits(date_order, country, ocr)
    document.tables = tables_in(lines, kind, habits)
    sheet = sheet_of(_without(lines, document.tables), kind, ocr=ocr)
    found = candidates(sheet)
    from_where = country_of(kind, found, lines)
    document.country = from_where[0]
    order, proof = order_of(lines, from_where, document.language, date_order)
    habits = replace(habits, order=order, country=document.country or country)
    best, every = choose(sheet, found, habits, "ocr" if ocr else "text_layer", order_proof=proof)
    moved = _move(document, habits)
    proofs.apply(kind, best, every, moved)
    document.conflicts = conflicts_in(every, best, found)
    document.mrz = [join(page.zone, best) for page in part.pages if page.zone]
    document.conflicts = sorted({*document.conflicts, *bills.join(document.codes, kind, best)})
    _currency(document, kind, best, found)
    document.values = {name: best[name] for name in kind.fields if name in best}


def _without(lines: list[Line], tables: list[Table]) -> list[Line]:
    taken = {identity for table in tables for identity in table.taken}
    if not taken:
        return lines
    left = ([cell for cell in line if id(cell) not in taken] for line in lines)
    return [line for line in left if line]


def _move(document: Document, habits: Habits) -> Decimal | None:
    """The sum of the movements where each of them is read beyond doubt."""
    for table in document.tables:
        if table.name != "movements":
            continue
        document.rows = balance_rows(table, habits)
        signed = movements_of(table, habits)
        if signed is None:
            return None
        document.movements = {"count": len(signed), "sum": str(sum(signed, Decimal(0)))}
        return sum(signed, Decimal(0))
    return None


def _currency(document: Document, kind: KindOf, best: dict[str, Value], found: dict[str, list[Found]]) -> None:
    """A currency without a line of its own is that of the amounts, or of the heading over them."""
    for name, field_of in kind.fields.items():
        if not field_of.from_amounts or name in best:
            continue
        carrier = next((value for value in best.values() if value.read.currency), None)
        if carrier and carrier.read.currency:
            best[name] = _beside_amount(name, carrier, carrier.read.currency)
            continue
        headed = next((table for table in document.tables if table.currency), None)
        if headed and headed.currency:
            cell = headed.columns[-1].cell
            read = Read(headed.currency)
            best[name] = Value(name, read, cell.text, cell.page, cell.box, _HEADED, cell.frame.method)


def _beside_amount(name: str, amount: Value, code: str) -> Value:
    """The currency where it stands beside an amount."""
    box = amount.box
    for cell in amount.cells:
        unit = next((match for match in _UNIT.finditer(cell.text) if amounts.read_currency(match[0])), None)
        if unit:
            box = cell.part(unit.start(), unit.end()).box
    return Value(
        name, Read(code), amount.raw, amount.page, box, min(amount.confidence, _WAY_SURE) * _CARRIED, amount.method
    )
