"""Boxes on the page as shown, from pdfium's own space (origin at the bottom left, before the page is turned)."""

import ctypes
from collections.abc import Iterable
from typing import Any

import pypdfium2.raw as pdfium

from ecosystem.services.creditx.reading.signs.sign import Box


def shown(page: Any, left: float, bottom: float, right: float, top: float) -> Box:
    """A rectangle of the page's own space as left, top, right, bottom on the page as shown."""
    crop_left, crop_bottom, crop_right, crop_top = page.get_cropbox()
    width, height = crop_right - crop_left, crop_top - crop_bottom
    x0, x1, y0, y1 = left - crop_left, right - crop_left, bottom - crop_bottom, top - crop_bottom
    box = {
        90: (y0, x0, y1, x1), 180: (width - x1, y0, width - x0, y1),
        270: (height - y1, width - x1, height - y0, width - x0),
    }.get(page.get_rotation(), (x0, height - y1, x1, height - y0))  # fmt: skip
    return (round(box[0], 1), round(box[1], 1), round(box[2], 1), round(box[3], 1))


def bounds_of(drawn: Any) -> Box:
    """Left, bottom, right, top of a drawn object in the page's own space."""
    sides = [ctypes.c_float() for _ in range(4)]
    pdfium.FPDFPageObj_GetBounds(drawn, *(ctypes.byref(side) for side in sides))
    left, bottom, right, top = (side.value for side in sides)
    return left, bottom, right, top


def shown_box(page: Any, text_page: Any, indexes: Iterable[int]) -> Box | None:
    """The box of these characters of a page's text."""
    rectangle, boxes = pdfium.FS_RECTF(), []
    for index in indexes:
        if pdfium.FPDFText_GetLooseCharBox(text_page, index, ctypes.byref(rectangle)):
            boxes.append((rectangle.left, rectangle.bottom, rectangle.right, rectangle.top))
    if not boxes:
        return None
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return shown(page, min(lefts), min(bottoms), max(rights), max(tops))
