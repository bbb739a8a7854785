"""Incremental saves: a PDF keeps its older versions, each ending in its own mark. Source: ISO 32000-2, 7.5.6."""

import re
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from ecosystem.services.creditx.reading.signs.sign import Sign

_END = re.compile(rb"startxref\s+(\d{1,12})\s+%%EOF")
_LINEARIZED_HEAD_BYTES = 1024
_REVISIONS_MAX = 4
_PAGES_MAX = 30
_BYTES_MAX = 30_000_000
_MARKS_MAX = 500_000


def changed_pages(payload: bytes, newest: Any) -> list[Sign]:
    """Pages that read or look different from an older version in the same file; `newest` is the open document.

    Signatures, filled forms and comments that are added later leave the pages themselves as they were.
    """
    ends = [match.end() for match in _END.finditer(payload) if int(match[1]) < match.start()]
    if b"/Linearized" in payload[:_LINEARIZED_HEAD_BYTES]:
        # The first mark of a file made for the web stands before its second half.
        ends = ends[1:]
    if len(ends) < 2 or len(payload) > _BYTES_MAX:
        return []
    now = _contents(newest)
    changed: set[int] = set()
    for end in ends[-1 - _REVISIONS_MAX : -1]:
        before = _older(payload[:end])
        changed |= {number for number, (one, other) in enumerate(zip(before, now, strict=False), 1) if one != other}
    return [
        Sign("page_changed_after_saving", f"Page {page} differs from a version saved earlier in the same file.", page)
        for page in sorted(changed)
    ]


def _older(payload: bytes) -> list[tuple[str, int]]:
    try:
        document = pypdfium2.PdfDocument(payload)
    except pypdfium2.PdfiumError:
        return []
    try:
        return _contents(document)
    finally:
        document.close()


def _contents(document: Any) -> list[tuple[str, int]]:
    """The text of each page and the number of things drawn on it, until there is too much of it."""
    found: list[tuple[str, int]] = []
    for index in range(min(len(document), _PAGES_MAX)):
        if sum(len(text) + objects for text, objects in found) > _MARKS_MAX:
            break
        try:
            page = document[index]
        except pypdfium2.PdfiumError:
            found.append(("", 0))
            continue
        text_page = page.get_textpage()
        found.append((text_page.get_text_range(), pdfium.FPDFPage_CountObjects(page.raw)))
        text_page.close()
        page.close()
    return found
