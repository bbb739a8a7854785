"""Tables with a header that is repeated where they go on over the page."""

from collections.abc import Sequence

from specimens.draft import Column, Run, Table
from specimens.setting.cells import Flow, wrapped
from specimens.setting.pen import GREY, WHITE

_PAD = 4.0


def draw(flow: Flow, table: Table) -> None:
    edges = _edges(flow, table.columns)
    flow.room(flow.style.leading * 4)
    _header(flow, table.columns, edges)
    for number, row in enumerate(table.rows):
        if _turned(flow):
            _header(flow, table.columns, edges)
        _row(flow, table.columns, edges, row, tinted=flow.style.table_lines == 2 and number % 2 == 1)
    _totals(flow, table)


def _turned(flow: Flow) -> bool:
    before = flow.pen.page
    flow.room(flow.style.leading * 2.2)
    return flow.pen.page != before


def _edges(flow: Flow, columns: Sequence[Column]) -> list[float]:
    style = flow.style
    whole, total = style.right - style.left, sum(column.share for column in columns)
    edges = [style.left]
    for column in columns:
        edges.append(edges[-1] + whole * column.share / total)
    return edges


def _header(flow: Flow, columns: Sequence[Column], edges: Sequence[float]) -> None:
    style, pen = flow.style, flow.pen
    filled = style.table_lines == 2
    top = flow.y - style.size - 2
    if filled:
        pen.box(style.left, top, style.right - style.left, style.leading + 2, fill=style.colour)
    for column, left, right in zip(columns, edges, edges[1:], strict=False):
        x = right - _PAD if column.right else left + (_PAD if filled else 0)
        colour = WHITE if filled else style.colour
        pen.text(x, flow.y, column.title, style.fonts.bold, style.size - 0.5, colour, right=column.right)
    if not filled:
        pen.line(style.left, flow.y + 4, style.right, flow.y + 4, style.colour, 0.9)
    flow.down(style.leading + 2)


def _row(flow: Flow, columns: Sequence[Column], edges: Sequence[float], row: Sequence[Run], *, tinted: bool) -> None:
    style, pen, size = flow.style, flow.pen, flow.style.size - 0.5
    inset = _PAD if style.table_lines == 2 else 0
    texts = []
    for column, run, left, right in zip(columns, row, edges, edges[1:], strict=False):
        fits = right - left - 2 * _PAD
        texts.append([run.text] if column.right or run.name else wrapped(run.text, style.fonts.plain, size, fits))
    height = max(len(lines) for lines in texts) * style.leading * 0.95
    if tinted:
        pen.box(style.left, flow.y - size - 2, style.right - style.left, height, fill=style.tint)
    for column, run, lines, left, right in zip(columns, row, texts, edges, edges[1:], strict=False):
        x = right - _PAD if column.right else left + inset
        if run.name or len(lines) == 1:
            pen.runs(x, flow.y, [run], style.fonts.plain, size, right=column.right)
            continue
        for number, line in enumerate(lines):
            pen.text(x, flow.y + number * style.leading * 0.95, line, style.fonts.plain, size)
    if style.table_lines == 1:
        pen.line(style.left, flow.y + height - size - 2, style.right, flow.y + height - size - 2, GREY, 0.3)
    flow.down(height)


def _totals(flow: Flow, table: Table) -> None:
    style, pen = flow.style, flow.pen
    if table.totals:
        flow.room(style.leading * (len(table.totals) + 1))
        pen.line(style.left, flow.y - style.size, style.right, flow.y - style.size, style.colour, 0.8)
        flow.down(4)
    for number, (label, run) in enumerate(table.totals):
        last = number == len(table.totals) - 1
        font = style.fonts.bold if last and run.name else style.fonts.plain
        pen.text(style.left + 0.5 * (style.right - style.left), flow.y, label, font, style.size)
        pen.runs(style.right - _PAD, flow.y, [run], font, style.size, right=True)
        flow.down(style.leading)
