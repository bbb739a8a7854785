"""What a file says about its making, against what stands on it. Source: ISO 32000-2, 14.3.3 (document information)."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from ecosystem.services.creditx.reading.signs.sign import Sign

_OWN_DATES = ("statement_date", "invoice_date", "issue_date", "extract_date", "signature_date")
_OLDER = "expiry_date"
"""A paper that runs out is copied years after it was made; its file says nothing about it."""
_LATER = timedelta(days=2 * 365)
_EARLIER = timedelta(days=31)
_MODIFIED_LATER = timedelta(days=1)
_CONFIDENCE_MIN = 0.8
_HEAD_BYTES = 256 * 1024
_DATE = re.compile(r"D?:?(\d{4})(\d{2})(\d{2})(\d{2})?(\d{2})?(\d{2})?")
_IMAGE_EDITORS = (
    "Adobe Photoshop", "Photoshop Elements", "Adobe Illustrator", "Affinity Photo", "Affinity Designer", "CorelDRAW",
    "GIMP", "Inkscape", "Krita", "Paint.NET", "paint.net", "Pixelmator", "Photopea", "PicsArt", "Canva", "Snapseed",
    "Microsoft Paint", "PaintShop", "Corel PHOTO",
)  # fmt: skip
_PAGE_EDITORS = (
    "PDF Editor", "PDFelement", "PDF-XChange Editor", "PDFescape", "Sejda", "iLovePDF", "Smallpdf", "Foxit PhantomPDF",
    "Foxit PDF Editor", "Nitro Pro", "Infix", "PDFill", "Master PDF Editor", "Soda PDF", "DocHub", "pdfFiller",
)  # fmt: skip
_PLACEHOLDERS = {datetime(1970, 1, 1), datetime(1980, 1, 1), datetime(2000, 1, 1)}  # noqa: DTZ001
"""Programs whose files do not depend on the clock write one of these."""


def of_pdf(
    information: Mapping[str, str], values: Sequence[Mapping[str, Any]], pages_by_ocr: Collection[int]
) -> list[Sign]:
    """`information` is the document information dictionary; `pages_by_ocr` are scans, whose date is the scanner's."""
    made = " ".join(information.get(key, "") for key in ("Creator", "Producer"))[:500]
    found = list(_editor_in(made))
    created, modified = (_instant(information.get(key, "")) for key in ("CreationDate", "ModDate"))
    if created and modified and modified - created > _MODIFIED_LATER:
        found.append(Sign("modified_after_creation", "The file says that it was modified after it had been created."))
    if created and created not in _PLACEHOLDERS:
        found += _against_own_dates(created.date(), values, pages_by_ocr)
    return found


def of_image(content: bytes) -> list[Sign]:
    """Looks for the name of an editor where an image says what wrote it (EXIF, XMP, PNG text): in its beginning."""
    head = content[:_HEAD_BYTES].decode("latin-1")
    return list(_editor_in(head))[:1]


def _editor_in(text: str) -> Iterator[Sign]:
    folded = text.casefold()
    for editor in _IMAGE_EDITORS:
        if editor.casefold() in folded:
            yield Sign("made_with_image_editor", f"The file says that it was written by an image editor ({editor}).")
            return
    for editor in _PAGE_EDITORS:
        if editor.casefold() in folded:
            yield Sign("made_with_page_editor", f"The file says that it was written by an editor of pages ({editor}).")
            return


def _against_own_dates(
    created: date, values: Sequence[Mapping[str, Any]], pages_by_ocr: Collection[int]
) -> Iterator[Sign]:
    older = {value["part"] for value in values if value["name"] == _OLDER}
    for value in values:
        if value["name"] not in _OWN_DATES or value["part"] in older or value["page"] in pages_by_ocr:
            continue
        if value.get("ambiguous") or value["confidence"] < _CONFIDENCE_MIN:
            continue
        try:
            own = date.fromisoformat(value["value"])
        except ValueError:
            continue
        place = {"page": value["page"], "box": tuple(value["box"]) if value["box"] else None, "part": value["part"]}
        if created - own > _LATER:
            years = (created - own).days // 365
            yield Sign(
                "created_years_after_its_date", f"The file was created {years} years after the date on it.", **place
            )
        elif own - created > _EARLIER:
            days = (own - created).days
            yield Sign("created_before_its_date", f"The file was created {days} days before the date on it.", **place)


def _instant(text: str) -> datetime | None:
    match = _DATE.match(text)
    if match is None:
        return None
    try:
        # Zones differ by less than what is compared here.
        return datetime(*(int(part or 0) for part in match.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None
