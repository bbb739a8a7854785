"""A portrait of nobody, drawn from the seed: head and shoulders before a light ground."""

import random

from reportlab.lib.colors import HexColor

from specimens.setting.pen import Pen

_SKINS = (0xF2D3BC, 0xE4B698, 0xC98F6B, 0x9C6A48, 0x6F4A34)
_HAIRS = (0x2B1D14, 0x5A3A22, 0x8A5A2B, 0xB98A4A, 0x9A9A9A, 0x1A1A1A)
_CLOTHES = (0x2F3E55, 0x4A4A4A, 0x5B2C35, 0x2E5144, 0x6B6B7A)


def draw(pen: Pen, rng: random.Random, x: float, y: float, width: float, height: float, sex: str) -> None:
    """Fills the box given by its top left corner; points."""
    canvas = pen.canvas
    skin, hair, clothes = (HexColor(rng.choice(colours)) for colours in (_SKINS, _HAIRS, _CLOTHES))
    canvas.saveState()
    frame = canvas.beginPath()
    frame.rect(x, pen.height - y - height, width, height)
    canvas.clipPath(frame, stroke=0, fill=0)
    pen.box(x, y, width, height, fill=HexColor(rng.choice((0xE9ECEF, 0xDDE5EA, 0xEFEBE4))))
    centre, base = x + width / 2, pen.height - y - height
    head_width, head_height = width * rng.uniform(0.40, 0.46), height * rng.uniform(0.42, 0.47)
    chin = base + height * 0.32
    long_hair = sex == "F" and rng.random() < 0.8
    canvas.setFillColor(hair)
    if long_hair:
        canvas.roundRect(
            centre - head_width * 0.62,
            chin - height * 0.12,
            head_width * 1.24,
            head_height * 1.15,
            head_width * 0.5,
            0,
            1,
        )
    canvas.setFillColor(clothes)
    canvas.ellipse(x + width * 0.06, base - height * 0.25, x + width * 0.94, base + height * 0.28, 0, 1)
    canvas.setFillColor(skin)
    canvas.rect(centre - width * 0.09, base + height * 0.2, width * 0.18, height * 0.18, 0, 1)
    canvas.setFillColor(hair)
    canvas.ellipse(
        centre - head_width * 0.56, chin + head_height * 0.3, centre + head_width * 0.56, chin + head_height * 1.1, 0, 1
    )
    canvas.setFillColor(skin)
    canvas.ellipse(centre - head_width / 2, chin, centre + head_width / 2, chin + head_height * 0.96, 0, 1)
    _face(pen, rng, centre, chin, head_width, head_height)
    canvas.restoreState()
    pen.box(x, y, width, height, stroke=HexColor(0x888888), line=0.4)


def _face(pen: Pen, rng: random.Random, centre: float, chin: float, width: float, height: float) -> None:
    canvas, eyes = pen.canvas, chin + height * 0.52
    gap, iris = width * rng.uniform(0.19, 0.23), HexColor(rng.choice((0x3A2A1A, 0x3F5F7A, 0x4A5A3A)))
    for side in (-1, 1):
        canvas.setFillColor(HexColor(0xFFFFFF))
        canvas.ellipse(
            centre + side * gap - width * 0.09, eyes - 1.4, centre + side * gap + width * 0.09, eyes + 1.4, 0, 1
        )
        canvas.setFillColor(iris)
        canvas.circle(centre + side * gap, eyes, width * 0.045, 0, 1)
    canvas.setStrokeColor(HexColor(0x3A2A20))
    canvas.setLineWidth(width * 0.025)
    for side in (-1, 1):
        canvas.line(centre + side * gap * 0.5, eyes + height * 0.09, centre + side * gap * 1.6, eyes + height * 0.085)
    canvas.line(centre, eyes - height * 0.04, centre - width * 0.04, chin + height * 0.32)
    canvas.setStrokeColor(HexColor(0x8A3A3A))
    mouth = chin + height * 0.2
    canvas.bezier(
        centre - width * 0.14, mouth, centre - width * 0.05, mouth - 1.5, centre + width * 0.05, mouth - 1.5,
        centre + width * 0.14, mouth,
    )  # fmt: skip
    if rng.random() < 0.25:
        canvas.setStrokeColor(HexColor(0x222222))
        for side in (-1, 1):
            canvas.circle(centre + side * gap, eyes, width * 0.14, 1, 0)
