"""Tables as rows and cells: found by their headings, over several pages, with what the headings mean."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ecosystem.services.creditx.reading import amounts
from ecosystem.services.creditx.reading.kinds import KindOf, TableOf
from ecosystem.services.creditx.reading.labels import folded, forms, label_before
from ecosystem.services.creditx.reading.layout import Cell, Line, joined, union
from ecosystem.services.creditx.reading.signs.balances import Movement
from ecosystem.services.creditx.reading.typed import Habits, read_as

_ROWS_MAX = 20_000
_CODE_CHARACTERS = 3
_MONEY = ("debit", "credit", "amount", "balance", "unit_price")
_OTHER, _MOVEMENTS = "other", "movements"
_DATES = ("date", "value_date")
_NEXT_LINE_HEIGHTS = 2.2
# Headings set close to each other touch: "Soll EURGutschrift EUR".
_HEADING_WORD = re.compile(r"[A-Z]{3}(?=[A-ZÄÖÜ][a-zäöü])|\S+?(?=(?<=[a-zà-ÿ])[A-ZÄÖÜÉÈ])|\S+")
_YEAR = re.compile(r"(?:19|20)\d{2}")


@dataclass
class Column:
    name: str
    cell: Cell


@dataclass
class Row:
    cells: dict[str, Cell]

    def amount(self, name: str, habits: Habits) -> Decimal | None:
        cell = self.cells.get(name)
        read = read_as("amount", cell.text, habits) if cell else None
        return Decimal(read.value) if read else None


@dataclass
class Table:
    """`taken`: ids of the cells that belong to headings and rows, and so are no labels."""

    name: str
    columns: list[Column]
    rows: list[Row] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    currency: str | None = None

    def as_json(self, part: int) -> dict[str, Any]:
        first = self.columns[0].cell
        cells = [column.cell for column in self.columns]
        cells += [cell for row in self.rows for cell in row.cells.values() if cell.page == first.page]
        return {
            "name": self.name, "part": part, "page": first.page, "box": list(union(cell.box for cell in cells)),
            "columns": [column.name for column in self.columns],
            "rows": [[_shown(row.cells.get(column.name)) for column in self.columns] for row in self.rows],
        }  # fmt: skip


def _shown(cell: Cell | None) -> dict[str, Any]:
    return {"text": cell.text[:300] if cell else "", "box": list(cell.box) if cell else None}


def tables_in(lines: Sequence[Line], kind: KindOf, habits: Habits) -> list[Table]:
    """The first table of each name, gone on with wherever its headings stand again or its rows go on."""
    found: dict[str, Table] = {}
    current: Table | None = None
    for line in _with_whole_dates(lines, habits) if kind.tables else ():
        headed = _headed(line, kind)
        if headed:
            name, columns, cells = headed
            table = found.setdefault(name, Table(name, columns))
            # The same headings on another page may stand a little elsewhere.
            table.columns = table.columns if len(table.columns) > len(columns) else columns
            table.currency = table.currency or _currency_of(cells)
            table.taken |= {id(cell) for cell in cells}
            current = table
        elif current and len(current.rows) < _ROWS_MAX:
            if _ends(line, kind, current.name):
                current = None
            else:
                _take(current, line, habits)
    tables = [table for table in found.values() if table.rows]
    if _MOVEMENTS in kind.tables and not tables and (plain := rows_without_headings(lines, habits)):
        return [plain]
    return tables


def _with_whole_dates(lines: Sequence[Line], habits: Habits) -> Iterator[Line]:
    """Lines where a date whose year went down to the next line stands whole."""
    skipped: Cell | None = None
    nothing: Line = []
    for line, following in zip(lines, [*lines[1:], nothing], strict=True):
        cells = [cell for cell in line if cell is not skipped]
        skipped = None
        if cells and following and _YEAR.fullmatch(following[0].text) and not read_as("date", cells[0].text, habits):
            year = following[0]
            whole = joined((cells[0], year))
            level = abs(year.left - cells[0].left) <= cells[0].height and year.page == cells[0].page
            if level and read_as("date", whole.text, habits):
                cells, skipped = [whole, *cells[1:]], year
        if cells:
            yield cells


def _ends(line: Line, kind: KindOf, name: str) -> bool:
    """Whether a line stands after the rows: it begins with a label of the kind, or with a word for sums."""
    table = kind.tables[name]
    if not table.ends:
        return False
    text = line[0].text
    return any(form in kind.labels for form in forms(text.partition(":")[0])) or label_before(
        f"{text} ", table.endings
    ) is not None  # fmt: skip


def _headed(line: Line, kind: KindOf) -> tuple[str, list[Column], list[Cell]] | None:
    """The table and its columns where a line consists of headings, at least two and one of them for money."""
    if any(any(map(str.isdigit, cell.text)) for cell in line):
        return None
    for name, table in kind.tables.items():
        columns: list[Column] = []
        for cell in line:
            columns += _headings(cell, table)
        names = {column.name for column in columns}
        if len(names) >= 2 and names & set(_MONEY) and len(columns) >= len(line) - 1:
            return name, _once(columns), list(line)
    return None


def _once(columns: Sequence[Column]) -> list[Column]:
    """Of headings that mean the same ("Amount", "Total") the last one does; the others' columns mean something else."""
    last = {column.name: column for column in columns}
    return [
        column if last[column.name] is column else Column(f"{_OTHER}_{number}", column.cell)
        for number, column in enumerate(columns, 1)
    ]


