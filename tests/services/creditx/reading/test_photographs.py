"""Goal: a sheet photographed aslant, in shadow, weakly printed or small is read, and its values are pointed at on the
photograph itself. Method: sheets put on a table by a known perspective; the real sandbox where print is read."""

import io
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pypdfium2
import pytest
from numpy.typing import NDArray
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.services.creditx.paging.pages import OCR
from ecosystem.services.creditx.reading import types
from ecosystem.services.creditx.reading.images.lighting import evened
from ecosystem.services.creditx.reading.images.outline import outline_of
from ecosystem.services.creditx.reading.images.straightening import skew_of, squared, through, upright_from

Pixels = NDArray[np.uint8]
WIDTH, HEIGHT = 2400, 1800
ASLANT = np.array([[700, 450], [1650, 380], [1820, 1320], [560, 1400]], np.float32)
"""The corners of a sheet on a photograph of this size, a quarter of it."""
SHADOW_FROM = 0.45
ROWS = (("Registration no.", "01841392"), ("Company type", "Private limited company"), ("Office", "Bristol BS1 5TR"))
SIZE = (420, 300)
"""Points of the made sheet."""


def a_sheet(dpi: int = 300) -> Pixels:
    """A label in small print and a value far to its right, in each row."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=SIZE)
    for number, (label, value) in enumerate(ROWS):
        canvas.setFont("Helvetica", 8)
        canvas.drawString(40, 240 - 60 * number, label)
        canvas.drawString(240, 240 - 60 * number, value)
    canvas.save()
    page: Any = pypdfium2.PdfDocument(buffer.getvalue())[0]
    return np.array(page.render(scale=dpi / 72).to_pil().convert("RGB"), np.uint8)


def onto(table: Pixels, sheet: Pixels, corners: NDArray[np.float32]) -> NDArray[np.float64]:
    """Lay the sheet on the table; answers the matrix from its pixels to those of the table."""
    height, width = sheet.shape[:2]
    own = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(own, corners)
    cv2.warpPerspective(
        cv2.GaussianBlur(sheet, (0, 0), 0.7), matrix, (table.shape[1], table.shape[0]), dst=table,
        flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT,
    )  # fmt: skip
    return np.asarray(matrix, np.float64)


def a_table(brightness: int = 30) -> Pixels:
    noise = np.random.default_rng(1).normal(brightness, 4, (HEIGHT, WIDTH, 3))
    return np.clip(noise, 0, 255).astype(np.uint8)


def weak(sheet: Pixels) -> Pixels:
    """Print of 45 % on paper of 62 %."""
    return np.asarray(cv2.convertScaleAbs(sheet, alpha=0.17, beta=115), np.uint8)


def half_in_shadow(pixels: Pixels) -> Pixels:
    """The edge falls between labels and values."""
    shade = np.where(np.arange(pixels.shape[1]) > SHADOW_FROM * pixels.shape[1], 0.3, 1.0)
    return np.asarray(pixels * shade[None, :, None], np.uint8)


def as_png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


async def read(sandbox: Sandbox, pixels: Pixels) -> dict[str, Any]:
    arguments = {"media_type": types.PNG, "pages": [1], "engine": "auto"}
    answer: list[dict[str, Any]] = await sandbox.run(
        f"{OCR}:read_pages", as_png(pixels), arguments, timeout_seconds=60, memory_bytes_max=1 << 30
    )
    return answer[0]


def places(page: dict[str, Any], key: str) -> dict[str, tuple[float, float]]:
    """The middle of each line."""
    return {
        line["text"]: ((line[key][0] + line[key][2]) / 2, (line[key][1] + line[key][3]) / 2) for line in page["lines"]
    }


class TestOutline:
    @pytest.mark.parametrize("brightness", [15, 120, 200])
    def test_four_corners_are_found_on_any_table(self, brightness: int) -> None:
        photograph = a_table(brightness)
        onto(photograph, a_sheet(), ASLANT)

        assert outline_of(photograph) == pytest.approx(ASLANT, abs=0.005 * WIDTH)

    def test_a_sheet_half_in_shadow_is_found_whole(self) -> None:
        photograph = a_table()
        onto(photograph, a_sheet(), ASLANT)

        assert outline_of(half_in_shadow(photograph)) == pytest.approx(ASLANT, abs=0.005 * WIDTH)

    def test_a_scan_has_none_though_a_frame_is_printed_on_it(self) -> None:
        scan = a_sheet()
        cv2.rectangle(scan, (60, 60), (scan.shape[1] - 60, scan.shape[0] - 60), (0, 0, 0), 3)

        assert outline_of(scan) is None

    def test_a_sheet_that_leaves_the_picture_has_none(self) -> None:
        photograph = a_table()
        onto(photograph, a_sheet(), ASLANT + np.array([900, 0], np.float32))

        assert outline_of(photograph) is None


class TestLight:
    def test_a_scan_is_left_as_it_is(self) -> None:
        scan = a_sheet()

        assert evened(scan, None) is scan

    def test_paper_becomes_as_bright_in_the_shadow_as_beside_it_and_weak_print_dark(self) -> None:
        lit = evened(half_in_shadow(weak(a_sheet())), None)
        edge = round(SHADOW_FROM * lit.shape[1])
        left, right = lit[:, : edge - 120], lit[:, edge + 120 :]

        assert np.median(left) == pytest.approx(235, abs=4)
        assert np.median(right) == pytest.approx(235, abs=4)
        assert left.min() < 90
        assert right.min() < 90

    @pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 16_000), (16_000, 3), (64, 64), (2, 700)])
    def test_the_oddest_picture_has_no_outline_and_stays(self, height: int, width: int) -> None:
        pixels = np.full((height, width, 3), 255, np.uint8)

        assert outline_of(pixels) is None
        assert evened(pixels, None) is pixels


class TestSquared:
    UPRIGHT, _, _ = upright_from(WIDTH, HEIGHT, 0, 0.0)

    def lines(self, corners: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Five rows of print on the sheet with these corners."""
        own = np.array([[0, 0], [100, 0], [100, 60], [0, 60]], np.float32)
        matrix = np.asarray(cv2.getPerspectiveTransform(own, corners), np.float64)
        rows = [np.array([[10, y], [90, y], [90, y + 4], [10, y + 4]], np.float64) for y in range(5, 55, 10)]
        return [through(matrix, row).astype(np.float32) for row in rows]

    def test_rows_of_a_sheet_become_level(self) -> None:
        matrix = squared(self.UPRIGHT, ASLANT, self.lines(ASLANT))

        for line in self.lines(ASLANT):
            level = through(matrix, line.astype(np.float64))
            assert level[0][1] == pytest.approx(level[1][1], abs=0.5)

    def test_an_outline_that_the_print_does_not_follow_is_not_believed(self) -> None:
        straight = np.array([[600, 400], [1800, 400], [1800, 1400], [600, 1400]], np.float32)
        lines = self.lines(straight)

        assert skew_of(lines, 0) == 0.0
        assert squared(self.UPRIGHT, ASLANT, lines) is self.UPRIGHT


