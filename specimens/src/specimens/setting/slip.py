"""The payment part of a Swiss QR bill with its receipt, after the style guide of SIX: 105 mm at the foot of A4."""

from collections.abc import Mapping, Sequence

from reportlab.lib.units import mm

from specimens.draft import Slip
from specimens.setting.codes import draw_qr
from specimens.setting.pen import BLACK, WHITE, Pen

HEIGHT = 105 * mm
_RECEIPT = 62 * mm
_CODE = 46 * mm
_BOLD, _PLAIN = "Helvetica-Bold", "Helvetica"


def draw(pen: Pen, slip: Slip, words: Mapping[str, str]) -> None:
    top = pen.height - HEIGHT
    pen.canvas.setDash(3, 2)
    pen.line(0, top, pen.width, top, BLACK, 0.6)
    pen.line(_RECEIPT, top, _RECEIPT, pen.height, BLACK, 0.6)
    pen.canvas.setDash()
    _receipt(pen, slip, words, top)
    _payment_part(pen, slip, words, top)


def _receipt(pen: Pen, slip: Slip, words: Mapping[str, str], top: float) -> None:
    x = 5 * mm
    pen.text(x, top + 9 * mm, words["receipt"], _BOLD, 11)
    y = top + 15 * mm
    for label, lines in _parts(slip, words):
        y = _block(pen, x, y, label, lines, 6, 8)
    _money(pen, slip, words, x, top + 71 * mm, 6, 8)
    pen.text(_RECEIPT - 5 * mm, top + 86 * mm, words["acceptance"], _BOLD, 6, right=True)


def _payment_part(pen: Pen, slip: Slip, words: Mapping[str, str], top: float) -> None:
    x = _RECEIPT + 5 * mm
    pen.text(x, top + 9 * mm, words["payment_part"], _BOLD, 11)
    _code(pen, slip.payload, x, top + 17 * mm)
    _money(pen, slip, words, x, top + 71 * mm, 8, 10)
    right, y = _RECEIPT + 56 * mm, top + 8 * mm
    parts = list(_parts(slip, words))
    if slip.message:
        parts.insert(-1, (words["additional"], (slip.message,)))
    for label, lines in parts:
        y = _block(pen, right, y, label, lines, 8, 10)


def _parts(slip: Slip, words: Mapping[str, str]) -> list[tuple[str, tuple[str, ...]]]:
    parts = [(words["account"], (slip.iban, *slip.creditor))]
    if slip.reference:
        parts.append((words["reference"], (slip.reference,)))
    return [*parts, (words["payable_by"], slip.debtor)]


def _block(pen: Pen, x: float, y: float, label: str, lines: Sequence[str], small: float, size: float) -> float:
    pen.text(x, y, label, _BOLD, small)
    for number, line in enumerate(lines, 1):
        pen.text(x, y + number * size * 1.15, line, _PLAIN, size)
    return y + (len(lines) + 1) * size * 1.15 + 3


def _money(pen: Pen, slip: Slip, words: Mapping[str, str], x: float, y: float, small: float, size: float) -> None:
    pen.text(x, y, words["currency"], _BOLD, small)
    pen.text(x + 16 * mm, y, words["amount"], _BOLD, small)
    pen.text(x, y + size * 1.3, slip.currency, _PLAIN, size)
    pen.text(x + 16 * mm, y + size * 1.3, slip.amount, _PLAIN, size)


def _code(pen: Pen, payload: str, x: float, y: float) -> None:
    """46 × 46 mm with the Swiss cross of 7 mm in the middle."""
    draw_qr(pen, payload, x, y, _CODE)
    side, left, top = 7 * mm, x + _CODE / 2, y + _CODE / 2
    pen.box(left - side / 2, top - side / 2, side, side, fill=WHITE)
    pen.box(left - 3 * mm, top - 3 * mm, 6 * mm, 6 * mm, fill=BLACK)
    long, thick = 3.9 * mm, 1.17 * mm
    pen.box(left - long / 2, top - thick / 2, long, thick, fill=WHITE)
    pen.box(left - thick / 2, top - long / 2, thick, long, fill=WHITE)
