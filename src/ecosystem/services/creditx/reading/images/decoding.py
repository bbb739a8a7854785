"""One page as an image, as a person sees it: PDF pages rendered, images turned as their EXIF says, on white paper."""

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image, ImageFile, ImageOps

from ecosystem.services.creditx.reading import types

PIXELS_MAX = 9_000_000
"""A4 at 300 dpi. What is larger is scaled down: no print becomes more readable beyond that."""
_POINTS_PER_INCH, _DPI_MIN, _DPI_MAX = 72, 100, 300
_FILLS = 0.5
_SIDE_PIXELS_MAX = 16_000
_LOADERS = {types.JPEG: "JPEG", types.PNG: "PNG", types.TIFF: "TIFF"}
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")


@dataclass(frozen=True)
class Picture:
    """An RGB image of one page and the size of the page as shown, in `unit` (`point` or `pixel`)."""

    page: int
    image: Image.Image
    width: float
    height: float
    unit: str

    @property
    def scale(self) -> float:
        """Units of the page for one pixel."""
        return self.width / self.image.width


def prepare() -> None:
    """Load what is otherwise loaded at first use: a worker cannot open files."""
    Image.MAX_IMAGE_PIXELS = None
    for media_type, name in _LOADERS.items():
        buffer = io.BytesIO()
        Image.new("L", (8, 8)).save(buffer, name)
        next(pictures(buffer.getvalue(), media_type, [1]))
    empty = pypdfium2.PdfDocument.new()
    empty.new_page(100, 100)
    buffer = io.BytesIO()
    empty.save(buffer)
    next(pictures(buffer.getvalue(), types.PDF, [1]))


def pictures(
    payload: bytes, media_type: str, pages: Sequence[int], *, pixels_max: int = PIXELS_MAX, width_max: int | None = None
) -> Iterator[Picture]:
    """The pages (from 1) one after the other, each bounded in pixels. Raises OSError, ValueError, PdfiumError."""
    if media_type == types.PDF:
        document = pypdfium2.PdfDocument(payload)
        for number in pages:
            yield _rendered(document[number - 1], number, pixels_max, width_max)
    else:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        for number in pages:
            with Image.open(io.BytesIO(payload), formats=[_LOADERS[media_type]]) as image:
                yield _decoded(image, number, pixels_max, width_max)


def _rendered(page: Any, number: int, pixels_max: int, width_max: int | None) -> Picture:
    width, height = page.get_size()
    scale = min(
        _dots_per_inch(page, width * height) / _POINTS_PER_INCH,
        math.sqrt(pixels_max / (width * height)),
        _SIDE_PIXELS_MAX / max(width, height),
        (width_max or _SIDE_PIXELS_MAX) / width,
    )
    # A hair less: pdfium rounds up, and 450.0000001 pixels would be 451.
    bitmap = page.render(scale=scale * (1 - 1e-9), rev_byteorder=True)
    image = bitmap.to_pil().convert("RGB")
    bitmap.close()
    page.close()
    return Picture(number, image, width, height, "point")


def _dots_per_inch(page: Any, points: float) -> float:
    """Those of the scan that fills the page: print that is enlarged is read worse. Otherwise the most that helps."""
    for image in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=2):
        left, bottom, right, top = image.get_bounds()
        area = (right - left) * (top - bottom)
        if area > _FILLS * points:
            width, height = image.get_px_size()
            found = _POINTS_PER_INCH * math.sqrt(width * height / area)
            return min(_DPI_MAX, max(_DPI_MIN, found))
    return _DPI_MAX


def _decoded(image: Image.Image, number: int, pixels_max: int, width_max: int | None) -> Picture:
    image.seek(number - 1)
    shown = image.size
    factor = _factor(shown, pixels_max, width_max)
    # A JPEG is decoded at a half, a quarter or an eighth where that is enough.
    image.draft(None, (math.ceil(shown[0] * factor), math.ceil(shown[1] * factor)))
    image.load()
    turned = ImageOps.exif_transpose(image)
    width, height = shown if (turned.width > turned.height) == (shown[0] > shown[1]) else shown[::-1]
    factor = _factor(turned.size, pixels_max, width_max)
    if factor < 1:
        turned = _eight_bits(turned).resize(
            (max(1, round(turned.width * factor)), max(1, round(turned.height * factor))),
            Image.Resampling.BICUBIC,
            reducing_gap=2.0,
        )
    return Picture(number, _on_white(_eight_bits(turned)), float(width), float(height), "pixel")


def _factor(size: tuple[int, int], pixels_max: int, width_max: int | None) -> float:
    width, height = size
    return min(
        1.0, math.sqrt(pixels_max / (width * height)), _SIDE_PIXELS_MAX / max(size), (width_max or width) / width
    )


def _eight_bits(image: Image.Image) -> Image.Image:
    """A palette becomes its colours, and more than 8 bits are stretched between the darkest and the lightest."""
    if image.mode in _SIXTEEN_BITS:
        values = image.convert("F")
        extrema: Any = values.getextrema()
        low, high = extrema
        factor = 255 / max(high - low, 1.0)
        return values.point(lambda value: value * factor - low * factor).convert("L")
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    return image.convert("L") if image.mode == "1" else image


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in ("RGBA", "LA", "La", "RGBa"):
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(paper, image).convert("RGB")
    return image.convert("RGB")
