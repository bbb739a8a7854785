"""Where the values of a kind stand: beside, behind or below their labels."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from ecosystem.services.creditx.reading.answers import country_names
from ecosystem.services.creditx.reading.kinds import KindOf
from ecosystem.services.creditx.reading.labels import folded, forms, label_before, nearest
from ecosystem.services.creditx.reading.layout import Cell, Line, joined
from ecosystem.services.creditx.reading.names import has_postcode

Way = Literal["colon", "beside", "below", "run_on", "block", "head", "sentence"]
_BELOW_HEIGHTS, _NEXT_LINE_HEIGHTS, _SAME_PITCH = 2.6, 1.9, 1.3
_SAME_EDGE_HEIGHTS = 0.5
_ZONE_HEIGHTS = 8.0
_BLURRED = 0.97
_CONTINUED_LINES_MAX = 4
_LABEL_CHARACTERS_MAX = 90
_COLONS = ":："
_MARKS_AFTER = " .:：#°º–—"
Meaning = frozenset[str]
_NOTHING: Meaning = frozenset()


@dataclass(frozen=True)
class Label:
    """A label in the text: its fields, its cell, and where in the cell what follows begins (None: the cell is it)."""

    fields: Meaning
    form: str
    cell: Cell
    value_from: int | None = None
    colon: bool = False
    exact: bool = True


@dataclass
class Found:
    """The cells of a text that may stand for a field. `rank`: how far back in its list the label stands."""

    cells: list[Cell]
    way: Way
    rank: int = 0
    exact: bool = True
    label: Cell | None = None
    form: str = ""
    between: str = ", "

    @property
    def text(self) -> str:
        return self.between.join(cell.text for cell in self.cells)

    @property
    def sure(self) -> float:
        return min(cell.confidence for cell in self.cells)


@dataclass
class Sheet:
    """The lines of one document with the labels of a kind found in them."""

    lines: list[Line]
    kind: KindOf
    labels: dict[int, Label] = field(default_factory=dict)

    def is_label(self, cell: Cell) -> bool:
        label = self.labels.get(id(cell))
        return label is not None and (label.value_from is None or label.colon)


def sheet_of(lines: list[Line], kind: KindOf, *, ocr: bool) -> Sheet:
    sheet = Sheet([], kind)
    for line in lines:
        cells: Line = []
        for whole in line:
            for cell in _parted(whole, kind, ocr=ocr):
                label = _label(cell, kind, ocr=ocr)
                if label:
                    sheet.labels[id(cell)] = label
                cells.append(cell)
        sheet.lines.append(cells)
    return sheet


def _parted(cell: Cell, kind: KindOf, *, ocr: bool) -> list[Cell]:
    """Labels of neighbouring columns that stand so close that they were taken for one text."""
    text = cell.text
    if ":" in text or " " not in text or not 8 < len(text) <= 2 * _LABEL_CHARACTERS_MAX:
        return [cell]
    if sum(map(str.isdigit, text)) > 1:
        return [cell]
    if _fields(kind, text, ocr=False):
        return [cell]
    # A label in two languages belongs together ("Sex / Sexe"); so the shortest rest that is a label is parted first.
    begins = label_before(text, kind.labels) is not None
    for start in reversed(range(4, len(text) - 2)):
        if not _may_begin(text, start):
            continue
        fields = _fields(kind, text[start:], ocr=ocr and begins)
        if fields:
            before = _parted(cell.part(0, start), kind, ocr=ocr)
            others = _any_of(kind, before[-1].text, ocr=ocr)
            # Two languages of one label after another text: that is a label too, whatever it means.
            if not others & fields and (others or " / " in text[start:]):
                return [*before, cell.part(start)]
    return [cell]


def _may_begin(text: str, start: int) -> bool:
    """Whether a label may begin here: a capital after a space or a small letter, and not the other half of one."""
    if not text[start].isupper() or text[start - 1].isupper():
        return False
    return text[:start].rstrip()[-1:] not in "/|-–·('’"


def _meanings(kind: KindOf, text: str, *, ocr: bool) -> list[Meaning]:
    """What each language of a text means as a label."""
    found = []
    for part in text.split(" / ")[:4]:
        known = next((kind.labels[form] for form in forms(part) if form in kind.labels), _NOTHING)
        near = nearest(folded(part), kind.labels) if ocr and not known else None
        found.append(known or near or _NOTHING)
    return found


def _fields(kind: KindOf, text: str, *, ocr: bool) -> Meaning:
    """What a text means that is nothing but a label, in one language or several."""
    return frozenset.intersection(*_meanings(kind, text, ocr=ocr))


def _any_of(kind: KindOf, text: str, *, ocr: bool) -> Meaning:
    return frozenset.union(*_meanings(kind, text, ocr=ocr))


def _label(cell: Cell, kind: KindOf, *, ocr: bool) -> Label | None:
    text, labels, blurred = cell.text, kind.labels, cell.confidence < _BLURRED
    position = _colon_in(text)
    if position is not None and ocr and any(form in labels for form in forms(text[position + 1 :])):
        # The mark between the two languages of a label, misread.
        position = None
    if position is None and len(text) <= _LABEL_CHARACTERS_MAX:
        for form in forms(text):
            if form in labels:
                return Label(labels[form], form, cell, colon=text.rstrip()[-1:] in _COLONS)
    if position is not None:
        head = forms(text[:position])
        for form in head:
            if form in labels:
                return Label(labels[form], form, cell, position + 1, colon=True)
        if ocr and head and (meaning := nearest(head[0], labels, blurred=blurred)):
            return Label(meaning, "", cell, position + 1, colon=True, exact=False)
    begun = label_before(text, labels)
    if begun and _may_be_value(text[begun[0] :].lstrip(_MARKS_AFTER)):
        return Label(begun[1], forms(text[: begun[0]])[0], cell, begun[0])
    if ocr and len(text) <= _LABEL_CHARACTERS_MAX and not any(character.isdigit() for character in text):
        for form in forms(text)[:2]:
            if form[0] != "~" and (meaning := nearest(form, labels, blurred=blurred)):
                return Label(meaning, "", cell, exact=False)
    return None


def _may_be_value(rest: str) -> bool:
    """Whether what follows a label without a colon may be its value, and not the label's own second half."""
    rest = rest.strip()
    return bool(rest) and not rest[0].islower() and rest[-1] not in _COLONS


