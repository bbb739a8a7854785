"""Incremental saves: a PDF keeps its older versions, each ending in its own mark. Source: ISO 32000-2, 7.5.6."""

import re
from collections.abc import Iterator
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from ecosystem.services.creditx.reading.signs.sign import Sign

_END = re.compile(rb"startxref\s+(\d{1,12})\s+%%EOF")
_LINEARIZED_HEAD_BYTES = 1024
_REVISIONS_MAX = 4
_PAGES_MAX = 30
_BYTES_MAX = 30_000_000


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
    older = ends[-1 - _REVISIONS_MAX : -1]
    changed = sorted({page for end in older for page in _different(payload[:end], newest)})
    return [
        Sign("page_changed_after_saving", f"Page {page} differs from a version saved earlier in the same file.", page)
        for page in changed
    ]


def _different(older_bytes: bytes, newest: Any) -> Iterator[int]:
    try:
        older = pypdfium2.PdfDocument(older_bytes)
    except pypdfium2.PdfiumError:
        return
    try:
        for index in range(min(len(older), len(newest), _PAGES_MAX)):
            if _content(older, index) != _content(newest, index):
                yield index + 1
    finally:
        older.close()


def _content(document: Any, index: int) -> tuple[str, int]:
    """The text of a page and the number of things drawn on it."""
    try:
        page = document[index]
    except pypdfium2.PdfiumError:
        return "", 0
    text_page = page.get_textpage()
    found = (text_page.get_text_range(), pdfium.FPDFPage_CountObjects(page.raw))
    text_page.close()
    page.close()
    return found
