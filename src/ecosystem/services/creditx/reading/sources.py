"""The pages of a file with the text that was found on each: what OCR read, else the page's own text layer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import pypdfium2.raw as pdfium

from ecosystem.services.creditx.reading import page_texts, text_layer
from ecosystem.services.creditx.reading.drawn_codes import codes_on
from ecosystem.services.creditx.reading.layout import Cell, Frame
from ecosystem.services.creditx.reading.opened import Pdf
from ecosystem.services.creditx.reading.signs.finding import signs_on_page
from ecosystem.services.creditx.reading.signs.sign import Sign

PDF = "application/pdf"
_SIGNED_PAGES_MAX = 40
_FILLERS, _TEXTS_MAX = "<<", 2000


@dataclass
class Source:
    """A page. `shows`: there is something on it. `text`: its page text of OCR, where that is what was read.

    `codes` are those that were found beside a text layer, as the barcodes of a page text.
    """

    frame: Frame
    cells: list[Cell]
    shows: bool = True
    text: Mapping[str, Any] | None = None
    signs: list[Sign] = field(default_factory=list)
    codes: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self, media_type: str) -> dict[str, Any]:
        """How the page was read: an entry of `page_readings`."""
        frame, text = self.frame, self.text
        about = {"page": frame.page, "width": frame.width, "height": frame.height}
        if text is not None:
            return about | {
                "unit": text.get("unit", "pixel"), "method": "ocr" if self.cells else "none",
                "engine": text.get("engine"), "rotation_degrees": text.get("rotation_degrees", 0),
                "skew_degrees": text.get("skew_degrees", 0.0), "confidence": text.get("confidence", 0.0),
            }  # fmt: skip
        return about | {
            "unit": "point" if media_type == PDF else "pixel", "method": "text_layer" if self.cells else "none",
            "engine": None, "rotation_degrees": frame.turn, "skew_degrees": 0.0,
            "confidence": 1.0 if self.cells else 0.0,
        }  # fmt: skip


def sources(pdf: Pdf, media_type: str, texts: Mapping[int, Mapping[str, Any]]) -> Iterator[Source]:
    """`texts` are the pages that OCR has read, by number; an image is as many pages as they say."""
    if media_type != PDF:
        for number in range(1, max(texts, default=1) + 1):
            yield _by_ocr(texts[number]) if number in texts else Source(Frame(number, 0.0, 0.0, "ocr"), [])
        return
    for number in range(1, pdf.pages + 1):
        # Inspection asked for it, because the text layer does not say what the page shows.
        if number in texts and texts[number]["lines"]:
            yield _by_ocr(texts[number])
        else:
            yield _page(pdf, number, texts)


def _page(pdf: Pdf, number: int, texts: Mapping[int, Mapping[str, Any]]) -> Source:
    with pdf.page(number) as page:
        frame, cells = text_layer.cells_of(page)
        if not cells and number in texts:
            return _by_ocr(texts[number])
        if any(_FILLERS in cell.text for cell in cells) and _is_hidden(page.page):
            frame = replace(frame, hidden=True)
            for cell in cells:
                cell.frame = frame
        looked_at = cells and number <= _SIGNED_PAGES_MAX
        return Source(
            frame, cells, pdf.pages == 1 or page.drawn > 0, signs=signs_on_page(page) if looked_at else [],
            codes=codes_on(page) if looked_at else [],
        )  # fmt: skip


def _is_hidden(page: Any) -> bool:
    """Whether text of the page is never painted: what another program read off it, with its mistakes."""
    texts = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT], max_depth=2)
    modes = (pdfium.FPDFTextObj_GetTextRenderMode(text.raw) for text in islice(texts, _TEXTS_MAX))
    return pdfium.FPDF_TEXTRENDERMODE_INVISIBLE in modes


def _by_ocr(text: Mapping[str, Any]) -> Source:
    frame, cells = page_texts.cells_of(text)
    return Source(frame, cells, text=text)
