"""What stands on a document: its parts, their kinds, and their values with places and proofs. Runs in the sandbox."""

import io
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, get_args

import pypdfium2

from ecosystem.services.creditx.reading import numbers, rehearsal
from ecosystem.services.creditx.reading.answers import alpha3_of, country_names
from ecosystem.services.creditx.reading.bills import codes_of
from ecosystem.services.creditx.reading.documents import Document, read_part
from ecosystem.services.creditx.reading.kinds import SEVERAL, UNKNOWN, Type, kinds, lexicon
from ecosystem.services.creditx.reading.labels import forms
from ecosystem.services.creditx.reading.layout import CELLS_MAX, lines_of
from ecosystem.services.creditx.reading.opened import Pdf
from ecosystem.services.creditx.reading.parts import PageText, parts_of
from ecosystem.services.creditx.reading.signs.finding import signs_of
from ecosystem.services.creditx.reading.signs.sign import Sign
from ecosystem.services.creditx.reading.sources import PDF, sources
from ecosystem.services.creditx.reading.typed import Habits, read_as

VERSION = 2
_ALPHA2 = 2
_EVERYTHING = (
    "Bank statement", "IBAN: DE89370400440532013000", "FR1420041010050500013M02606", "BIC: DEUTDEFF", "Swiss francs",
    "LEI: 213800KUD8LAJWSQ9D15", "DE136695976", "CHE-123.456.788 MWST", "210000000003139471430009017", "1.234,56 EUR",
    "Statement date: 12. Marz2026", "01/02/2026 - 03/04/2026", "[x] Yes [ ] No", "Date Description Amount EUR",
    "12.03.2026 Rent 1.234,56", "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
)  # fmt: skip


def prepare_sandbox() -> None:
    """Load what is otherwise loaded at first use: a worker cannot open files."""
    for kind in kinds():
        _ = kind.labels.beginnings, kind.ranks, [table.headings for table in kind.tables.values()]
    _ = lexicon().titles.beginnings, lexicon().languages.beginnings
    for label in lexicon().texts:
        forms(label)
    country_names()
    for habits in (Habits("DMY"), Habits("DMY", ocr=True)):
        for name, text in product(get_args(Type), _EVERYTHING):
            read_as(name, text, habits)
    for country in numbers.TAX_MODULES:
        numbers.read_tax_number("123456789", country)
    empty = pypdfium2.PdfDocument.new()
    empty.new_page(100, 100)
    buffer = io.BytesIO()
    empty.save(buffer)
    extract(buffer.getvalue(), media_type=PDF, date_order="DMY")
    extract(b"", media_type="image/png", date_order="DMY", page_texts=[_a_page()])


def rehearse_sandbox() -> None:
    extract(rehearsal.page(), media_type=PDF, date_order="DMY")


def _a_page() -> dict[str, Any]:
    lines = []
    for number, text in enumerate(_EVERYTHING):
        box = [10.0, 20.0 * number, 10.0 + 8 * len(text), 20.0 * number + 14]
        lines.append({"text": text, "box": box, "confidence": 1.0, "words": []})
    return {
        "page": 1, "width": 600.0, "height": 800.0, "unit": "pixel", "engine": "none", "rotation_degrees": 0,
        "skew_degrees": 0.0, "confidence": 1.0, "lines": lines, "barcodes": [],
    }  # fmt: skip


def extract(
    payload: bytes,
    *,
    media_type: str,
    date_order: str,
    country: str | None = None,
    page_texts: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The reading of a document, version 2.

    `{"version", "kind", "kind_confidence", "language", "country", "values", "tables", "movements", "conflicts", "mrz",
    "barcodes", "signs", "parts", "pages", "pages_without_text", "characters", "page_readings"}`. `values` are as in
    `contracts.creditx.Value`, with the part (from 1) that each belongs to; `kind` is `several` where there are more
    parts than one. `date_order` (`DMY`, `MDY`) and `country` (ISO 3166-1) are the company's habit where the document
    shows none. `page_texts` are the pages that OCR has read (`reading.ocr.read_pages`); they are preferred.
    """
    with Pdf(payload) as pdf:
        return read(pdf, media_type=media_type, date_order=date_order, country=country, page_texts=page_texts)


def read(
    pdf: Pdf,
    *,
    media_type: str,
    date_order: str,
    country: str | None = None,
    page_texts: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """`extract` for a file that others look at too."""
    texts = {int(text["page"]): text for text in page_texts}
    country = alpha3_of(country) if country and len(country) == _ALPHA2 else country
    pages: list[PageText] = []
    readings: list[dict[str, Any]] = []
    signs: list[Sign] = []
    without, cells_left = 0, CELLS_MAX
    for source in sources(pdf, media_type, texts):
        cells = source.cells[:cells_left]
        cells_left -= len(cells)
        readings.append(source.as_json(media_type))
        signs += source.signs
        without += source.shows and not cells
        if cells:
            number, ocr = source.frame.page, source.text is not None
            codes = codes_of(source.text or {"page": number, "barcodes": source.codes})
            pages.append(PageText(number, source.frame.upright_height, lines_of(cells), ocr=ocr, codes=codes))
    documents = [
        read_part(number, part, date_order=date_order, country=country)
        for number, part in enumerate(parts_of(pages), 1)
    ]
    answer = _answer(documents, pages, readings, without)
    answer["signs"] = signs_of(
        pdf, media_type=media_type, values=answer["values"], mrz=answer["mrz"], parts=answer["parts"],
        movements={document.part: document.rows for document in documents if document.rows},
        pages_by_ocr=[page.page for page in pages if page.ocr], on_pages=signs,
    )  # fmt: skip
    return answer


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
