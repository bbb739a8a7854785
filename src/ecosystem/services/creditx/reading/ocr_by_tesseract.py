"""`reading.ocr` for who has chosen Tesseract, so that nobody else's sandbox loads it."""

from contextlib import suppress

from ecosystem.services.creditx.reading import ocr
from ecosystem.services.creditx.reading.images.tesseract import TesseractAbsent

read_pages = ocr.read_pages


def prepare_sandbox() -> None:
    """Load library and data: a worker cannot open files. Where they are absent, each page is refused."""
    ocr.prepare_sandbox()
    with suppress(TesseractAbsent):
        ocr.prepare_tesseract()
