"""Draws an identity document at its true size, alone on the page or as a copy on a sheet of A4."""

import math
import random
from collections.abc import Mapping, Sequence

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm

from specimens import texts
from specimens.draft import Run
from specimens.identity import ocr_b, portrait
from specimens.identity.document import Identity
from specimens.identity.mrz import Format
from specimens.model import Kind
from specimens.setting.paper import Pages
from specimens.setting.pen import BLACK, GREY, PLAIN, WHITE, Pen, Traits, width_of

_SIZES_MM = {
    Format.TD1: (85.6, 54.0),
    Format.TD2: (105.0, 74.0),
    Format.TD3: (125.0, 88.0),
    Format.MRV_A: (120.0, 80.0),
    Format.MRV_B: (105.0, 74.0),
}
_GROUNDS = (0x2E5A88, 0x7A2E3A, 0x2E6B4F, 0x6A4A8A, 0x8A6A2E)
_STATE_NAMES = {"UTO": "UTOPIA", "GBR": "UNITED KINGDOM", "IRL": "IRELAND", "FRA": "RÉPUBLIQUE FRANÇAISE",
    "CHE": "SCHWEIZ · SUISSE · SVIZZERA", "BEL": "BELGIQUE", "LUX": "LUXEMBOURG", "DEU": "BUNDESREPUBLIK DEUTSCHLAND",
    "AUT": "REPUBLIK ÖSTERREICH", "LIE": "FÜRSTENTUM LIECHTENSTEIN", "ESP": "ESPAÑA"}  # fmt: skip
_PITCH = 2.54 * mm
"""Ten characters to the inch, as the standard wants it."""


def set_identity(
    paper: Identity, language: str, rng: random.Random, *, sheet: bool, drawn_zone: bool, traits: Traits = PLAIN
) -> Pages:
    """`sheet`: a copy on A4, front and back of a card one below the other; else the document fills the page.

    `drawn_zone`: the zone for machines is strokes after OCR-B without text behind them, else text in Courier.
    """
    width, height = (edge * mm for edge in _SIZES_MM[paper.form])
    sides = 2 if paper.form is Format.TD1 else 1
    scale = rng.choice((1.0, 1.25, 1.41)) if sheet else 1.0
    margin = 0.0 if sheet else rng.choice((4 * mm, 8 * mm))
    size = A4 if sheet else (width + 2 * margin, sides * (height + margin) + margin)
    pen = Pen(size[0], size[1], paper.title, traits)
    x = (size[0] - width * scale) / 2 if sheet else margin
    y = rng.choice((60.0, 110.0)) if sheet else margin
    drawing = _Drawing(pen, paper, language, rng, scale, drawn_zone=drawn_zone)
    drawing.front(x, y)
    if sides == 2:
        drawing.back(x, y + height * scale + (28 if sheet else margin))
    return Pages(pen.finish(), (size,), pen.places)


