"""Text that lies hidden under a white patch, with other text over it."""

import ctypes
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

from ecosystem.services.creditx.reading.signs.pages import shown
from ecosystem.services.creditx.reading.signs.sign import Sign

_OBJECTS_MAX = 5_000
_PATCHES_MAX = 50
_SIGNS_MAX = 5
_WHITE_MIN, _OPAQUE_MIN = 245, 250
_PAGE_SHARE_MAX = 0.25
_COVERED_SHARE = 0.6
_INVISIBLE = 3
"""Text render mode of text that is there to be searched, under a scan."""

_Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Drawn:
    """Left, bottom, right, top in the page's own space, in the order of drawing."""

    order: int
    bounds: _Rectangle


def covered_texts(page: Any, number: int) -> list[Sign]:
    """White patches of page `number` (from 1) that hide text drawn before them under text drawn after them."""
    texts: list[_Drawn] = []
    patches: list[_Drawn] = []
    page_area = page.get_width() * page.get_height()
    for order in range(min(pdfium.FPDFPage_CountObjects(page.raw), _OBJECTS_MAX)):
        drawn = pdfium.FPDFPage_GetObject(page.raw, order)
        kind = pdfium.FPDFPageObj_GetType(drawn)
        if kind == pdfium.FPDF_PAGEOBJ_TEXT and pdfium.FPDFTextObj_GetTextRenderMode(drawn) != _INVISIBLE:
            texts.append(_Drawn(order, _bounds(drawn)))
        elif kind == pdfium.FPDF_PAGEOBJ_PATH and len(patches) < _PATCHES_MAX and _is_white(drawn):
            bounds = _bounds(drawn)
            if _area(bounds) <= _PAGE_SHARE_MAX * page_area:
                patches.append(_Drawn(order, bounds))
    found = []
    for patch in patches:
        under = any(text.order < patch.order and _covers(patch.bounds, text.bounds) for text in texts)
        if under and any(text.order > patch.order and _covers(patch.bounds, text.bounds) for text in texts):
            found.append(
                Sign("covered_text", "Text lies under a white patch, with other text over it.", number,
                     shown(page, *patch.bounds))
            )  # fmt: skip
    return found[:_SIGNS_MAX]


def _bounds(drawn: Any) -> _Rectangle:
    sides = [ctypes.c_float() for _ in range(4)]
    pdfium.FPDFPageObj_GetBounds(drawn, *(ctypes.byref(side) for side in sides))
    left, bottom, right, top = (side.value for side in sides)
    return left, bottom, right, top


def _is_white(path: Any) -> bool:
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    if not pdfium.FPDFPath_GetDrawMode(path, ctypes.byref(fill), ctypes.byref(stroke)) or fill.value == 0:
        return False
    colours = [ctypes.c_uint() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetFillColor(path, *(ctypes.byref(colour) for colour in colours)):
        return False
    return min(colour.value for colour in colours[:3]) >= _WHITE_MIN and colours[3].value >= _OPAQUE_MIN


def _area(bounds: _Rectangle) -> float:
    return max(bounds[2] - bounds[0], 0.0) * max(bounds[3] - bounds[1], 0.0)


def _covers(patch: _Rectangle, text: _Rectangle) -> bool:
    """Whether most of a text lies within the patch."""
    width = min(patch[2], text[2]) - max(patch[0], text[0])
    height = min(patch[3], text[3]) - max(patch[1], text[1])
    return width > 0 and height > 0 and width * height >= _COVERED_SHARE * _area(text)
