"""Goal: what a person reads on pixels is read, and where it stands. Method: made and real pages in the real sandbox."""

import base64
import io
import os
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from ecosystem.kernel.sandbox.errors import SandboxRaised
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.services.creditx.paging.pages import OCR, OCR_BY_TESSERACT
from ecosystem.services.creditx.reading import types
from ecosystem.services.creditx.reading.images.tesseract import Tesseract, TesseractAbsent
from tests.services.creditx.reading.oddities import as_file, letters_without_names

REAL = Path(__file__).parents[4].parent / "shared" / "data" / "docs"
LINES = ("Zürcher Kantonalbank", "IBAN CH93 0076 2011 6238 5295 7", "Période du 01.10.2026", "Saldo 12'450.35")
TEXT = "The holder of this account confirms that the balance is right"
SIZE = (420, 300)
"""Points of the made page."""


async def read(
    sandbox: Sandbox, content: bytes, media_type: str, *pages: int, engine: str = "auto"
) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = await sandbox.run(
        f"{OCR_BY_TESSERACT if engine == 'tesseract' else OCR}:read_pages", content,
        {"media_type": media_type, "pages": list(pages or (1,)), "engine": engine},
        timeout_seconds=60, memory_bytes_max=1 << 30,
    )  # fmt: skip
    return answer


def a_page() -> Image.Image:
    """At 200 dpi."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=SIZE)
    for number, line in enumerate(LINES):
        canvas.drawString(50, 250 - 40 * number, line)
    canvas.save()
    page: Any = pypdfium2.PdfDocument(buffer.getvalue())[0]
    image: Image.Image = page.render(scale=200 / 72).to_pil().convert("RGB")
    return image


def a_page_of_text() -> Image.Image:
    """Enough of it to tell which way is up."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=SIZE)
    for number in range(12):
        canvas.drawString(30, 270 - 22 * number, TEXT)
    canvas.save()
    page: Any = pypdfium2.PdfDocument(buffer.getvalue())[0]
    image: Image.Image = page.render(scale=200 / 72).to_pil().convert("RGB")
    return image


def has_tesseract() -> bool:
    try:
        Tesseract()
    except TesseractAbsent:
        return False
    return True


def texts(page: dict[str, Any]) -> list[str]:
    return [line["text"] for line in page["lines"]]


async def test_lines_are_read_with_their_places(sandbox: Sandbox) -> None:
    (page,) = await read(sandbox, as_file(a_page(), "PDF", resolution=200), types.PDF)

    assert texts(page) == list(LINES)
    assert (page["unit"], page["rotation_degrees"], page["engine"]) == ("point", 0, "rapidocr")
    assert (page["width"], page["height"]) == pytest.approx(SIZE, abs=1)
    left, top, right, bottom = page["lines"][1]["words"][0]["box"]
    assert left == pytest.approx(50, abs=3)
    assert top < SIZE[1] - 210 < bottom
    assert right == pytest.approx(50 + 28, abs=4)
    assert page["confidence"] > 0.95


async def test_each_page_of_a_turned_fax_is_read_upright(sandbox: Sandbox) -> None:
    upright = a_page().convert("1")
    turned = upright.transpose(Image.Transpose.ROTATE_90), upright.transpose(Image.Transpose.ROTATE_180)
    content = as_file(turned[0], "TIFF", save_all=True, append_images=[turned[1]], compression="group4")

    pages = await read(sandbox, content, types.TIFF, 1, 2)

    assert [page["page"] for page in pages] == [1, 2]
    assert [page["rotation_degrees"] for page in pages] == [90, 180]
    assert [texts(page) for page in pages] == [list(LINES)] * 2
    for page, image in zip(pages, turned, strict=True):
        assert (page["width"], page["height"]) == image.size
        assert page["upright_width"] > page["upright_height"]
        assert page["lines"][0]["upright"][1] < page["lines"][1]["upright"][1]


async def test_what_a_font_does_not_name_is_read_as_people_read_it(sandbox: Sandbox) -> None:
    (page,) = await read(sandbox, letters_without_names("Kontoauszug 2026"), types.PDF)

    assert "".join(texts(page)).replace(" ", "") == "Kontoauszug2026"


async def test_each_line_of_a_long_receipt_is_read_once(sandbox: Sandbox) -> None:
    lines = [f"Item {number}" for number in range(40)]
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(120, 2400))
    for number, line in enumerate(lines):
        canvas.drawString(20, 2370 - 58 * number, line)
    canvas.save()

    (page,) = await read(sandbox, buffer.getvalue(), types.PDF)

    assert texts(page) == lines


@pytest.mark.skipif(not has_tesseract(), reason="libtesseract.so.5 with its English data is not on this machine")
@pytest.mark.parametrize("turned", [0, 90, 180, 270])
async def test_tesseract_reads_a_page_however_it_lies_in_a_locked_worker(sandbox: Sandbox, turned: int) -> None:
    page = a_page_of_text()
    shown = page.rotate(-turned, expand=True)

    (read_,) = await read(sandbox, as_file(shown, "PNG"), types.PNG, engine="tesseract")
    (beside,) = await read(sandbox, as_file(shown, "PNG"), types.PNG, engine="rapidocr")

    assert (read_["engine"], read_["rotation_degrees"]) == ("tesseract", (360 - turned) % 360)
    assert texts(read_) == texts(beside) == [TEXT] * 12
    for ours, other in zip(read_["lines"], beside["lines"], strict=True):
        assert ours["box"] == pytest.approx(other["box"], abs=12)


@pytest.mark.skipif(has_tesseract(), reason="Tesseract is on this machine")
async def test_an_engine_that_is_not_there_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxRaised):
        await read(sandbox, as_file(a_page(), "PNG"), types.PNG, engine="tesseract")


@pytest.mark.skipif(not REAL.is_dir() and "CI" not in os.environ, reason="the real documents are not on this machine")
@pytest.mark.parametrize(
    ("name", "media_type", "expected"),
    [
        ("docling_ocr_test_rotated_90.pdf", types.PDF, ("JSON and Markdown in an easy self contained", "package")),
        ("docling_qr_bill_example.jpg", types.JPEG, ("CH58 0079 1123 0008 8901 2", "Date: 01.07.2020", "CHF 3'949.75")),
        ("passporteye_passport-td2.jpg", types.JPEG, ("ERIKSSON", "12 AUG/AOUT 74", "Nationalité")),
    ],
)
async def test_real_documents_are_read_as_a_person_reads_them(
    sandbox: Sandbox, name: str, media_type: str, expected: tuple[str, ...]
) -> None:
    (page,) = await read(sandbox, (REAL / name).read_bytes(), media_type)

    assert set(expected) <= set(texts(page))
    if "qr_bill" in name:
        (code,) = page["barcodes"]
        assert (code["symbology"], code["text"].splitlines()[3]) == ("QR Code", "CH5800791123000889012")


@pytest.mark.parametrize(("name", "media_type"), [("PDF", types.PDF), ("JPEG", types.JPEG)])
async def test_a_page_is_shown_within_its_width(sandbox: Sandbox, name: str, media_type: str) -> None:
    target = "ecosystem.services.creditx.reading.images.rendering:render_page"
    answer = await sandbox.run(target, as_file(a_page(), name), {"media_type": media_type, "page": 1, "width_max": 300})

    shown = Image.open(io.BytesIO(base64.b64decode(answer["png_base64"])))
    assert (shown.format, shown.width) == ("PNG", 300)
    assert shown.height == pytest.approx(300 * SIZE[1] / SIZE[0], abs=2)
