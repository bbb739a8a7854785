"""What reads and draws pages in tests of the way there and back: quick, and it fails where the test wants it to."""

import base64
import io
import os
from collections.abc import Sequence
from typing import Any

from PIL import Image

UNREADABLE = 66
"""A page of this number cannot be read."""
MISNUMBERED = 70
"""Asked for this page, the reader answers with the next: as one might that a document has taken over."""


def prepare_sandbox() -> None:
    """Load what a worker cannot open."""
    Image.init()


def read_pages(payload: bytes, *, media_type: str, pages: Sequence[int], engine: str) -> list[dict[str, Any]]:
    if UNREADABLE in pages:
        raise ValueError("a secret of the page")
    return [_page(number + (number == MISNUMBERED)) for number in pages]


def render_page(payload: bytes, *, media_type: str, page: int, width_max: int) -> dict[str, Any]:
    out = io.BytesIO()
    Image.new("L", (width_max, 10), page).save(out, "PNG")
    return {"png_base64": base64.b64encode(out.getvalue()).decode(), "width": width_max, "height": 10}


def _page(number: int) -> dict[str, Any]:
    box = [72.0, 72.0, 200.0, 84.0]
    text = f"Anna Keller, page {number}, read by {os.getpid()}"
    return {
        "page": number, "width": 595.0, "height": 842.0, "unit": "point", "engine": "rapidocr", "rotation_degrees": 0,
        "skew_degrees": 0.0, "upright_width": 595.0, "upright_height": 842.0, "confidence": 0.9,
        "lines": [{"text": text, "box": box, "upright": box, "confidence": 0.9, "words": []}], "barcodes": [],
        "seconds": 0.01,
    }  # fmt: skip
