"""All signs of one file. Pure over its bytes and what was read of it; bounded in time and in the number of signs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ecosystem.services.creditx.reading.opened import Page, Pdf
from ecosystem.services.creditx.reading.signs import balances, covering, glyphs, metadata, revisions, zones
from ecosystem.services.creditx.reading.signs.balances import Movement
from ecosystem.services.creditx.reading.signs.sign import Sign

_PAGES_MAX = 40
_SIGNS_MAX = 60
PDF = "application/pdf"


def signs_on_page(page: Page) -> list[Sign]:
    """Signs in the text layer of a page."""
    return glyphs.numbers_of_two_fonts(page) + covering.covered_texts(page)


def signs_of(
    pdf: Pdf, *, media_type: str, values: Sequence[Mapping[str, Any]],
    movements: Mapping[int, Sequence[Movement]] | None = None, mrz: Sequence[Mapping[str, Any]] = (),
    pages_by_ocr: Collection[int] = (), parts: Sequence[Mapping[str, Any]] = (), on_pages: Sequence[Sign] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Signs as in the contract of a reading: `{"sign", "detail", "page", "box", "part"}`.

    `values`, `mrz` and `parts` are those of the reading; `movements` the rows of each part's bank statement in the
    order of the page, amounts with their sign. `on_pages` are the answers of `signs_on_page`, where the caller had the
    pages open anyway (opening one takes a millisecond). Looks at 40 pages and reports 60 signs at most. Raises nothing
    for a file that pdfium can open.
    """
    found: list[Sign] = []
    if media_type == PDF:
        found += metadata.of_pdf(pdf.document.get_metadata_dict(), values, pages_by_ocr)
        found += revisions.changed_pages(pdf.content, pdf.document)
        found += _on_pages(pdf, pages_by_ocr) if on_pages is None else on_pages
    else:
        found += metadata.of_image(pdf.content)
    for part, rows in (movements or {}).items():
        found += balances.breaks(rows, values, part)
    found += zones.contradictions(mrz)
    return [_in_part(sign, parts).as_json() for sign in found[:_SIGNS_MAX]]


def _on_pages(pdf: Pdf, pages_by_ocr: Collection[int]) -> list[Sign]:
    found: list[Sign] = []
    for number in range(1, min(pdf.pages, _PAGES_MAX) + 1):
        if number not in pages_by_ocr:
            with pdf.page(number) as page:
                found += signs_on_page(page)
    return found


def _in_part(sign: Sign, parts: Sequence[Mapping[str, Any]]) -> Sign:
    """A sign on a page belongs to the part that holds the page."""
    for part in parts:
        if sign.page is not None and part["first_page"] <= sign.page <= part["last_page"]:
            return replace(sign, part=part["part"])
    return sign
