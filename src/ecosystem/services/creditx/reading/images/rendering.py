"""A page as people look at it: a PNG, bounded in width."""

import base64
import io
from typing import Any

from ecosystem.services.creditx.reading.images.decoding import pictures, prepare

_PIXELS_MAX = 6_000_000


def prepare_sandbox() -> None:
    """Load what is otherwise loaded at first use: a worker cannot open files."""
    prepare()


def render_page(payload: bytes, *, media_type: str, page: int, width_max: int) -> dict[str, Any]:
    """`{"png_base64", "width", "height"}` of the page (from 1), at most `width_max` pixels wide.

    Raises OSError, ValueError or PdfiumError where the page cannot be made into pixels.
    """
    image = next(pictures(payload, media_type, [page], pixels_max=_PIXELS_MAX, width_max=width_max)).image
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    png = base64.b64encode(buffer.getvalue()).decode()
    return {"png_base64": png, "width": image.width, "height": image.height}
