"""Cells with their labels, in each of the five forms of `Layout`."""

from collections.abc import Callable, Iterator, Sequence

from specimens.draft import Cell, Run
from specimens.setting.pen import GREY, Pen, width_of
from specimens.setting.style import Layout, Style

_GAP = 18.0
_BOX = 8.0


class Flow:
    """A pen that moves down the page and begins another where the first is full."""

    def __init__(self, pen: Pen, style: Style, top: float, bottom: float, new_page: Callable[[], float]) -> None:
        self.pen, self.style, self.y = pen, style, top
        self._bottom, self._new_page = bottom, new_page

    def down(self, points: float) -> None:
        self.y += points

    def room(self, points: float) -> None:
        """Turn the page unless this much fits above its foot."""
        if self.y + points > self._bottom:
            self.y = self._new_page()

    def paragraph(self, text: str, font: str | None = None, size: float | None = None) -> None:
        style = self.style
        size = size or style.size
        for line in wrapped(text, font or style.fonts.plain, size, style.right - style.left):
            self.room(size * 1.4)
            self.pen.text(style.left, self.y, line, font or style.fonts.plain, size)
            self.down(size * 1.4)


def wrapped(text: str, font: str, size: float, width: float) -> list[str]:
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and width_of(longer, font, size) > width:
                lines.append(line)
                longer = word
            line = longer
        if line:
            lines.append(line)
    return lines


def draw(flow: Flow, cells: Sequence[Cell]) -> None:
    if cells:
        {
            Layout.LINES: _lines,
            Layout.COLUMNS: _columns,
            Layout.STACKED: _stacked,
            Layout.FORM: _form,
            Layout.GRID: _grid,
        }[flow.style.layout](flow, cells)


def _height(cell: Cell, style: Style) -> float:
    return max(1, len(cell.lines)) * style.leading


def _value(flow: Flow, cell: Cell, x: float, y: float, size: float | None = None) -> None:
    """The lines of a value, or its boxes to tick, from the baseline `y` down."""
    pen, style = flow.pen, flow.style
    size = size or style.size
    if cell.choices:
        _choices(pen, style, cell.choices, x, y, size)
    for number, line in enumerate(cell.lines):
        pen.runs(x, y + number * style.leading * 0.85, line, style.fonts.plain, size)


def _choices(pen: Pen, style: Style, choices: Sequence[tuple[Run, bool]], x: float, y: float, size: float) -> None:
    for run, ticked in choices:
        pen.box(x, y - _BOX + 1, _BOX, _BOX, stroke=GREY, line=0.8)
        if ticked and style.tick == "X":
            pen.text(x + 1.5, y - 0.2, "X", "Helvetica-Bold", 8)
        elif ticked:
            pen.text(x + 0.6, y - 0.2, "4", "ZapfDingbats", 8.5)
        x += _BOX + 5
        x += pen.runs(x, y, [run], style.fonts.plain, size) + 22


def _lines(flow: Flow, cells: Sequence[Cell]) -> None:
    style = flow.style
    for cell in cells:
        flow.room(_height(cell, style))
        width = flow.pen.text(style.left, flow.y, f"{cell.label}: ", style.fonts.plain, style.size)
        _value(flow, cell, style.left + width, flow.y)
        flow.down(_height(cell, style))


def _columns(flow: Flow, cells: Sequence[Cell]) -> None:
    style = flow.style
    widest = max(width_of(cell.label + style.mark, style.fonts.bold, style.size) for cell in cells)
    for cell in cells:
        flow.room(_height(cell, style))
        flow.pen.text(style.left, flow.y, cell.label + style.mark, style.fonts.bold, style.size)
        _value(flow, cell, style.left + widest + _GAP, flow.y)
        flow.down(_height(cell, style))


def _grid(flow: Flow, cells: Sequence[Cell]) -> None:
    style, pen = flow.style, flow.pen
    middle = style.left + 0.38 * (style.right - style.left)
    for cell in cells:
        height = _height(cell, style) + 6
        flow.room(height)
        top = flow.y - style.size - 3
        pen.box(style.left, top, middle - style.left, height, fill=style.tint)
        pen.line(style.left, top, style.right, top, GREY)
        pen.line(style.left, top + height, style.right, top + height, GREY)
        pen.text(style.left + 5, flow.y, cell.label + style.mark, style.fonts.plain, style.size)
        _value(flow, cell, middle + 8, flow.y)
        flow.down(height)
    flow.down(4)


def _stacked(flow: Flow, cells: Sequence[Cell]) -> None:
    style, small = flow.style, flow.style.size - 2
    for row in _pairs(flow, cells):
        flow.room(_row_height(row, style) + small)
        for x, cell in _across(style, row):
            flow.pen.text(x, flow.y, cell.label + style.mark, style.fonts.plain, small, GREY)
        flow.down(style.size * 1.25)
        for x, cell in _across(style, row):
            _value(flow, cell, x, flow.y)
        flow.down(_row_height(row, style) + 3)


def _form(flow: Flow, cells: Sequence[Cell]) -> None:
    style, small, pen = flow.style, flow.style.size - 2.5, flow.pen
    for row in _pairs(flow, cells):
        height = _row_height(row, style) + small + 10
        flow.room(height)
        top = flow.y - style.size
        edges = [x - 5 for x, _ in _across(style, row)] + [style.right]
        for (x, cell), left, right in zip(_across(style, row), edges, edges[1:], strict=False):
            pen.box(left, top, right - left, height, stroke=GREY)
            pen.text(x, top + small + 2, cell.label + style.mark, style.fonts.plain, small, GREY)
            _value(flow, cell, x, top + small + style.size + 7)
        flow.down(height)
    flow.down(6)


def _row_height(row: Sequence[Cell], style: Style) -> float:
    return max(_height(cell, style) for cell in row)


def _across(style: Style, row: Sequence[Cell]) -> list[tuple[float, Cell]]:
    second = (style.left + style.right) / 2 + 5
    return list(zip((style.left, second), row, strict=False))


def _pairs(flow: Flow, cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    """Two cells to a row, one where the text needs the width."""
    style = flow.style
    half = (style.right - style.left) / 2 - _GAP
    row: list[Cell] = []
    for cell in cells:
        texts = ["".join(run.text for run in line) for line in cell.lines]
        wide = any(width_of(text, style.fonts.plain, style.size) > half for text in texts)
        wide = wide or width_of(cell.label, style.fonts.plain, style.size - 2) > half
        if row and wide:
            yield row
            row = []
        row.append(cell)
        if len(row) == 2 or wide:
            yield row
            row = []
    if row:
        yield row
