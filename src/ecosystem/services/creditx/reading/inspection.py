"""What the bytes of a document say about themselves: the first job for every upload. Runs in the sandbox."""

import io
from dataclasses import dataclass
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image, ImageFile, UnidentifiedImageError

from ecosystem.services.creditx.reading import pdf_structure, rehearsal, types
from ecosystem.services.creditx.reading.images.decoding import fills_page
from ecosystem.services.creditx.reading.opened import Pdf
from ecosystem.services.creditx.reading.refusal import Refused

VERSION = 2
_IMAGE_PIXELS_MAX, _PIXELS_MAX = 120_000_000, 6_000_000_000
# Pillow's own limits of the texts in a PNG have no exception of their own.
_TEXT_BOMBS = ("Decompressed data too large", "Too much memory used in text chunks")
_FEW_CHARACTERS = 60
_SAMPLED_CHARACTERS, _UNKNOWN_SHARE_MAX = 300, 0.15
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
    inspect(buffer.getvalue(), file_name="page.pdf", pages_max=10, inflated_bytes_max=1 << 20)
    pdf_structure.walk(buffer.getvalue())


def rehearse_sandbox() -> None:
    inspect(rehearsal.page(), file_name="page.pdf", pages_max=1, inflated_bytes_max=1 << 20)


def inspect(payload: bytes, *, file_name: str, pages_max: int, inflated_bytes_max: int) -> dict[str, Any]:
    """`{"facts": {…}}` as in `contracts.creditx.Facts`, or `{"refused": rule, "limits": {…}}`."""
    with Pdf(payload) as pdf:
        return look_at(pdf, file_name=file_name, pages_max=pages_max, inflated_bytes_max=inflated_bytes_max)


def look_at(pdf: Pdf, *, file_name: str, pages_max: int, inflated_bytes_max: int) -> dict[str, Any]:
    """`inspect` for a file that others look at too."""
    payload = pdf.content
    try:
        media_type = types.media_type_of(payload)
        types.refuse_second_type(payload, media_type)
        if media_type == types.PDF:
            facts = _inspect_pdf(pdf, pages_max=pages_max, inflated_bytes_max=inflated_bytes_max)
        else:
            facts = _inspect_image(payload, media_type, pages_max=pages_max)
        types.refuse_contradicting_name(file_name, media_type)
    except Refused as refused:
        return {"refused": refused.rule, "limits": refused.limits}
    return {"facts": facts | {"media_type": media_type, "size_bytes": len(payload)}}


def _inspect_pdf(pdf: Pdf, *, pages_max: int, inflated_bytes_max: int) -> dict[str, Any]:
    pdf_structure.refuse_truncated(pdf.content)
    try:
        document = pdf.document
    except pypdfium2.PdfiumError:
        protected = pdfium.FPDF_GetLastError() in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)
        raise Refused("encrypted_document" if protected else "truncated_file") from None
    if pdfium.FPDF_GetSecurityHandlerRevision(document.raw) != -1:
        raise Refused("encrypted_document")
    if pdf.pages == 0:
        raise Refused("truncated_file")
    if pdf.pages > pages_max:
        raise Refused("too_many_pages", pages_max=pages_max)
    if pdfium.FPDFDoc_GetJavaScriptActionCount(document.raw) > 0:
        raise Refused("javascript_refused")
    # Before any page is loaded, which unfolds what it shows.
    pdf_structure.refuse_dangerous(pdf.content, inflated_bytes_max)
    looks = [_look_at(pdf, number) for number in range(1, pdf.pages + 1)]
    to_read = [number for number, look in enumerate(looks, 1) if look.needs_reading]
    return {
        "pages": pdf.pages, "pages_without_text": len(to_read), "pages_to_read": to_read,
        "hidden_text_pages": sum(look.text_is_hidden for look in looks),
        "has_attachments": pdfium.FPDFDoc_GetAttachmentCount(document.raw) > 0,
    }  # fmt: skip


@dataclass(frozen=True)
class _Look:
    """`text_is_hidden`: it is never painted, as scanners put what they read beneath a scan."""

    needs_reading: bool
    text_is_hidden: bool = False


def _look_at(pdf: Pdf, number: int) -> _Look:
    """A page needs reading where it shows something that its text layer does not say.

    That is: no text, text whose letters nobody can tell, or a scan with but a stamp or a page number over it. An
    empty page needs none, unless it is the only one.
    """
    try:
        with pdf.page(number) as page:
            text, characters = page.text.raw, page.characters
            if characters == 0:
                return _Look(pdf.pages == 1 or page.drawn > 0)
            if _letters_unknown(text, characters):
                return _Look(True)
            hidden = _is_hidden(text, characters)
            return _Look(characters < _FEW_CHARACTERS and not hidden and fills_page(page.page) is not None, hidden)
    except pypdfium2.PdfiumError:
        pdf_structure.refuse_tangled_pages(pdf.content)
        raise Refused("truncated_file") from None


def _letters_unknown(text: Any, characters: int) -> bool:
    """Whether the fonts do not say which letters they draw."""
    sample = range(0, characters, characters // _SAMPLED_CHARACTERS + 1)
    unknown = sum(int(pdfium.FPDFText_HasUnicodeMapError(text, index) == 1) for index in sample)
    return unknown > _UNKNOWN_SHARE_MAX * len(sample)


def _is_hidden(text: Any, characters: int) -> bool:
    modes = (
        pdfium.FPDFTextObj_GetTextRenderMode(pdfium.FPDFText_GetTextObject(text, index))
        for index in (0, characters // 2, characters - 1)
        if pdfium.FPDFText_IsGenerated(text, index) == 0
    )
    return pdfium.FPDF_TEXTRENDERMODE_INVISIBLE in modes


def _inspect_image(content: bytes, media_type: str, *, pages_max: int) -> dict[str, Any]:
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        image = Image.open(io.BytesIO(content), formats=[_LOADERS[media_type]])
        if media_type == types.PNG and getattr(image, "is_animated", False):
            raise Refused("animated_image")
        # What a camera puts behind its JPEG (a preview, a map of brightness) is no page.
        pages = int(getattr(image, "n_frames", 1)) if media_type == types.TIFF else 1
        if pages > pages_max:
            raise Refused("too_many_pages", pages_max=pages_max)
        pixels = 0
        for frame in range(pages):
            image.seek(frame)
            pixels += image.width * image.height
            if image.width * image.height > _IMAGE_PIXELS_MAX:
                raise Refused("decompression_bomb", image_pixels_max=_IMAGE_PIXELS_MAX)
            if pixels > _PIXELS_MAX:
                raise Refused("decompression_bomb", pixels_max=_PIXELS_MAX)
        image.seek(0)
        # A JPEG is decoded at an eighth: enough to see that all of it is there.
        image.draft("L", (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        unfolds = str(error).startswith(_TEXT_BOMBS)
        raise Refused("decompression_bomb" if unfolds else "truncated_file") from None
    return {
        "pages": pages, "pages_without_text": pages, "pages_to_read": list(range(1, pages + 1)),
        "hidden_text_pages": 0, "has_attachments": False,
    }  # fmt: skip
