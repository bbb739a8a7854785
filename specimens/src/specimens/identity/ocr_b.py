"""The letters of machine readable zones, drawn as strokes after OCR-B (ISO 1073-2): no font of it is free and at hand.

Each glyph lies in a box of 6 × 10 units, its baseline at 0: `M` moves, `L` draws a line, `C` a curve. There is no text
behind the strokes, so they are for pages that are scanned or photographed.
"""

from reportlab.lib.colors import Color
from reportlab.lib.units import mm

from specimens.setting.pen import BLACK, Pen

_UNIT = 0.235 * mm
_STROKE = 0.34 * mm
_PITCH = 2.54 * mm

_GLYPHS = {
    "A": "M0 0 L3 10 L6 0 M1.1 3.4 L4.9 3.4",
    "B": "M.5 0 L.5 10 L3.2 10 C5.2 10 5.4 9 5.4 7.8 C5.4 6.4 4.6 5.4 3.2 5.4 L.5 5.4 M3.2 5.4 "
    "C5 5.4 5.8 4.3 5.8 2.8 C5.8 1 4.8 0 3.2 0 L.5 0",
    "C": "M5.6 8.4 C5 9.5 4.2 10 3.2 10 C1.2 10 .4 8 .4 5 C.4 2 1.2 0 3.2 0 C4.2 0 5 .5 5.6 1.6",
    "D": "M.5 0 L.5 10 L2.2 10 C4.6 10 5.6 8 5.6 5 C5.6 2 4.6 0 2.2 0 L.5 0",
    "E": "M5.4 10 L.6 10 L.6 0 L5.4 0 M.6 5.3 L4.6 5.3",
    "F": "M5.4 10 L.6 10 L.6 0 M.6 5.3 L4.6 5.3",
    "G": "M5.5 8.6 C5 9.5 4.2 10 3.2 10 C1.2 10 .4 8 .4 5 C.4 2 1.2 0 3.2 0 C4.3 0 5.1 .3 5.6 .9 L5.6 4.4 L3.4 4.4",
    "H": "M.5 0 L.5 10 M5.5 0 L5.5 10 M.5 5.2 L5.5 5.2",
    "I": "M1.2 10 L4.8 10 M3 10 L3 0 M1.2 0 L4.8 0",
    "J": "M2 10 L4.8 10 L4.8 2.6 C4.8 .8 4 0 2.7 0 C1.6 0 .8 .5 .4 1.6",
    "K": "M.6 0 L.6 10 M5.4 10 L.6 4.4 M2.3 6.3 L5.6 0",
    "L": "M.7 10 L.7 0 L5.5 0",
    "M": "M.2 0 L.2 10 L3 4.6 L5.8 10 L5.8 0",
    "N": "M.5 0 L.5 10 L5.5 0 L5.5 10",
    "O": "M3 10 C1 10 .2 8 .2 5 C.2 2 1 0 3 0 C5 0 5.8 2 5.8 5 C5.8 8 5 10 3 10",
    "P": "M.6 0 L.6 10 L3.2 10 C5 10 5.6 8.9 5.6 7.4 C5.6 5.8 4.8 4.7 3.2 4.7 L.6 4.7",
    "Q": "M3 10 C1 10 .2 8 .2 5 C.2 2 1 0 3 0 C5 0 5.8 2 5.8 5 C5.8 8 5 10 3 10 M3.6 2.2 L5.9 -.6",
    "R": "M.6 0 L.6 10 L3.2 10 C5 10 5.6 8.9 5.6 7.4 C5.6 5.8 4.8 4.7 3.2 4.7 L.6 4.7 M3 4.7 L5.7 0",
    "S": "M5.3 8.6 C4.8 9.6 4 10 3 10 C1.5 10 .7 9 .7 7.7 C.7 6.2 1.7 5.6 3 5.1 C4.5 4.5 5.5 3.9 5.5 2.4 "
    "C5.5 .9 4.5 0 3 0 C1.9 0 1 .5 .4 1.6",
    "T": "M.2 10 L5.8 10 M3 10 L3 0",
    "U": "M.5 10 L.5 3 C.5 1 1.4 0 3 0 C4.6 0 5.5 1 5.5 3 L5.5 10",
    "V": "M.2 10 L3 0 L5.8 10",
    "W": "M.1 10 L1.4 0 L3 7 L4.6 0 L5.9 10",
    "X": "M.4 10 L5.6 0 M5.6 10 L.4 0",
    "Y": "M.2 10 L3 5 L5.8 10 M3 5 L3 0",
    "Z": "M.6 10 L5.4 10 L.5 0 L5.6 0",
    "0": "M3 10 C1.4 10 .8 8 .8 5 C.8 2 1.4 0 3 0 C4.6 0 5.2 2 5.2 5 C5.2 8 4.6 10 3 10",
    "1": "M1.2 8.2 L3.4 10 L3.4 0 M1.4 0 L5.2 0",
    "2": "M.8 8.2 C1 9.4 1.9 10 3 10 C4.4 10 5.2 9.1 5.2 7.7 C5.2 6.4 4.4 5.4 3.4 4.2 L.6 0 L5.4 0",
    "3": "M.9 10 L5 10 L2.6 6 C4.4 6 5.4 4.8 5.4 3 C5.4 1.2 4.3 0 2.8 0 C1.8 0 1 .3 .5 1",
    "4": "M3.4 10 L.6 3 L5.5 3 M4.2 5.6 L4.2 0",
    "5": "M5 10 L1.2 10 L1 5.6 C1.6 6 2.2 6.2 2.9 6.2 C4.5 6.2 5.4 5 5.4 3.2 C5.4 1.2 4.4 0 2.8 0 C1.9 0 1.1 .3 .6 .9",
    "6": "M4.4 10 C2.4 8 .8 5.4 .8 3 C.8 1.1 1.7 0 3.1 0 C4.5 0 5.4 1.1 5.4 2.9 C5.4 4.6 4.5 5.7 3.1 5.7 "
    "C2 5.7 1.2 5.1 .9 4.1",
    "7": "M.8 10 L5.4 10 C4 7 2.8 4 2.6 0",
    "8": "M3 10 C1.7 10 .9 9.2 .9 7.9 C.9 6.6 1.8 5.9 3 5.3 C4.4 4.6 5.5 3.9 5.5 2.5 C5.5 1 4.5 0 3 0 "
    "C1.5 0 .5 1 .5 2.5 C.5 3.9 1.6 4.6 3 5.3 C4.2 5.9 5.1 6.6 5.1 7.9 C5.1 9.2 4.3 10 3 10",
    "9": "M1.6 0 C3.6 2 5.2 4.6 5.2 7 C5.2 8.9 4.3 10 2.9 10 C1.5 10 .6 8.9 .6 7.1 C.6 5.4 1.5 4.3 2.9 4.3 "
    "C4 4.3 4.8 4.9 5.1 5.9",
    "<": "M5.2 8.2 L.8 4.8 L5.2 1.4",
}


