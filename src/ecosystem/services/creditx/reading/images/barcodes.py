"""QR and bar codes on a page, by zxing-cpp. What they mean is for others to say."""

from typing import Any

import numpy as np
import zxingcpp
from numpy.typing import NDArray

from ecosystem.services.creditx.reading.images.recognition import Pixels

_CODES_MAX = 20
_TEXT_CHARACTERS_MAX = 4000


def barcodes_on(pixels: Pixels) -> list[tuple[str, str, NDArray[np.float64]]]:
    """Symbology (as zxing names it), text and the four corners in pixels of each code."""
    found: list[tuple[str, str, NDArray[np.float64]]] = []
    for code in zxingcpp.read_barcodes(pixels)[:_CODES_MAX]:
        place: Any = code.position
        corners = [place.top_left, place.top_right, place.bottom_right, place.bottom_left]
        text = code.text[:_TEXT_CHARACTERS_MAX]
        found.append((str(code.format), text, np.array([(corner.x, corner.y) for corner in corners], np.float64)))
    return found