def _colon_in(text: str) -> int | None:
    """Where a label may end in a colon with something behind it."""
    for position, character in enumerate(text[:_LABEL_CHARACTERS_MAX]):
        if character in _COLONS and text[position + 1 :].strip():
            return position
    return None


def candidates(sheet: Sheet) -> dict[str, list[Found]]:
    """Texts by field, in the order in which they stand in the document."""
    found: dict[str, list[Found]] = {}
    for number, line in enumerate(sheet.lines):
        for position, cell in enumerate(line):
            label = sheet.labels.get(id(cell))
            if label is None:
                continue
            for name in label.fields:
                for one in _texts(sheet, number, position, label, name):
                    one.rank = sheet.kind.ranks.get((name, label.form), 9)
                    one.exact, one.label, one.form = label.exact, cell, label.form
                    found.setdefault(name, []).append(one)
    return found


def _texts(sheet: Sheet, number: int, position: int, label: Label, name: str) -> Iterator[Found]:
    line, kind = sheet.lines[number], sheet.kind.fields[name].type
    beside = list(_beside(sheet, line, position))
    if label.value_from is not None:
        text = label.cell.text
        start = label.value_from
        while start < len(text) and text[start] in _MARKS_AFTER:
            start += 1
        inside = label.cell.part(start)
        way: Way = "colon" if label.colon else "run_on"
        yield from _grown(sheet, number, [inside, *beside], way, kind)
        return
    yield from _grown(sheet, number, beside, "beside", kind)
    zone = _right_of_zone(sheet, line, position)
    for row, cells in _below(sheet, number, label.cell, zone):
        yield from _grown(sheet, row, cells, "below", kind)


def _right_of_zone(sheet: Sheet, line: Line, position: int) -> float:
    """Where the column of a label ends: at the next label of its line."""
    following = (cell.left for cell in line[position + 1 :] if sheet.is_label(cell))
    return next(following, float("inf"))


def _grown(sheet: Sheet, number: int, cells: list[Cell], way: Way, kind: str) -> Iterator[Found]:
    """The first cell with the lines that go on below it; then all cells of the line, where it is parted."""
    if not cells:
        return
    if kind in ("address", "names"):
        label = _label_before(sheet, number, cells[0]) if way == "beside" else None
        rest = list(_continued(sheet, number, cells[0], label))
        if kind == "address":
            rest = rest[: _lines_of_address([cell.text for cell in [cells[0], *rest]]) - 1]
        yield Found([cells[0], *rest], way, between="; " if kind == "names" else ", ")
        return
    if kind == "yes_no":
        # Boxes and their words are one answer, however far apart they stand.
        yield Found([joined(cells[:8], "   ")], way)
        return
    yield Found([cells[0]], way)
    if len(cells) > 1:
        yield Found([joined(cells[:4])], way)


