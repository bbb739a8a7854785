"""What the bytes of a document say about themselves: the first job for every upload. Runs in the sandbox."""

import io
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image, ImageFile, UnidentifiedImageError

from ecosystem.services.creditx.reading import pdf_structure, types
from ecosystem.services.creditx.reading.refusal import Refused

VERSION = 2
_IMAGE_PIXELS_MAX = 120_000_000
_LOADERS = {types.JPEG: "JPEG", types.PNG: "PNG", types.TIFF: "TIFF"}


def prepare_sandbox() -> None:
    """Load what is otherwise loaded at first use: a worker cannot open files."""
    Image.MAX_IMAGE_PIXELS = None
    for name in _LOADERS.values():
        buffer = io.BytesIO()
        Image.new("L", (8, 8)).save(buffer, name)
        Image.open(io.BytesIO(buffer.getvalue()), formats=[name]).load()
    empty = pypdfium2.PdfDocument.new()
    empty.new_page(100, 100)
    buffer = io.BytesIO()
    empty.save(buffer)
    _inspect_pdf(buffer.getvalue(), pages_max=10, inflated_bytes_max=1 << 20)
    pdf_structure.walk(buffer.getvalue())


def inspect(payload: bytes, *, file_name: str, pages_max: int, inflated_bytes_max: int) -> dict[str, Any]:
    """`{"facts": {…}}` as in `contracts.creditx.Facts`, or `{"refused": rule}`."""
    try:
        media_type = types.media_type_of(payload)
        types.refuse_second_type(payload, media_type)
        if media_type == types.PDF:
            facts = _inspect_pdf(payload, pages_max=pages_max, inflated_bytes_max=inflated_bytes_max)
        else:
            facts = _inspect_image(payload, media_type, pages_max=pages_max)
        types.refuse_contradicting_name(file_name, media_type)
    except Refused as refused:
        return {"refused": refused.rule}
    return {"facts": facts | {"media_type": media_type, "size_bytes": len(payload)}}


def _inspect_pdf(content: bytes, *, pages_max: int, inflated_bytes_max: int) -> dict[str, Any]:
    pdf_structure.refuse_truncated(content)
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError:
        protected = pdfium.FPDF_GetLastError() in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)
        raise Refused("encrypted_document" if protected else "truncated_file") from None
    if pdfium.FPDF_GetSecurityHandlerRevision(document.raw) != -1:
        raise Refused("encrypted_document")
    pages = len(document)
    if pages == 0:
        raise Refused("truncated_file")
    if pages > pages_max:
        raise Refused("too_many_pages")
    if pdfium.FPDFDoc_GetJavaScriptActionCount(document.raw) > 0:
        raise Refused("javascript_refused")
    # Before any page is loaded, which unfolds what it shows.
    pdf_structure.refuse_dangerous(content, inflated_bytes_max)
    to_read = [number + 1 for number in range(pages) if _lacks_text(document, number)]
    return {
        "pages": pages,
        "pages_without_text": len(to_read),
        "pages_to_read": to_read,
        "has_attachments": pdfium.FPDFDoc_GetAttachmentCount(document.raw) > 0,
    }


def _lacks_text(document: Any, number: int) -> bool:
    """A page that shows something, none of it text. An empty page lacks nothing, unless it is the only one."""
    try:
        page = document[number]
    except pypdfium2.PdfiumError:
        raise Refused("truncated_file") from None
    text = page.get_textpage()
    lacks = text.count_chars() == 0 and (len(document) == 1 or pdfium.FPDFPage_CountObjects(page.raw) > 0)
    text.close()
    page.close()
    return bool(lacks)


def _inspect_image(content: bytes, media_type: str, *, pages_max: int) -> dict[str, Any]:
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        image = Image.open(io.BytesIO(content), formats=[_LOADERS[media_type]])
        pages = int(getattr(image, "n_frames", 1))
        if pages > pages_max:
            raise Refused("too_many_pages")
        for frame in range(pages):
            image.seek(frame)
            if image.width * image.height > _IMAGE_PIXELS_MAX:
                raise Refused("decompression_bomb")
        image.seek(0)
        # A JPEG is decoded at an eighth: enough to see that all of it is there.
        image.draft("L", (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError):
        raise Refused("truncated_file") from None
    return {
        "pages": pages, "pages_without_text": pages, "pages_to_read": list(range(1, pages + 1)),
        "has_attachments": False,
    }  # fmt: skip
