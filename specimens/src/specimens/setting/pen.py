"""A pen on the pages of a PDF that remembers the box of every field it prints. Units: points from the top left."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import reportlab
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.pdfdoc import PDFDictionary, PDFName, PDFString
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from specimens.draft import Run
from specimens.model import Place

BLACK = HexColor(0x1A1A1A)
GREY = HexColor(0x666666)
WHITE = HexColor(0xFFFFFF)


@dataclass(frozen=True)
class Fonts:
    plain: str
    bold: str


HELVETICA = Fonts("Helvetica", "Helvetica-Bold")
TIMES = Fonts("Times-Roman", "Times-Bold")
COURIER = Fonts("Courier", "Courier-Bold")
VERA = Fonts("Vera", "VeraBd")
"""Embedded; it comes with reportlab. The others are among those that every reader of PDF knows."""

for _font, _file in (("Vera", "Vera.ttf"), ("VeraBd", "VeraBd.ttf")):
    pdfmetrics.registerFont(TTFont(_font, str(Path(reportlab.__file__).parent / "fonts" / _file)))


def width_of(text: str, font: str, size: float) -> float:
    return float(pdfmetrics.stringWidth(text, font, size))


@dataclass(frozen=True)
class Traits:
    """What a file can have beside its pages: a password to open it, a script that runs then, turned pages."""

    password: str | None = None
    script: str | None = None
    rotated: int = 0
    """Degrees clockwise by which a viewer shows every page turned."""
    created: date | None = None
    author: str = ""
    software: tuple[str, str] = ("", "")
    """What wrote the document, and what made a PDF of it."""


PLAIN = Traits()


class Pen:
    def __init__(self, width: float, height: float, title: str, traits: Traits = PLAIN) -> None:
        self._buffer, self._traits = io.BytesIO(), traits
        encryption = StandardEncryption(traits.password, strength=128) if traits.password else None
        # reportlab exchanges width and height of pages that are shown turned; their paper stays what it is.
        paper = (height, width) if traits.rotated in (90, 270) else (width, height)
        # `invariant` fixes the time stamps and the document's id, so that the seed alone decides the bytes.
        self.canvas = Canvas(self._buffer, pagesize=paper, invariant=1, encrypt=encryption)
        self.canvas.setTitle(title)
        self.canvas.setAuthor(traits.author)
        self.canvas.setSubject("")
        self.canvas.setCreator(traits.software[0])
        self.canvas.setProducer(traits.software[1])
        if traits.created:
            stamp = f"D:{traits.created:%Y%m%d}093000+00'00'"
            self.canvas.setDateFormatter(lambda *moment: stamp)
        self.canvas.setPageRotation(traits.rotated)
        self.width, self.height = width, height
        self.page = 1
        self.places: dict[str, Place] = {}
        self._within: set[str] = set()

    def text(
        self, x: float, y: float, text: str, font: str, size: float, colour: Color = BLACK, *, right: bool = False
    ) -> float:
        """Print with the baseline at `y`, from `x` or up to it (`right`); answers the width."""
        width = width_of(text, font, size)
        self.canvas.setFont(font, size)
        self.canvas.setFillColor(colour)
        self.canvas.drawString(x - width if right else x, self.height - y, text)
        return width

    def runs(
        self, x: float, y: float, runs: Sequence[Run], font: str, size: float, colour: Color = BLACK,
        *, right: bool = False,
    ) -> float:  # fmt: skip
        """Print runs one behind the other and remember where the fields among them are; answers the width."""
        widths = [width_of(run.text, font, size) for run in runs]
        start = x - sum(widths) if right else x
        for run, width in zip(runs, widths, strict=True):
            self.text(start, y, run.text, font, size, colour)
            if run.name:
                self._remember(run.name, run.text, start, width, y, font, size)
            for name, begin, end in run.inside:
                if name not in self.places:
                    self._within.add(name)
                    before, inside = width_of(run.text[:begin], font, size), run.text[begin:end]
                    self._remember(name, inside, start + before, width_of(inside, font, size), y, font, size)
            start += width
        return sum(widths)

    def _remember(self, name: str, text: str, x: float, width: float, y: float, font: str, size: float) -> None:
        """The first print of a field counts; further lines of the same print widen its box."""
        ascent, descent = pdfmetrics.getAscentDescent(font, size)
        box = (x, y - ascent, x + width, y - descent)
        before = self.places.get(name)
        if before is None:
            self.places[name] = Place(self.page, box, text)
        elif name not in self._within and before.page == self.page and 0 < y - before.box[3] + descent < 2.5 * size:
            left, top, right, bottom = before.box
            whole = (min(left, box[0]), min(top, box[1]), max(right, box[2]), max(bottom, box[3]))
            self.places[name] = Place(self.page, whole, f"{before.text}\n{text}")

    def mark(self, name: str, text: str, box: tuple[float, float, float, float]) -> None:
        self.places.setdefault(name, Place(self.page, box, text))

    def line(self, x: float, y: float, to_x: float, to_y: float, colour: Color = BLACK, width: float = 0.5) -> None:
        self.canvas.setStrokeColor(colour)
        self.canvas.setLineWidth(width)
        self.canvas.line(x, self.height - y, to_x, self.height - to_y)

    def box(
        self, x: float, y: float, width: float, height: float, *, fill: Color | None = None,
        stroke: Color | None = None, line: float = 0.5,
    ) -> None:  # fmt: skip
        if fill is not None:
            self.canvas.setFillColor(fill)
        if stroke is not None:
            self.canvas.setStrokeColor(stroke)
            self.canvas.setLineWidth(line)
        self.canvas.rect(
            x, self.height - y - height, width, height, stroke=int(stroke is not None), fill=int(fill is not None)
        )

    def next_page(self) -> None:
        self.canvas.showPage()
        self.canvas.setPageRotation(self._traits.rotated)
        self.page += 1

    def finish(self) -> bytes:
        if self._traits.script:
            action = PDFDictionary({"S": PDFName("JavaScript"), "JS": PDFString(self._traits.script)})
            self.canvas.setCatalogEntry("OpenAction", action)
        self.canvas.save()
        return self._buffer.getvalue()
