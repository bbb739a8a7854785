"""QR codes as rectangles, so that they stay sharp at any size."""

import segno

from specimens.setting.pen import BLACK, WHITE, Pen


def draw_qr(pen: Pen, payload: str, x: float, y: float, side: float) -> None:
    """Error correction M, UTF-8; the box of `side` points does not contain the quiet zone."""
    matrix = segno.make(payload, error="m", encoding="utf-8", micro=False, boost_error=False, eci=False).matrix
    module = side / len(matrix)
    pen.box(x, y, side, side, fill=WHITE)
    path = pen.canvas.beginPath()
    for row, cells in enumerate(matrix):
        for column, dark in enumerate(cells):
            if dark:
                path.rect(x + column * module, pen.height - y - (row + 1) * module, module, module)
    pen.canvas.setFillColor(BLACK)
    pen.canvas.drawPath(path, stroke=0, fill=1)