def _headings(cell: Cell, table: TableOf) -> list[Column]:
    """The headings that a cell consists of: one, or those of neighbouring columns; none where other words are left."""
    for form in forms(cell.text):
        if form in table.headings:
            return [Column(table.headings[form], cell)]
    words = [match.span() for match in _HEADING_WORD.finditer(cell.text[:200])]
    found: list[Column] = []
    position = 0
    while position < len(words):
        for end in range(min(len(words), position + 4), position, -1):
            form = folded(cell.text[words[position][0] : words[end - 1][1]])
            if form in table.headings:
                found.append(Column(table.headings[form], cell.part(words[position][0], words[end - 1][1])))
                position = end
                break
        else:
            # A currency may stand beside the heading of its column.
            word = cell.text[slice(*words[position])].strip("()[]")
            if folded(word) not in ("in", "en") and amounts.read_currency(word) is None:
                return []
            if found:
                before = found[-1].cell
                found[-1].cell = joined((before, cell.part(*words[position])))
            position += 1
    return found


def _words(cell: Cell) -> list[tuple[int, int]]:
    words, start = [], None
    for position, character in enumerate(cell.text[:200] + " "):
        if character.isspace():
            if start is not None:
                words.append((start, position))
            start = None
        elif start is None:
            start = position
    return words


def _currency_of(cells: Sequence[Cell]) -> str | None:
    codes = {
        read.value
        for cell in cells
        for word in cell.text.replace("(", " ").replace(")", " ").split()
        if (read := amounts.read_currency(word)) and (len(word) == _CODE_CHARACTERS or not word.isalpha())
    }
    return codes.pop() if len(codes) == 1 else None


def _take(table: Table, line: Line, habits: Habits) -> None:
    """A row, or the rest of the text of the row before it."""
    cells = list(_parted(table, line, habits))
    placed: dict[str, Cell] = {}
    for cell in cells:
        name = _column(table, cell, habits)
        if name is None:
            continue
        placed[name] = joined((placed[name], cell)) if name in placed else cell
    names = [column.name for column in table.columns]
    dated = "date" not in names or "date" in placed
    money = [name for name in placed if name in _MONEY]
    if dated and money and "text" in placed:
        table.rows.append(Row(placed))
        table.taken |= {id(cell) for cell in line}
    elif set(placed) == {"text"} and table.rows and "date" in names and "text" in table.rows[-1].cells:
        last = table.rows[-1].cells["text"]
        gap = placed["text"].middle - last.place[3] + last.height / 2
        near = last.page == placed["text"].page and gap <= _NEXT_LINE_HEIGHTS * last.height
        if near and abs(last.left - placed["text"].left) <= last.height and ":" not in placed["text"].text:
            table.rows[-1].cells["text"] = joined((last, placed["text"]))
            table.taken |= {id(cell) for cell in line}