class _Drawing:
    def __init__(
        self, pen: Pen, paper: Identity, language: str, rng: random.Random, scale: float, *, drawn_zone: bool
    ) -> None:
        self._pen, self._paper, self._rng, self._scale = pen, paper, rng, scale
        words = texts.words(language)["labels"]["identity"]
        self._labels = {name: str(rng.choice(_fitting(name, labels, paper.kind))) for name, labels in words.items()}
        second = rng.choice([other for other in ("en", "fr", "de") if other != language])
        self._second = texts.words(second)["labels"]["identity"] if rng.random() < 0.6 else None
        self._ground = HexColor(rng.choice(_GROUNDS))
        self._small = paper.form is Format.TD1
        self._mirrored = paper.kind is not Kind.PASSPORT and rng.random() < 0.35
        self._banded = rng.random() < 0.45
        self._drawn_zone = drawn_zone
        width, height = (edge * mm for edge in _SIZES_MM[paper.form])
        self._width, self._height = width * scale, height * scale
        self._zone_height = 0.0 if self._small else 17.5 * mm * scale

    def front(self, x: float, y: float) -> None:
        unit = self._scale * mm
        self._background(x, y)
        self._header(x, y)
        photo_width, photo_height = (21 * unit, 27 * unit) if self._small else (30 * unit, 38 * unit)
        top = y + 10.5 * unit
        inner = self._width - photo_width - 12 * unit
        photo_x = x + self._width - photo_width - 4 * unit if self._mirrored else x + 4 * unit
        fields_x = x + 5 * unit if self._mirrored else x + 8 * unit + photo_width
        portrait.draw(self._pen, self._rng, photo_x, top, photo_width, photo_height, self._paper.sex)
        self._fields(fields_x, top, inner, y + self._height - self._zone_height - 2 * unit - top)
        self._signature(photo_x, top + photo_height + (5 if self._small else 7) * unit)
        if not self._small:
            self._zone(x, y)
        self._edge(x, y)

    def back(self, x: float, y: float) -> None:
        pen, unit = self._pen, self._scale * mm
        self._background(x, y)
        pen.text(x + 5 * unit, y + 7 * unit, self._labels["authority"], "Helvetica", 4.8 * self._scale, GREY)
        pen.text(x + 5 * unit, y + 10.5 * unit, _STATE_NAMES[self._paper.state], "Helvetica", 6.5 * self._scale)
        self._zone(x, y)
        self._edge(x, y)

    def _header(self, x: float, y: float) -> None:
        pen, unit, colour, size = self._pen, self._scale * mm, self._ground, 8.5 * self._scale
        if self._banded:
            pen.box(x + 0.3, y + 2.2 * unit, self._width - 0.6, 6 * unit, fill=colour)
            colour = WHITE
        title, right = self._paper.title.upper(), x + self._width - 4 * unit
        pen.text(x + 4 * unit, y + 6 * unit, _STATE_NAMES[self._paper.state], "Helvetica-Bold", size, colour)
        pen.text(right, y + 6 * unit, title, "Helvetica-Bold", size, colour, right=True)

    def _background(self, x: float, y: float) -> None:
        """Fine waves in the colour of the state, as against copying."""
        pen, canvas, ground = self._pen, self._pen.canvas, self._ground
        canvas.saveState()
        edge = canvas.beginPath()
        edge.roundRect(x, pen.height - y - self._height, self._width, self._height, 3 * mm * self._scale)
        canvas.clipPath(edge, stroke=0, fill=0)
        pen.box(x, y, self._width, self._height, fill=_mixed(ground, 0.10))
        canvas.setStrokeColor(_mixed(ground, 0.24))
        canvas.setLineWidth(0.3)
        phase = self._rng.uniform(0, 6.28)
        for wave in range(26):
            path = canvas.beginPath()
            base = pen.height - y - self._height * wave / 25
            for step in range(41):
                across = x + self._width * step / 40
                height = base + 5 * self._scale * math.sin(step / 3.1 + phase + wave / 4)
                (path.lineTo if step else path.moveTo)(across, height)
            canvas.drawPath(path, stroke=1, fill=0)
        canvas.restoreState()

    def _edge(self, x: float, y: float) -> None:
        canvas = self._pen.canvas
        canvas.setStrokeColor(GREY)
        canvas.setLineWidth(0.5)
        canvas.roundRect(x, self._pen.height - y - self._height, self._width, self._height, 3 * mm * self._scale)

    def _fields(self, x: float, y: float, width: float, height: float) -> None:
        rows = _rows(self._paper.kind, self._paper.printed)
        step = height / len(rows)
        y += min(2 * mm * self._scale, step / 2)
        for row in rows:
            shares = (0.34, 0.44, 0.22) if len(row) == 3 else (1 / len(row),) * len(row)
            start = x
            for name, share in zip(row, shares, strict=True):
                self._field(name, start, y, width * share)
                start += width * share
            y += step

    def _field(self, name: str, x: float, y: float, width: float) -> None:
        pen, scale = self._pen, self._scale
        key = _label(self._paper.kind, name)
        label, small = self._labels[key], (4.4 if self._small else 5.0) * scale
        if self._second:
            other = _fitting(key, self._second[key], self._paper.kind)[0]
            both = f"{label} / {other}"
            if other != label and width_of(both, "Helvetica", small) < width - 2:
                label = both
        pen.text(x, y, label, "Helvetica", small, GREY)
        size, text = (6.8 if self._small else 8.4) * scale, self._paper.printed[name]
        while width_of(text, "Helvetica-Bold", size) > width - 2:
            size *= 0.95
        pen.runs(x, y + (2.6 if self._small else 3.3) * mm * scale, [Run(text, name)], "Helvetica-Bold", size)

    def _signature(self, x: float, y: float) -> None:
        pen, rng, scale = self._pen, self._rng, self._scale
        path = pen.canvas.beginPath()
        path.moveTo(x, pen.height - y)
        for _ in range(6):
            path.curveTo(
                x + 2 * scale, pen.height - y + rng.uniform(0, 9) * scale, x + 6 * scale,
                pen.height - y - rng.uniform(0, 4) * scale, x + 8 * scale, pen.height - y + rng.uniform(0, 3) * scale,
            )  # fmt: skip
            x += 8 * scale
        pen.canvas.setStrokeColor(BLACK)
        pen.canvas.setLineWidth(0.7 * scale)
        pen.canvas.drawPath(path, stroke=1, fill=0)

    def _zone(self, x: float, y: float) -> None:
        """The lines for machines at the foot, ten characters to the inch."""
        pen, scale, zone = self._pen, self._scale, self._paper.zone
        left = x + (self._width - _PITCH * scale * len(zone[0])) / 2
        step = (4.9 if len(zone) == 3 else 5.8) * mm * scale
        foot = y + self._height - 4.6 * mm * scale
        top = foot - step * (len(zone) - 1)
        ground = top - 5 * mm * scale
        pen.box(x + 1, ground, self._width - 2, y + self._height - ground - 2.2 * mm * scale, fill=HexColor(0xFAFAF7))
        if not self._drawn_zone:
            for number, line in enumerate(zone):
                pen.runs(left, top + number * step, [Run(line, "mrz")], "Courier", 12 * scale)
            return
        boxes = [ocr_b.draw(pen, left, top + number * step, line, scale) for number, line in enumerate(zone)]
        pen.mark("mrz", "\n".join(zone), (boxes[0][0], boxes[0][1], boxes[-1][2], boxes[-1][3]))


