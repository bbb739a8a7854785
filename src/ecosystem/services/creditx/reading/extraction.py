"""What stands on a document: its parts, their kinds, and their values with places and proofs. Runs in the sandbox."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from ecosystem.services.creditx.reading import numbers, text_layer
from ecosystem.services.creditx.reading import page_texts as ocr_pages
from ecosystem.services.creditx.reading.answers import alpha3_of, country_names
from ecosystem.services.creditx.reading.bills import codes_of
from ecosystem.services.creditx.reading.documents import Document, read_part
from ecosystem.services.creditx.reading.kinds import SEVERAL, UNKNOWN, kinds, lexicon
from ecosystem.services.creditx.reading.layout import CELLS_MAX, Frame, lines_of
from ecosystem.services.creditx.reading.names import legal_form
from ecosystem.services.creditx.reading.parts import PageText, parts_of
from ecosystem.services.creditx.reading.signs.finding import signs_of

VERSION = 2
_PDF, _ALPHA2 = "application/pdf", 2


def prepare_sandbox() -> None:
    """Load what is otherwise loaded at first use: a worker cannot open files."""
    for kind in kinds():
        _ = kind.labels.beginnings, kind.ranks, [table.headings for table in kind.tables.values()]
    _ = lexicon().titles.beginnings, lexicon().languages.beginnings
    country_names(), legal_form("Example GmbH")
    for iban in ("DE89370400440532013000", "FR1420041010050500013M02606"):
        numbers.read_iban(iban)
    numbers.read_bic("DEUTDEFF"), numbers.read_lei("213800KUD8LAJWSQ9D15"), numbers.read_vat("DE136695976", None)
    for country in numbers.TAX_MODULES:
        numbers.read_tax_number("123456789", country)
    numbers.read_reference("210000000003139471430009017")
    empty = pypdfium2.PdfDocument.new()
    empty.new_page(100, 100)
    buffer = io.BytesIO()
    empty.save(buffer)
    extract(buffer.getvalue(), media_type=_PDF, date_order="DMY")


def extract(
    payload: bytes,
    *,
    media_type: str,
    date_order: str,
    country: str | None = None,
    page_texts: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The reading of a document (version 2), as `docs/guides/reading.md` shows it.

    `date_order` (`DMY`, `MDY`) and `country` (ISO 3166-1) are the company's habit where the document shows none.
    `page_texts` are pages that OCR has read (`reading.ocr.read_pages`); where a page has a text layer, that is read.
    """
    pages, readings, without = _pages(payload, media_type, page_texts)
    country = alpha3_of(country) if country and len(country) == _ALPHA2 else country
    documents = [
        read_part(number, part, date_order=date_order, country=country)
        for number, part in enumerate(parts_of(pages), 1)
    ]
    answer = _answer(documents, pages, readings, without)
    answer["signs"] = signs_of(
        payload, media_type=media_type, values=answer["values"], mrz=answer["mrz"], parts=answer["parts"],
        movements={document.part: document.rows for document in documents if document.rows},
        pages_by_ocr=[page.page for page in pages if page.ocr],
    )  # fmt: skip
    return answer


def _pages(
    payload: bytes, media_type: str, texts: Sequence[Mapping[str, Any]]
) -> tuple[list[PageText], list[dict[str, Any]], int]:
    """Pages that show text, how each page was read, and the number of pages that nothing could be read from."""
    by_number = {int(text["page"]): text for text in texts}
    pages: list[PageText] = []
    readings: list[dict[str, Any]] = []
    without, cells_left = 0, CELLS_MAX
    for number, frame, every, shows in _sources(payload, media_type, by_number):
        cells = every[:cells_left]
        cells_left -= len(cells)
        readings.append(_reading(number, frame, by_number.get(number), bool(cells), media_type))
        if cells:
            pages.append(PageText(number, frame.upright_height, lines_of(cells), ocr=frame.method == "ocr"))
            pages[-1].codes = codes_of(by_number.get(number))
        elif shows:
            without += 1
    return pages, readings, without


def _sources(payload: bytes, media_type: str, by_number: Mapping[int, Mapping[str, Any]]) -> Any:
    """For each page: number, frame, cells, and whether it shows anything."""
    if media_type != _PDF:
        for number in range(1, max(by_number, default=1) + 1):
            yield number, *_ocr(by_number.get(number), number), True
        return
    document = pypdfium2.PdfDocument(payload)
    try:
        for index in range(len(document)):
            page = document[index]
            frame, cells = text_layer.cells_of(page, index + 1)
            shows = len(document) == 1 or pdfium.FPDFPage_CountObjects(page.raw) > 0
            page.close()
            if not cells and index + 1 in by_number:
                frame, cells = _ocr(by_number[index + 1], index + 1)
            yield index + 1, frame, cells, shows
    finally:
        document.close()


def _ocr(text: Mapping[str, Any] | None, number: int) -> tuple[Frame, list[Any]]:
    return ocr_pages.cells_of(text) if text else (Frame(number, 0.0, 0.0, "ocr"), [])


def _reading(number: int, frame: Frame, text: Mapping[str, Any] | None, found: bool, media_type: str) -> dict[str, Any]:
    by_ocr = frame.method == "ocr" and text is not None
    return {
        "page": number, "width": frame.width, "height": frame.height,
        "unit": text["unit"] if by_ocr and text else "point" if media_type == _PDF else "pixel",
        "method": "ocr" if by_ocr and found else "text_layer" if found else "none",
        "engine": text["engine"] if by_ocr and text else None,
        "rotation_degrees": text["rotation_degrees"] if by_ocr and text else frame.turn,
        "skew_degrees": text["skew_degrees"] if by_ocr and text else 0.0,
        "confidence": text["confidence"] if by_ocr and text else 1.0 if found else 0.0,
    }  # fmt: skip


def _answer(
    documents: list[Document], pages: list[PageText], readings: list[dict[str, Any]], without: int
) -> dict[str, Any]:
    first = documents[0] if documents else None
    several = len(documents) > 1
    return {
        "version": VERSION,
        "kind": SEVERAL if several else first.name if first else UNKNOWN,
        "kind_confidence": min((document.confidence for document in documents), default=0.0),
        "language": first.language if first else None,
        "country": first.country if first else None,
        "values": [value.as_json(each.part) for each in documents for value in each.values.values()],
        "tables": [table.as_json(document.part) for document in documents for table in document.tables],
        "movements": first.movements if first else None,
        "conflicts": first.conflicts if first else [],
        "mrz": [zone | {"part": document.part} for document in documents for zone in document.mrz],
        "barcodes": [
            code | {"part": part} for part, document in enumerate(documents, 1) for code in document.codes
        ],
        "signs": [],
        "parts": [document.as_json() for document in documents],
        "pages": len(readings),
        "pages_without_text": without,
        "characters": sum(len(cell.text) for page in pages for line in page.lines for cell in line),
        "page_readings": readings,
    }  # fmt: skip
