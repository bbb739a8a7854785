"""Goal: a code beside a text layer is found however it is drawn and however the page lies, and pages without one pay
nothing. Method: pages made here with codes of another library, read in the real sandbox."""

import io
from collections.abc import Callable

import pytest
import segno
from pypdf import PdfWriter
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.services.creditx.reading import drawn_codes, types
from ecosystem.services.creditx.reading.drawn_codes import codes_on
from ecosystem.services.creditx.reading.opened import Pdf
from tests.services.creditx.reading.test_codes import QR_BILL

SIZE = (595, 842)
CORNER, SIDE = (190.0, 120.0), 130.0
"""Where the code stands, from the bottom left, in points."""


def a_page(draw: Callable[[Canvas], None], *, turned: int = 0) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=SIZE)
    for line in range(30):
        canvas.drawString(60, 780 - 15 * line, f"Rechnung, Zeile {line}: Betrag 1949.75 CHF")
    draw(canvas)
    canvas.save()
    writer, out = PdfWriter(buffer), io.BytesIO()
    writer.pages[0].rotate(turned)
    writer.write(out)
    return out.getvalue()


def _squares() -> tuple[list[tuple[float, float]], float]:
    matrix = segno.make(QR_BILL, error="m", micro=False).matrix
    size = SIDE / len(matrix)
    places = [
        (CORNER[0] + column * size, CORNER[1] + SIDE - (row + 1) * size)
        for row, modules in enumerate(matrix)
        for column, dark in enumerate(modules)
        if dark
    ]
    return places, size


def as_one_path(canvas: Canvas) -> None:
    places, size = _squares()
    path = canvas.beginPath()
    for x, y in places:
        path.rect(x, y, size, size)
    canvas.drawPath(path, stroke=0, fill=1)


def as_many_paths(canvas: Canvas) -> None:
    places, size = _squares()
    for x, y in places:
        canvas.rect(x, y, size, size, stroke=0, fill=1)


def as_picture(canvas: Canvas) -> None:
    drawn = io.BytesIO()
    segno.make(QR_BILL, error="m", micro=False).save(drawn, kind="png", scale=4, border=0)
    canvas.drawImage(ImageReader(drawn), *CORNER, SIDE, SIDE)


@pytest.mark.parametrize("turned", [0, 90, 270])
@pytest.mark.parametrize("draw", [as_one_path, as_many_paths, as_picture])
async def test_a_code_is_found_with_its_place(sandbox: Sandbox, draw: Callable[[Canvas], None], turned: int) -> None:
    reading = await sandbox.run(
        "ecosystem.services.creditx.reading.extraction:extract", a_page(draw, turned=turned),
        {"media_type": types.PDF, "date_order": "DMY"},
    )  # fmt: skip

    (code,) = reading["barcodes"]
    assert (code["symbology"], code["meaning"], code["fields"]["iban"]) == (
        "QR Code", "swiss_qr_bill", "CH4431999123000889012",
    )  # fmt: skip
    left, top = CORNER[0], SIZE[1] - CORNER[1] - SIDE
    expected = {
        0: (left, top, left + SIDE, top + SIDE),
        90: (SIZE[1] - top - SIDE, left, SIZE[1] - top, left + SIDE),
        270: (top, SIZE[0] - left - SIDE, top + SIDE, SIZE[0] - left),
    }[turned]
    assert code["box"] == pytest.approx(expected, abs=3)
    assert reading["values"], "the text layer is read as well"


def test_a_page_without_anything_like_a_code_is_not_even_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[object] = []
    monkeypatch.setattr(drawn_codes, "shown", lambda *asked: drawn.append(asked))
    with Pdf(a_page(lambda canvas: canvas.line(60, 300, 500, 300))) as pdf, pdf.page(1) as page:
        assert (codes_on(page), drawn) == ([], [])
