"""Sets a draft on A4 pages, in one of three layouts, as a PDF with a text layer or as a mere picture of one."""

import io
import random
from collections.abc import Iterator
from enum import StrEnum

from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.pdfdoc import PDFDictionary, PDFName, PDFString
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from specimens.model import Cell, Draft, Table

_WIDTH, _HEIGHT = A4
_LEFT, _RIGHT, _TOP, _BOTTOM = 60.0, 535.0, 790.0, 70.0
_FONTS = (("Helvetica", "Helvetica-Bold"), ("Times-Roman", "Times-Bold"), ("Courier", "Courier-Bold"))
_SECOND_COLUMN = 310.0
_BETWEEN_COLUMNS = 20.0


class Layout(StrEnum):
    LINES = "lines"  # "Label: value"
    COLUMNS = "columns"  # label at the left, value in a column at the right of it
    STACKED = "stacked"  # a small label with its value below, two cells side by side


class _Page:
    """Writes downwards and begins another page where the first is full. Units are points from the bottom left."""

    def __init__(self, canvas: Canvas, rng: random.Random) -> None:
        self._canvas = canvas
        # Courier is wide: a long address at its larger sizes would leave the page.
        self._plain, self._bold = rng.choice(_FONTS)
        self._size = 9 if self._plain == "Courier" else rng.choice((9.5, 10, 11))
        self._leading = self._size * rng.choice((1.5, 1.7, 2.0))
        self._mark = rng.choice((":", ""))
        self._y = _TOP

    def draw(self, draft: Draft, layout: Layout) -> None:
        self._text(_LEFT, draft.letterhead, size=self._size + 1)
        self._down(2)
        self._text(_LEFT, draft.title, self._bold, self._size + 6)
        self._down(2)
        for line in filter(None, draft.opening.split("\n")):
            self._text(_LEFT, line)
            self._down()
        self._down(0.5)
        getattr(self, f"_{layout.value}")(draft.cells)
        if draft.table:
            self._table(draft.table)
        if draft.closing:
            self._down()
            self._text(_LEFT, draft.closing)

    def _text(self, x: float, text: str, font: str | None = None, size: float | None = None) -> None:
        self._canvas.setFont(font or self._plain, size or self._size)
        self._canvas.drawString(x, self._y, text)

    def _down(self, lines: float = 1) -> None:
        self._y -= self._leading * lines
        if self._y < _BOTTOM:
            self._canvas.showPage()
            self._y = _TOP

    def _width(self, text: str, font: str | None = None) -> float:
        return float(stringWidth(text, font or self._plain, self._size))

    def _lines(self, cells: list[Cell]) -> None:
        for cell in cells:
            self._text(_LEFT, f"{cell.label}: {cell.text}")
            self._down()

    def _columns(self, cells: list[Cell]) -> None:
        widest = max((self._width(cell.label + self._mark, self._bold) for cell in cells), default=0)
        for cell in cells:
            self._text(_LEFT, cell.label + self._mark, self._bold)
            self._text(_LEFT + widest + _BETWEEN_COLUMNS, cell.text)
            self._down()

    def _stacked(self, cells: list[Cell]) -> None:
        for row in self._pairs(cells):
            small = self._size - 2
            for x, cell in zip((_LEFT, _SECOND_COLUMN), row, strict=False):
                self._text(x, cell.label + self._mark, size=small)
            self._y -= self._size * 1.25
            for x, cell in zip((_LEFT, _SECOND_COLUMN), row, strict=False):
                self._text(x, cell.text)
            self._down(1.2)

    def _pairs(self, cells: list[Cell]) -> Iterator[list[Cell]]:
        """Two cells to a row, one where the text needs the width."""
        row: list[Cell] = []
        for cell in cells:
            wide = self._width(cell.text) > _SECOND_COLUMN - _LEFT - _BETWEEN_COLUMNS
            if row and wide:
                yield row
                row = []
            row.append(cell)
            if len(row) == 2 or wide:
                yield row
                row = []
        if row:
            yield row

    def _table(self, table: Table) -> None:
        self._down()
        starts = [_LEFT, _LEFT + 120, _LEFT + 240][: len(table.header) - 1]
        self._row(starts, table.header, self._bold)
        for row in table.rows:
            self._row(starts, row)
        for label, amount in table.totals:
            self._row([_SECOND_COLUMN], (label, amount))

    def _row(self, starts: list[float], texts: tuple[str, ...], font: str | None = None) -> None:
        for x, text in zip(starts, texts[:-1], strict=True):
            self._text(x, text, font)
        self._text(_RIGHT - self._width(texts[-1], font), texts[-1], font)
        self._down()


def as_pdf(
    draft: Draft, rng: random.Random, layout: Layout, *, password: str | None = None, script: str | None = None
) -> bytes:
    """A PDF with a text layer; with a password to open it, or a script to run on opening, where asked."""
    buffer = io.BytesIO()
    encryption = StandardEncryption(password, strength=128) if password else None
    # `invariant` fixes the time stamps and the document's id, so that the seed alone decides the bytes.
    canvas = Canvas(buffer, pagesize=A4, invariant=1, encrypt=encryption)
    canvas.setTitle(draft.title)
    _Page(canvas, rng).draw(draft, layout)
    if script:
        action = PDFDictionary({"S": PDFName("JavaScript"), "JS": PDFString(script)})
        canvas.setCatalogEntry("OpenAction", action)
    canvas.save()
    return buffer.getvalue()


def as_picture(draft: Draft) -> bytes:
    """A PDF whose one page is an image of the text, as a scanner makes it: there is nothing to select."""
    image = Image.new("L", (1240, 1754), 255)
    pen = ImageDraw.Draw(image)
    lines = [draft.letterhead, "", draft.title, "", *(f"{cell.label}: {cell.text}" for cell in draft.cells)]
    for number, line in enumerate(lines):
        pen.text((120, 120 + 44 * number), line, fill=20, font=ImageFont.load_default(26))
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    canvas.drawImage(ImageReader(image), 0, 0, _WIDTH, _HEIGHT)
    canvas.save()
    return buffer.getvalue()
