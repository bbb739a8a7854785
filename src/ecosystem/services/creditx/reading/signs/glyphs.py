"""Numbers whose digits are not set alike: another font, size or height within one number."""

import ctypes
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

from ecosystem.services.creditx.reading.opened import Page
from ecosystem.services.creditx.reading.signs.pages import shown_box
from ecosystem.services.creditx.reading.signs.sign import Sign

_NUMBERS_MAX = 2_000
_SIGNS_MAX = 5
_NUMBER = re.compile(r"\d[\d.,'’]{0,38}\d")
_SUBSET = re.compile(r"^[A-Z]{6}\+")
_SIZE_CHANGE, _BASELINE_CHANGE = 0.03, 0.08
"""Shares of the size."""


@dataclass(frozen=True)
class _Digit:
    """`height` is where its baseline runs, across the direction of writing."""

    font: str
    size: float
    height: float


def numbers_of_two_fonts(page: Page) -> list[Sign]:
    """Numbers of a page whose digits change in font, size or baseline."""
    raw, text = page.text.raw, page.letters
    found: list[Sign] = []
    for seen, match in enumerate(_NUMBER.finditer(text)):
        if seen >= _NUMBERS_MAX or len(found) >= _SIGNS_MAX:
            break
        places = [at for at in range(*match.span()) if text[at].isdigit()]
        # What was drawn at once is set alike.
        drawn = {_object_at(raw, at) for at in places}
        change = _change([_digit(raw, at) for at in places]) if len(drawn) > 1 else None
        if change:
            box = shown_box(page.page, raw, range(*match.span()))
            found.append(Sign("number_set_in_two_ways", f"The digits of a number change {change}.", page.number, box))
    return found


def _object_at(text_page: Any, index: int) -> int:
    """The address of the text object that a character was drawn with."""
    drawn = pdfium.FPDFText_GetTextObject(text_page, index)
    return ctypes.addressof(drawn.contents) if drawn else 0


def _digit(text_page: Any, index: int) -> _Digit:
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(text_page, index, name, 128, ctypes.byref(flags))
    x, y, matrix = ctypes.c_double(), ctypes.c_double(), pdfium.FS_MATRIX()
    pdfium.FPDFText_GetCharOrigin(text_page, index, ctypes.byref(x), ctypes.byref(y))
    pdfium.FPDFText_GetMatrix(text_page, index, ctypes.byref(matrix))
    along = math.hypot(matrix.a, matrix.b) or 1.0
    size = pdfium.FPDFText_GetFontSize(text_page, index) * (math.hypot(matrix.c, matrix.d) or 1.0)
    height = (y.value * matrix.a - x.value * matrix.b) / along
    font = _SUBSET.sub("", name.value.decode("utf-8", "replace"))
    return _Digit(font, size, height)


def _change(digits: Sequence[_Digit]) -> str | None:
    """What changes between the digits, or None."""
    first = digits[0]
    size = max(first.size, 0.1)
    if len({digit.font for digit in digits}) > 1:
        return "their font"
    # Small figures above the line are footnotes or cents.
    level = [digit for digit in digits if not (digit.size < 0.9 * size and digit.height > first.height + 0.1 * size)]
    if any(abs(digit.size - size) > _SIZE_CHANGE * size for digit in level):
        return "their size"
    if any(abs(digit.height - first.height) > _BASELINE_CHANGE * size for digit in level):
        return "their height on the line"
    return None