def _parted(table: Table, line: Line, habits: Habits) -> Iterator[Cell]:
    """The cells of a line; a date or an amount that grew together with its neighbour is parted from it."""
    for cell in line:
        if not any(character.isdigit() for character in cell.text):
            yield cell
            continue
        whole = read_as("date", cell.text, habits)
        if whole and not whole.partial:
            yield cell
            continue
        rest = cell
        words = _words(rest)
        if len(words) > 1 and "date" in {column.name for column in table.columns}:
            for end in range(min(len(words) - 1, 5), 0, -1):
                head = rest.part(0, words[end - 1][1])
                read = read_as("date", head.text, habits)
                if read and not read.partial:
                    yield head
                    rest = rest.part(words[end - 1][1])
                    break
        yield from _amounts_parted(table, rest, habits)


def _amounts_parted(table: Table, cell: Cell, habits: Habits) -> Iterator[Cell]:
    """Amounts that stand under headings for money, parted from what is before them; one inside a text stays there."""
    words = _words(cell)
    if len(words) < 2 or read_as("amount", cell.text, habits) or read_as("date", cell.text, habits):
        yield cell
        return
    for start in range(1, len(words)):
        tail = cell.part(words[start][0])
        under = any(column.name in _MONEY and column.cell.overlap(tail) > 0 for column in table.columns)
        if under and amounts.has_places(tail.text) and read_as("amount", tail.text, habits):
            yield from _amounts_parted(table, cell.part(0, words[start - 1][1]), habits)
            yield tail
            return
    yield cell


def _column(table: Table, cell: Cell, habits: Habits) -> str | None:
    """The column whose heading stands nearest, among those that the cell's content fits."""
    if not any(character.isdigit() for character in cell.text):
        fitting = []
    elif read_as("date", cell.text, habits):
        fitting = [column for column in table.columns if column.name in _DATES]
    elif read_as("amount", cell.text, habits):
        fitting = [column for column in table.columns if column.name not in ("text", *_DATES)]
    else:
        fitting = []
    fitting = fitting or [column for column in table.columns if column.name not in (*_MONEY, *_DATES, "quantity")]
    if not fitting:
        return None
    return min(fitting, key=lambda column: _apart(column.cell, cell)).name


def _apart(heading: Cell, cell: Cell) -> float:
    overlap = min(heading.right, cell.right) - max(heading.left, cell.left)
    edges = min(abs(heading.left - cell.left), abs(heading.right - cell.right))
    return edges if overlap > 0 else edges + 1000 + abs(overlap)


def movements_of(table: Table, habits: Habits) -> list[Decimal] | None:
    """The signed amount of each row; None where one cannot be read beyond doubt."""
    signed: list[Decimal] = []
    for row in table.rows:
        amount = _signed(row, habits)
        if amount is None:
            return None
        signed.append(amount)
    return signed


def _signed(row: Row, habits: Habits) -> Decimal | None:
    debit, credit = row.amount("debit", habits), row.amount("credit", habits)
    if "amount" in row.cells:
        return row.amount("amount", habits)
    if (debit is None) == (credit is None):
        return None
    return credit if credit is not None else -abs(debit or Decimal(0))


def balance_rows(table: Table, habits: Habits) -> list[Movement]:
    """The rows as signs of tampering are looked for in them."""
    rows = []
    for row in table.rows:
        cell = row.cells.get("balance") or next(iter(row.cells.values()))
        rows.append(Movement(_signed(row, habits), row.amount("balance", habits), cell.page, cell.box))
    return rows


def rows_without_headings(lines: Sequence[Line], habits: Habits) -> Table | None:
    """Movements under no headings: lines of a date, a text and one amount with its cents.

    A line with two amounts may end in a running balance: then nothing is said.
    """
    rows: list[Row] = []
    for line in lines:
        if len(line) < 3 or not read_as("date", line[0].text, habits) or not amounts.has_places(line[-1].text):
            continue
        if read_as("amount", line[-1].text, habits) is None:
            continue
        if any(read_as("amount", cell.text, habits) for cell in line[1:-1]) or len(rows) >= _ROWS_MAX:
            return None
        rows.append(Row({"date": line[0], "text": joined(line[1:-1]), "amount": line[-1]}))
    if not rows:
        return None
    return Table(_MOVEMENTS, [Column(name, cell) for name, cell in rows[0].cells.items()], rows)
