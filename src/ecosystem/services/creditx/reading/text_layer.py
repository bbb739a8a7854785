"""The text layer of a PDF page as cells, from the characters as pdfium places them."""

import ctypes
import math
from array import array
from collections.abc import Callable
from typing import Any

import pypdfium2.raw as pdfium

from ecosystem.services.creditx.reading import form_fields
from ecosystem.services.creditx.reading.layout import APART, Box, Cell, Frame, Turn
from ecosystem.services.creditx.reading.opened import Page

_CHARACTERS_MAX = 50_000
_WORD_GAP = 0.18
_SAMPLES = 40


def cells_of(opened: Page) -> tuple[Frame, list[Cell]]:
    """The frame of a page and its cells; no cells where it has no text layer."""
    page, text = opened.page, opened.text.raw
    letters = opened.letters[:_CHARACTERS_MAX]
    frame = Frame(opened.number, *_shown_size(page), turn=_turn(page, text, len(letters)))
    shown = _shown_box(page)
    return frame, [*_cells(text, letters, frame, shown), *form_fields.cells_of(page, frame, shown)]


def _shown_size(page: Any) -> tuple[float, float]:
    left, bottom, right, top = page.get_cropbox()
    width, height = round(right - left, 1), round(top - bottom, 1)
    return (height, width) if page.get_rotation() in (90, 270) else (width, height)


def _turn(page: Any, text_page: Any, count: int) -> Turn:
    """How most of the text is turned on the page as shown, clockwise."""
    votes = {0: 0, 90: 0, 180: 0, 270: 0}
    rotation = page.get_rotation()
    for index in range(0, count, max(1, count // _SAMPLES)):
        angle = pdfium.FPDFText_GetCharAngle(text_page, index)
        if angle >= 0:
            # pdfium counts against the clock in the page's own space, whose y axis points upwards.
            degrees = round(math.degrees(angle) / 90) * 90
            votes[(rotation - degrees) % 360] += 1
    best = max(votes, key=lambda turn: votes[turn])
    return best if votes[best] > votes[0] else 0  # type: ignore[return-value]


def _cells(text_page: Any, letters: str, frame: Frame, shown: Callable[[Any], Box]) -> list[Cell]:
    rectangle = pdfium.FS_RECTF()
    box_of, reference = pdfium.FPDFText_GetLooseCharBox, ctypes.byref(rectangle)
    plain = frame.turn == 0
    cells: list[Cell] = []
    text: list[str] = []
    lefts: list[float] = []
    rights: list[float] = []
    top = bottom = 0.0
    tall = 1.0
    space = False

    def finish() -> None:
        if text:
            place = (min(lefts), top, max(rights), bottom)
            cells.append(Cell("".join(text), frame, place, array("f", lefts), array("f", rights)))
            for collected in (text, lefts, rights):
                collected.clear()

    for index, letter in enumerate(letters):
        if letter == " ":
            space = True
            continue
        if not box_of(text_page, index, reference):
            continue
        left, above, right, below = shown(rectangle) if plain else frame.upright(shown(rectangle))
        if text:
            # Most characters are as high as those before them.
            level = above == top and below == bottom
            height = tall if level else max(bottom - top, below - above, 1.0)
            gap = (left - rights[-1]) / height
            if -0.5 <= gap <= APART and (level or abs(top + bottom - above - below) <= 0.8 * height):
                if space or gap > _WORD_GAP:
                    text.append(" ")
                    lefts.append(rights[-1])
                    rights.append(left)
                if not level:
                    top, bottom = min(top, above), max(bottom, below)
                    tall = max(bottom - top, 1.0)
            else:
                finish()
        if not text:
            top, bottom, tall = above, below, max(below - above, 1.0)
        text.append(letter)
        lefts.append(left)
        rights.append(right)
        space = False
    finish()
    return cells


def _shown_box(page: Any) -> Callable[[Any], Box]:
    """From a box in the page's own space (origin at the bottom left) to the page as shown."""
    left, bottom, right, top = page.get_cropbox()
    width, height = right - left, top - bottom
    match page.get_rotation():
        case 90:
            return lambda box: (box.bottom - bottom, box.left - left, box.top - bottom, box.right - left)
        case 180:
            return lambda box: (right - box.right, box.bottom - bottom, right - box.left, box.top - bottom)
        case 270:
            return lambda box: (height - box.top + bottom, width - box.right + left,
                                height - box.bottom + bottom, width - box.left + left)  # fmt: skip
        case _:
            return lambda box: (box.left - left, top - box.top, box.right - left, top - box.bottom)