def draw(
    pen: Pen, x: float, y: float, line: str, scale: float, colour: Color = BLACK
) -> tuple[float, float, float, float]:
    """One line with its baseline at `y`, ten characters to the inch at scale 1; answers the box of its ink."""
    canvas, unit, pitch = pen.canvas, _UNIT * scale, _PITCH * scale
    canvas.saveState()
    canvas.setStrokeColor(colour)
    canvas.setLineWidth(_STROKE * scale)
    canvas.setLineCap(1)
    canvas.setLineJoin(1)
    path = canvas.beginPath()
    for number, character in enumerate(line):
        _trace(path, _GLYPHS[character], x + number * pitch + (pitch - 6 * unit) / 2, pen.height - y, unit)
    canvas.drawPath(path, stroke=1, fill=0)
    canvas.restoreState()
    return x, y - 10 * unit, x + len(line) * pitch, y


def _trace(path: object, glyph: str, left: float, base: float, unit: float) -> None:
    """Append the glyph to a path of reportlab's; a curve has two control points and its end."""
    steps = glyph.replace("M", " M ").replace("L", " L ").replace("C", " C ").split()
    moves = {"M": ("moveTo", 2), "L": ("lineTo", 2), "C": ("curveTo", 6)}
    at = 0
    while at < len(steps):
        name, count = moves[steps[at]]
        values = [float(step) for step in steps[at + 1 : at + 1 + count]]
        places = [left + value * unit if index % 2 == 0 else base + value * unit for index, value in enumerate(values)]
        getattr(path, name)(*places)
        at += 1 + count
