"""Goal: a box beside a word is read as empty or ticked, and nothing else on a page is taken for one.

Method: boxes drawn beside lines whose letters are known; questionnaires of the specimens in the real sandbox.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import cv2
import numpy as np
import pypdfium2
import pytest
import zxingcpp
from numpy.typing import NDArray
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.services.creditx.paging.pages import OCR
from ecosystem.services.creditx.reading import extraction
from ecosystem.services.creditx.reading.images.barcodes import barcodes_on
from ecosystem.services.creditx.reading.images.recognition import Letter
from ecosystem.services.creditx.reading.images.straightening import through
from ecosystem.services.creditx.reading.images.tick_boxes import EMPTY, TICKED, Line, with_boxes
from specimens.maker import make
from specimens.model import Kind, Quality, Specimen
from tests.services.creditx.conftest import AS_OF

WIDTH, HEIGHT = 420, 120
"""Points of the made page."""
BASELINE, SIZE = 60.0, 10.0
Draw = Callable[[Canvas, float, float], None]
"""Something in a square: its left lower corner is at the origin, its side and the width of a pen are given."""


def hollow(canvas: Canvas, side: float, pen: float) -> None:
    canvas.setLineWidth(pen)
    canvas.rect(0, 0, side, side)


def crossed(canvas: Canvas, side: float, pen: float) -> None:
    hollow(canvas, side, pen)
    canvas.line(0, 0, side, side)
    canvas.line(0, side, side, 0)


def ticked(canvas: Canvas, side: float, pen: float) -> None:
    """By hand: it leaves the box at its upper right."""
    hollow(canvas, side, pen)
    canvas.setLineWidth(2 * pen)
    canvas.line(0.2 * side, 0.5 * side, 0.45 * side, 0.15 * side)
    canvas.line(0.45 * side, 0.15 * side, 1.1 * side, 1.2 * side)


def dotted(canvas: Canvas, side: float, pen: float) -> None:
    hollow(canvas, side, pen)
    canvas.rect(0.25 * side, 0.25 * side, 0.5 * side, 0.5 * side, stroke=0, fill=1)


def filled(canvas: Canvas, side: float, pen: float) -> None:
    canvas.rect(0, 0, side, side, fill=1)


@dataclass
class Page:
    """A page with lines whose letters stand where they are printed."""

    canvas: Canvas
    buffer: io.BytesIO
    lines: list[tuple[float, float, str, float, str]]

    @classmethod
    def new(cls) -> "Page":
        buffer = io.BytesIO()
        return cls(Canvas(buffer, pagesize=(WIDTH, HEIGHT)), buffer, [])

    def text(self, x: float, text: str, y: float = BASELINE, size: float = SIZE, font: str = "Helvetica") -> float:
        self.canvas.setFont(font, size)
        self.canvas.drawString(x, y, text)
        self.lines.append((x, y, text, size, font))
        return x + float(stringWidth(text, font, size))

    def draw(self, what: Draw, x: float, side: float, pen: float = 0.8, y: float = BASELINE - 1) -> float:
        self.canvas.saveState()
        self.canvas.translate(x, y)
        what(self.canvas, side, pen)
        self.canvas.restoreState()
        return x + side

    def seen(self, dpi: int = 200, degrees: float = 0.0) -> tuple[NDArray[np.uint8], list[Line]]:
        """Its pixels, laid on the glass askew, and its lines with the air that the detector leaves around them."""
        self.canvas.save()
        page: Any = pypdfium2.PdfDocument(self.buffer.getvalue())[0]
        pixels = np.array(page.render(scale=dpi / 72).to_pil().convert("RGB"), np.uint8)
        turn = cv2.getRotationMatrix2D((pixels.shape[1] / 2, pixels.shape[0] / 2), degrees, 1.0)
        matrix = np.vstack([turn, [0, 0, 1]]) @ np.diag([dpi / 72, dpi / 72, 1.0])
        askew = cv2.warpAffine(pixels, turn, pixels.shape[1::-1], borderValue=(255, 255, 255))
        lines = [self._line(matrix, *one) for one in self.lines]
        return np.asarray(cv2.GaussianBlur(askew, (0, 0), 0.6), np.uint8), lines

    @staticmethod
    def _line(matrix: NDArray[np.float64], x: float, y: float, text: str, size: float, font: str) -> Line:
        air = 0.2 * size
        edges = [x + float(stringWidth(text[:end], font, size)) for end in range(len(text) + 1)]
        left, right, top, bottom = x - air, edges[-1] + air, HEIGHT - y - size, HEIGHT - y + 0.35 * size
        corners = through(matrix, np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64))
        places = [(edge - left) / (right - left) for edge in edges]
        letters = [Letter(one, places[at], places[at + 1], 0.99) for at, one in enumerate(text)]
        return corners.astype(np.float32), letters


def text_of(line: Line) -> str:
    return " ".join("".join(letter.text for letter in line[1]).split())


def texts(page: Page, dpi: int = 200, degrees: float = 0.0) -> list[str]:
    return [text_of(line) for line in with_boxes(*page.seen(dpi, degrees))]


def a_question(tick: Draw, *, side: float = 8.0, pen: float = 0.8, gap: float = 5.0) -> Page:
    """`Ja`, whose box is empty, and `Nein`."""
    page, at = Page.new(), 60.0
    for word, what in (("Ja", hollow), ("Nein", tick)):
        at = page.text(page.draw(what, at, side, pen) + gap, word) + 22
    return page


TICKS = [crossed, ticked, dotted, filled]


class TestBoxes:
    @pytest.mark.parametrize("tick", TICKS)
    @pytest.mark.parametrize("side", [6.0, 8.0, 12.0])
    @pytest.mark.parametrize(("dpi", "degrees"), [(150, 0.0), (200, -1.6), (300, 2.5)])
    def test_an_empty_one_and_a_ticked_one_are_told_apart(
        self, tick: Draw, side: float, dpi: int, degrees: float
    ) -> None:
        assert texts(a_question(tick, side=side), dpi, degrees) == [f"{EMPTY} Ja", f"{TICKED} Nein"]

    @pytest.mark.parametrize("pen", [0.5, 1.5])
    def test_their_outline_may_be_thin_or_thick(self, pen: float) -> None:
        assert texts(a_question(crossed, pen=pen)) == [f"{EMPTY} Ja", f"{TICKED} Nein"]

    def test_they_may_stand_behind_their_words_and_within_a_line(self) -> None:
        page = Page.new()
        page.draw(hollow, page.text(40, "I agree") + 4, 8)
        page.text(160, "Source:        salary        gift")
        page.draw(crossed, 162 + stringWidth("Source:  ", "Helvetica", SIZE), 8)
        page.draw(hollow, 162 + stringWidth("Source:        salary  ", "Helvetica", SIZE), 8)

        assert texts(page) == [f"I agree {EMPTY}", f"Source: {TICKED} salary {EMPTY} gift"]

    def test_one_stands_where_it_is_and_letters_stay_where_they_were(self) -> None:
        pixels, lines = a_question(crossed).seen()
        (corners, letters), _ = with_boxes(pixels, lines)
        box, word = letters[1], letters[3]
        along = corners[1][0] - corners[0][0]
        points = [(corners[0][0] + along * edge) * 72 / 200 for edge in (box.begin, box.end, word.begin)]

        assert points == pytest.approx([60, 68, 73], abs=1.0)
        assert box.confidence > 0.9

    def test_what_the_model_made_of_one_gives_way_to_it(self) -> None:
        pixels, lines = a_question(crossed).seen()
        corners, letters = lines[1]
        wide = corners + np.array([[-40, 0], [0, 0], [0, 0], [-40, 0]], np.float32)
        length = float(wide[1][0] - wide[0][0])
        share = 1 - 40 / length
        moved = [replace(one, begin=1 - (1 - one.begin) * share, end=1 - (1 - one.end) * share) for one in letters]
        misread = [Letter("冈", 20 / length, 24 / length, 0.4), *moved]

        assert text_of(with_boxes(pixels, [lines[0], (wide, misread)])[1]) == f"{TICKED} Nein"

    def test_half_a_tick_is_unsure(self) -> None:
        def touched(canvas: Canvas, side: float, pen: float) -> None:
            hollow(canvas, side, pen)
            canvas.rect(0.4 * side, 0.4 * side, 0.1 * side, 0.1 * side, stroke=0, fill=1)

        _, (_, letters) = with_boxes(*a_question(touched).seen())

        assert next(letter for letter in letters if letter.text in (EMPTY, TICKED)).confidence < 0.9

    @pytest.mark.parametrize("tick", TICKS)
    def test_a_page_on_its_side_has_them_too(self, tick: Draw) -> None:
        pixels, lines = a_question(tick).seen()
        height = pixels.shape[0]
        turned = [(np.stack([height - corners[:, 1], corners[:, 0]], axis=1), letters) for corners, letters in lines]
        found = with_boxes(np.ascontiguousarray(np.rot90(pixels, -1)), turned)

        assert [text_of(line) for line in found] == [f"{EMPTY} Ja", f"{TICKED} Nein"]


class TestWhatIsNone:
    def expect_unchanged(self, page: Page, dpi: int = 200, degrees: float = 0.0) -> None:
        pixels, lines = page.seen(dpi, degrees)
        codes = [corners for *_, corners in barcodes_on(pixels)]

        for before, after in zip(lines, with_boxes(pixels, lines, codes), strict=True):
            assert after is before

    @pytest.mark.parametrize("font", ["Helvetica", "Helvetica-Bold", "Times-Roman", "Courier", "Courier-Bold"])
    @pytest.mark.parametrize(("dpi", "degrees"), [(200, 0.0), (300, 1.5)])
    def test_letters_are_none(self, font: str, dpi: int, degrees: float) -> None:
        page = Page.new()
        for row, text in enumerate(("O D 0 B Q 8 U H E N M W", "[ ] [] I I T L # @ % &", "ODER DOB 0800 BIO HOOD")):
            page.text(30, text, 30 + 30 * row, 14, font)

        self.expect_unchanged(page, dpi, degrees)

    def test_cells_of_a_table_and_of_a_comb_are_none(self) -> None:
        page = Page.new()
        for row in range(3):
            for column in range(4):
                page.canvas.rect(40 + 14 * column, 34 + 14 * row, 14, 14)
        page.text(100, "Total", 52)
        for place in range(6):
            page.canvas.rect(200 + 13 * place, 58, 10, 12)
        page.text(285, "Account", 60)

        self.expect_unchanged(page)

    def test_letters_in_boxes_of_their_own_are_none(self) -> None:
        page = Page.new()
        page.text(62, "7")
        page.draw(hollow, 59, 11, y=58)
        page.text(80, "Dividends")

        self.expect_unchanged(page)

    def test_marks_of_a_list_and_rules_are_none(self) -> None:
        page = Page.new()
        for row in range(3):
            page.draw(filled, 40, 6, y=30 + 20 * row)
            page.text(52, "Salary and pension", 29 + 20 * row)
            page.canvas.line(30, 24 + 20 * row, 200, 24 + 20 * row)

        self.expect_unchanged(page)

    @pytest.mark.parametrize("points", [40, 60, 100])
    def test_corners_of_a_code_beside_text_are_none(self, points: int) -> None:
        code = zxingcpp.create_barcode("SPC\n0200\n1\nCH9300762011623852957", zxingcpp.BarcodeFormat.QRCode)
        image = Image.fromarray(np.asarray(code.to_image(scale=8, add_quiet_zones=False)))
        page = Page.new()
        page.canvas.drawImage(ImageReader(image), 40, 10, points, points)
        for row in range(4):
            page.text(40 + points + 6, "8008 Zürich", 10 + points - 8 - 12 * row)

        self.expect_unchanged(page)

    @pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 16_000), (16_000, 3)])
    def test_the_oddest_page_has_none(self, height: int, width: int) -> None:
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        lines: list[Line] = [(corners, [Letter("Ja", 0.0, 1.0, 1.0)]), (corners * 0, [])]
        found = with_boxes(np.zeros((height, width, 3), np.uint8), lines)

        assert all(after is before for before, after in zip(lines, found, strict=True))


def with_a_choice(first_seed: int, quality: Quality, language: str) -> Specimen:
    """The first questionnaire from this seed on that has two boxes; others have their answer in words."""
    words = {"en": {"Yes", "No"}, "de": {"Ja", "Nein"}}[language]
    for seed in count(first_seed):
        text = make(Kind.KYC_QUESTIONNAIRE, seed=seed, as_of=AS_OF, language=language)
        with pypdfium2.PdfDocument(text.content) as document:
            if words <= {word for page in document for word in page.get_textpage().get_text_range().split()}:
                break
    return make(Kind.KYC_QUESTIONNAIRE, seed=seed, as_of=AS_OF, language=language, quality=quality)


@pytest.mark.parametrize(
    ("first_seed", "quality", "language"),
    [
        (100, Quality.SCAN_200, "en"),
        *(
            pytest.param(*asked, marks=pytest.mark.long)
            for asked in (
                (200, Quality.SCAN_300, "de"), (300, Quality.FAX, "en"), (400, Quality.PHOTO, "de"),
                (500, Quality.SCAN_200, "de"), (600, Quality.PHOTO, "en"),
            )
        ),
    ],
)  # fmt: skip
async def test_the_answer_of_a_questionnaire_is_the_box_that_is_ticked(
    sandbox: Sandbox, first_seed: int, quality: Quality, language: str
) -> None:
    specimen = with_a_choice(first_seed, quality, language)
    pages: list[dict[str, Any]] = await sandbox.run(
        f"{OCR}:read_pages", specimen.content, {"media_type": specimen.media_type, "pages": [1], "engine": "auto"},
        timeout_seconds=60, memory_bytes_max=1 << 30,
    )  # fmt: skip
    reading = extraction.extract(
        specimen.content, media_type=specimen.media_type, date_order="DMY", page_texts=pages
    )  # fmt: skip
    boxes = [word["text"] for line in pages[0]["lines"] for word in line["words"] if word["text"] in (EMPTY, TICKED)]

    assert sorted(boxes) == [EMPTY, TICKED]
    assert {value["name"]: value["value"] for value in reading["values"]}["pep"] == specimen.as_json()["fields"]["pep"]