def _rows(kind: Kind, printed: Mapping[str, str]) -> list[tuple[str, ...]]:
    if kind is Kind.VISA:
        wanted: tuple[tuple[str, ...], ...] = (
            ("issuing_state", "visa_type", "document_number"), ("surname",), ("given_names",),
            ("nationality", "birth_date", "sex"), ("issue_date", "expiry_date"),
        )  # fmt: skip
    else:
        wanted = (
            ("issuing_state", "document_number"), ("surname",), ("given_names",), ("nationality", "birth_date", "sex"),
            ("birth_place", "personal_number"), ("issue_date", "expiry_date"),
        )  # fmt: skip
    return [tuple(name for name in row if name in printed) for row in wanted]


def _fitting(name: str, labels: Sequence[str], kind: Kind) -> list[str]:
    """Only a passport calls its number that of a passport."""
    alien = ("card", "ausweis") if kind is Kind.PASSPORT else ("pas",)
    if name != "document_number":
        return list(labels)
    return [label for label in labels if not label.lower().startswith(alien)]


def _label(kind: Kind, name: str) -> str:
    if kind is Kind.VISA:
        return {"issue_date": "valid_from", "expiry_date": "valid_until"}.get(name, name)
    return name


def _mixed(colour: Color, strength: float) -> Color:
    return Color(*(1 - (1 - part) * strength for part in (colour.red, colour.green, colour.blue)))
