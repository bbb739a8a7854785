"""QR and bar codes on pages whose text is in their text layer: drawn as paths or set as pictures, as bills have them.

A page is looked at only where something on it may be a code, and only there: a walk over the page's objects costs about
0.1 ms, a candidate 2 to 5 ms.
"""

from collections.abc import Iterator
from typing import Any

import pypdfium2.raw as pdfium
import zxingcpp

from ecosystem.services.creditx.reading.layout import Box
from ecosystem.services.creditx.reading.opened import Page
from ecosystem.services.creditx.reading.signs.pages import bounds_of, shown

_OBJECTS_MAX, _CANDIDATES_MAX = 2_000, 6
_SIDE_MIN_POINTS, _SIDE_MAX_POINTS = 20.0, 320.0
_LONG_MAX = 8.0
_SEGMENTS_MIN = 100
_PIECE_WIDTH_POINTS, _PIECE_HEIGHT_POINTS, _PIECES_MIN = 12.0, 100.0, 30
_QUIET_POINTS = 9.0
_SCALE = 200 / 72
_TEXT_CHARACTERS_MAX = 4000

_Bounds = tuple[float, float, float, float]


def codes_on(opened: Page) -> list[dict[str, Any]]:
    """`{"symbology", "text", "box"}` of each code on a page; the box is on the page as shown."""
    page = opened.page
    found: dict[str, dict[str, Any]] = {}
    for bounds in _candidates(opened):
        for symbology, text, box in _read(page, shown(page, *bounds)):
            found.setdefault(text, {"symbology": symbology, "text": text, "box": list(box)})
    return list(found.values())


def _candidates(page: Page) -> list[_Bounds]:
    """Pictures, paths of many squares, and heaps of small ones: left, bottom, right, top in the page's own space."""
    found: list[_Bounds] = []
    pieces: list[_Bounds] = []
    for kind, drawn in page.objects[:_OBJECTS_MAX]:
        if kind in (pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_FORM):
            found.append(bounds_of(drawn))
        elif kind == pdfium.FPDF_PAGEOBJ_PATH:
            bounds = bounds_of(drawn)
            if bounds[2] - bounds[0] <= _PIECE_WIDTH_POINTS and bounds[3] - bounds[1] <= _PIECE_HEIGHT_POINTS:
                pieces.append(bounds)
            elif _may_be_code(bounds) and pdfium.FPDFPath_CountSegments(drawn) >= _SEGMENTS_MIN:
                found.append(bounds)
    if len(pieces) >= _PIECES_MIN:
        found.append(
            (min(one[0] for one in pieces), min(one[1] for one in pieces), max(one[2] for one in pieces),
             max(one[3] for one in pieces))
        )  # fmt: skip
    return [bounds for bounds in found if _may_be_code(bounds)][:_CANDIDATES_MAX]


def _may_be_code(bounds: _Bounds) -> bool:
    sides = sorted((bounds[2] - bounds[0], bounds[3] - bounds[1]))
    return sides[0] >= _SIDE_MIN_POINTS and sides[1] <= min(_SIDE_MAX_POINTS, _LONG_MAX * sides[0])


def _read(page: Any, box: Box) -> Iterator[tuple[str, str, Box]]:
    width, height = page.get_size()
    left, top = max(box[0] - _QUIET_POINTS, 0.0), max(box[1] - _QUIET_POINTS, 0.0)
    right, bottom = min(box[2] + _QUIET_POINTS, width), min(box[3] + _QUIET_POINTS, height)
    if right - left < _SIDE_MIN_POINTS or bottom - top < _SIDE_MIN_POINTS:
        return
    bitmap = page.render(scale=_SCALE, crop=(left, height - bottom, width - right, top), grayscale=True)
    grey = memoryview(bitmap.buffer).cast("B", (bitmap.height, bitmap.stride))
    for code in zxingcpp.read_barcodes(grey):
        place: Any = code.position
        corners = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
        across, down = [corner.x / _SCALE for corner in corners], [corner.y / _SCALE for corner in corners]
        yield str(code.format), code.text[:_TEXT_CHARACTERS_MAX], (
            round(left + min(across), 1), round(top + min(down), 1),
            round(left + max(across), 1), round(top + max(down), 1),
        )  # fmt: skip
    bitmap.close()