async def test_a_small_weak_sheet_aslant_and_half_in_shadow_is_read_where_it_lies(sandbox: Sandbox) -> None:
    photograph = a_table()
    matrix = onto(photograph, weak(a_sheet()), ASLANT)
    page = await read(sandbox, half_in_shadow(photograph))
    found, level = places(page, "box"), places(page, "upright")

    assert set(found) == {text for row in ROWS for text in row}
    for number, (label, value) in enumerate(ROWS):
        begin = through(matrix, np.array([[40.0, 60 + 60 * number - 3]]) * 300 / 72)[0]
        box = next(line["box"] for line in page["lines"] if line["text"] == label)
        assert box[0] == pytest.approx(begin[0], abs=15)
        assert found[label][1] == pytest.approx(begin[1], abs=15)
        assert level[label][1] == pytest.approx(level[value][1], abs=6)
    assert [a < b for a, b in pairwise(level[label][1] for label, _ in ROWS)] == [True, True]


async def test_what_lies_beside_the_sheet_is_read_as_well(sandbox: Sandbox) -> None:
    photograph = a_table()
    onto(photograph, a_sheet(), ASLANT)
    cv2.putText(photograph, "SECOND CARD", (1750, 1650), cv2.FONT_HERSHEY_SIMPLEX, 2.0, (240, 240, 240), 4)

    assert "SECOND CARD" in places(await read(sandbox, photograph), "box")