def _beside(sheet: Sheet, line: Line, position: int) -> Iterator[Cell]:
    """The cells to the right up to the next label."""
    for cell in line[position + 1 :]:
        if sheet.is_label(cell):
            return
        yield cell


def _below(sheet: Sheet, number: int, label: Cell, zone: float) -> Iterator[tuple[int, list[Cell]]]:
    """The nearest cells below a label that begin where it begins, end where it ends, or stand in its column.

    `zone` is where the next column begins.
    """
    for row in range(number + 1, min(number + 4, len(sheet.lines))):
        line = sheet.lines[row]
        near = [cell for cell in line if cell.page == label.page and _is_near(label, cell)]
        for cell in near:
            slack = _SAME_EDGE_HEIGHTS * max(label.height, cell.height)
            level = abs(cell.left - label.left) <= slack or abs(cell.right - label.right) <= slack
            if level or abs(cell.left + cell.right - label.left - label.right) <= 2 * slack:
                if not sheet.is_label(cell):
                    beside = (other for other in _beside(sheet, line, line.index(cell)) if other.left < zone - slack)
                    yield row, [*_in_column(cell, label, zone), *beside]
                return
        inside = [cell for cell in near if label.left <= cell.left < zone]
        if inside and inside[0].left > label.left + _ZONE_HEIGHTS * label.height:
            inside = []
        inside = inside or [part for cell in near for part in _in_column(cell, label, zone) if part is not cell]
        if inside:
            if not sheet.is_label(inside[0]):
                yield row, inside
            return


def _in_column(cell: Cell, label: Cell, zone: float) -> list[Cell]:
    """The words of a cell that stand in a label's column, where it grew together with its neighbours."""
    slack = _SAME_EDGE_HEIGHTS * max(label.height, cell.height)
    if cell.left >= label.left - slack and cell.right <= zone:
        return [cell]
    begins = [0, *(place + 1 for place, character in enumerate(cell.text) if character == " ")]
    inside = [start for start in begins if label.left - slack <= cell.lefts[start] < zone - slack]
    if not inside or abs(cell.lefts[inside[0]] - label.left) > 2 * slack:
        return [cell] if cell.left >= label.left - slack else []
    after = [start for start in begins if start > inside[-1]]
    return [cell.part(inside[0], after[0] if after else None)]


def _is_near(label: Cell, cell: Cell) -> bool:
    height = max(label.height, cell.height)
    return 0.3 * height <= cell.middle - label.middle <= _BELOW_HEIGHTS * height


def _lines_of_address(lines: list[str]) -> int:
    """How many lines belong to an address: its country ends it, and nothing but that follows the town."""
    for number, line in enumerate(lines, 1):
        if folded(line.rpartition(",")[2]) in country_names():
            return number
        if has_postcode(line):
            return number + (number < len(lines) and folded(lines[number]) in country_names())
    return len(lines)


def _label_before(sheet: Sheet, number: int, cell: Cell) -> Cell | None:
    """The label before a cell on its line."""
    before = [other for other in sheet.lines[number] if other.left < cell.left and sheet.is_label(other)]
    return before[-1] if before else None


def _continued(sheet: Sheet, number: int, first: Cell, label: Cell | None) -> Iterator[Cell]:
    """Lines below at the same left edge, as close as lines of one text, up to the next label.

    What stands beside a text in the column of the `label` belongs to that text.
    """
    last, taken = first, 0
    pitch = _NEXT_LINE_HEIGHTS * first.height
    for line in sheet.lines[number + 1 : number + 12]:
        for position, cell in enumerate(line):
            gap = cell.middle - last.middle
            if cell.page != last.page or not 0.3 * last.height < gap <= pitch:
                continue
            slack = _SAME_EDGE_HEIGHTS * max(first.height, cell.height)
            if abs(cell.left - first.left) > slack:
                continue
            before = line[position - 1] if position > 0 else None
            beside = before is not None and (
                sheet.is_label(before)
                or before.text.rstrip()[-1:] in _COLONS
                or (label is not None and before.overlap(label) > 0)
            )
            if id(cell) in sheet.labels or beside or taken >= _CONTINUED_LINES_MAX:
                return
            yield cell
            # The lines of one text are equally far apart.
            pitch = min(pitch, _SAME_PITCH * gap)
            last, taken = cell, taken + 1
            break
