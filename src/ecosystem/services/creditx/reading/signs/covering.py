"""Text that lies hidden under a white patch, with other text over it."""

import ctypes
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

from ecosystem.services.creditx.reading.opened import Page
from ecosystem.services.creditx.reading.signs.pages import bounds_of, shown
from ecosystem.services.creditx.reading.signs.sign import Sign

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


def covered_texts(opened: Page) -> list[Sign]:
    """White patches of a page that hide text drawn before them under text drawn after them."""
    page = opened.page
    patches: list[_Drawn] = []
    page_area = page.get_width() * page.get_height()
    for order, (kind, drawn) in enumerate(opened.objects):
        if kind == pdfium.FPDF_PAGEOBJ_PATH and len(patches) < _PATCHES_MAX and _is_white(drawn):
            bounds = bounds_of(drawn)
            if _area(bounds) <= _PAGE_SHARE_MAX * page_area:
                patches.append(_Drawn(order, bounds))
    texts = _visible_texts(opened) if patches else []
    found = []
    for patch in patches:
        under = any(text.order < patch.order and _covers(patch.bounds, text.bounds) for text in texts)
        if under and any(text.order > patch.order and _covers(patch.bounds, text.bounds) for text in texts):
            found.append(
                Sign("covered_text", "Text lies under a white patch, with other text over it.", opened.number,
                     shown(page, *patch.bounds))
            )  # fmt: skip
    return found[:_SIGNS_MAX]


def _visible_texts(page: Page) -> list[_Drawn]:
    return [
        _Drawn(order, bounds_of(drawn))
        for order, (kind, drawn) in enumerate(page.objects)
        if kind == pdfium.FPDF_PAGEOBJ_TEXT and pdfium.FPDFTextObj_GetTextRenderMode(drawn) != _INVISIBLE
    ]


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
