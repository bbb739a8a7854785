"""What was filled into the fields of a PDF form, which is no part of the page's own text. Source: ISO 32000-2, 12.7."""

import ctypes
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import pypdfium2.raw as pdfium

from ecosystem.services.creditx.reading.layout import Box, Cell, Frame

_FIELDS_MAX, _CHARACTERS_MAX, _LINES_MAX = 2_000, 2_000, 20
_LINE_HEIGHT_MAX = 12.0
_TICKED, _EMPTY = "☒", "☐"


def cells_of(page: Any, frame: Frame, shown: Callable[[Any], Box]) -> Iterator[Cell]:
    """The texts, choices and boxes of the page's form fields; a box that is ticked is ☒, else ☐."""
    rectangle = pdfium.FS_RECTF()
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page.raw), _FIELDS_MAX)):
        field = pdfium.FPDFPage_GetAnnot(page.raw, index)
        try:
            is_field = pdfium.FPDFAnnot_GetSubtype(field) == pdfium.FPDF_ANNOT_WIDGET
            if is_field and pdfium.FPDFAnnot_GetRect(field, ctypes.byref(rectangle)):
                yield from _cells(_text_of(field), frame, frame.upright(shown(rectangle)))
        finally:
            pdfium.FPDFPage_CloseAnnot(field)


def _text_of(field: Any) -> str:
    state = _string(field, b"AS")
    if state:
        return _EMPTY if state == "Off" else _TICKED
    return "" if _string(field, b"FT") == "Btn" else _string(field, b"V")


def _string(field: Any, key: bytes) -> str:
    size = min(pdfium.FPDFAnnot_GetStringValue(field, key, None, 0), 2 * _CHARACTERS_MAX)
    if size <= 2:
        return ""
    buffer = (pdfium.FPDF_WCHAR * (size // 2))()
    pdfium.FPDFAnnot_GetStringValue(field, key, buffer, size)
    return bytes(buffer).decode("utf-16-le", "ignore").rstrip("\0")


def _cells(text: str, frame: Frame, place: Box) -> Iterator[Cell]:
    """A line of text each; characters share the width that a text of this height would take."""
    lines = [" ".join(line.split()) for line in text.splitlines()[:_LINES_MAX]]
    left, top, right, bottom = place
    each = (bottom - top) / max(len(lines), 1)
    for number, line in enumerate(lines):
        if not line:
            continue
        middle = top + (number + 0.5) * each
        height = min(each, _LINE_HEIGHT_MAX)
        width = min((right - left) / len(line), 0.5 * height)
        lefts = array("f", [left + width * position for position in range(len(line))])
        rights = array("f", [edge + width for edge in lefts])
        yield Cell(line, frame, (left, middle - height / 2, rights[-1], middle + height / 2), lefts, rights)
