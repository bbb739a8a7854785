"""Pictures of pages in the files that people send: PDF around images, JPEG, PNG, TIFF of several pages."""

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from PIL import Image

from specimens.model import PHOTOGRAPHED, Quality
from specimens.qualities import effects
from specimens.qualities.picture import Picture, rendered, scaling

_RENDER_DPI = {Quality.SCAN_300: 300.0, Quality.SCAN_200: 200.0, Quality.FAX: 204.0}
_PHOTO_PAGE_PIXELS = 2900
"""The long side of a page before it is photographed: a little more than the phone will see of it."""
_PHOTO_DPI = 200.0
"""What a PDF says of a photograph in it."""
_SENSORS = ((6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270), (3, Image.Transpose.ROTATE_180))
"""Orientations of EXIF, each with the turn that it undoes."""


class Container(StrEnum):
    PDF = "pdf"
    JPEG = "jpg"
    PNG = "png"
    TIFF = "tiff"

    @property
    def media_type(self) -> str:
        return {"pdf": "application/pdf", "jpg": "image/jpeg"}.get(self.value, f"image/{self.value}")


_BOUND = (Container.PDF, Container.TIFF)
"""Those that hold several pages."""
_CONTAINERS = {
    Quality.SCAN_300: (Container.PDF, Container.PDF, Container.TIFF, Container.PNG, Container.JPEG),
    Quality.SCAN_200: (Container.PDF, Container.PDF, Container.TIFF, Container.PNG, Container.JPEG),
    Quality.PHOTO: (Container.JPEG, Container.JPEG, Container.JPEG, Container.PDF),
    Quality.PHOTO_HARD: (Container.JPEG, Container.JPEG, Container.JPEG, Container.PDF),
    Quality.FAX: (Container.TIFF, Container.TIFF, Container.PDF),
}


@dataclass(frozen=True)
class Delivery:
    """`pictures` carry matrices from points of the page to the units of the file: pixels, or points of a PDF."""

    content: bytes
    container: Container
    pictures: tuple[Picture, ...]
    sizes: tuple[tuple[float, float], ...]


def deliver(
    pdf: bytes, quality: Quality, rng: random.Random, day: date, *, rotated: int = 0,
    container: Container | None = None, unreadable: bool = False,
) -> Delivery:  # fmt: skip
    """The pages of `pdf` in this quality, made on `day`; `rotated` turns them clockwise.

    Several pages go into a PDF or a TIFF, whatever `container` says.
    """
    pages = rendered(pdf, _dpi(pdf, quality))
    if unreadable:
        pages = [effects.unreadable(page, rng) for page in pages]
    pictures = [picture.turned(rotated) for picture in _pictures(pages, quality, rng)]
    options = [one for one in _CONTAINERS[quality] if len(pictures) == 1 or one in _BOUND]
    by_chance = rng.choice(options)
    container = container if container and (len(pictures) == 1 or container in _BOUND) else by_chance
    content = _packed(pictures, quality, container, rng, day)
    if container is not Container.PDF:
        return Delivery(
            content, container, tuple(pictures), tuple((float(one.width), float(one.height)) for one in pictures)
        )
    sizes, moved = [], []
    for picture in pictures:
        across, down = 72 / picture.dpi[0], 72 / picture.dpi[1]
        sizes.append((picture.width * across, picture.height * down))
        moved.append(replace(picture, matrix=scaling(across, down) @ picture.matrix))
    return Delivery(content, container, tuple(moved), tuple(sizes))


def _dpi(pdf: bytes, quality: Quality) -> float:
    if quality not in PHOTOGRAPHED:
        return _RENDER_DPI[quality]
    first = rendered(pdf, 8)[0]
    return _PHOTO_PAGE_PIXELS / max(first.width, first.height) * 8


def _pictures(pages: Sequence[Picture], quality: Quality, rng: random.Random) -> list[Picture]:
    match quality:
        case Quality.PHOTO | Quality.PHOTO_HARD:
            hard, dpi = quality is Quality.PHOTO_HARD, (_PHOTO_DPI, _PHOTO_DPI)
            return [replace(effects.photographed(page, rng, hard=hard), dpi=dpi) for page in pages]
        case Quality.FAX:
            return [effects.faxed(page, rng) for page in pages]
        case _:
            scanner = effects.Scanner.of(rng, clean=quality is Quality.SCAN_300)
            return [scanner.scan(page, rng) for page in pages]


def _packed(
    pictures: Sequence[Picture], quality: Quality, container: Container, rng: random.Random, day: date
) -> bytes:
    images = [_image(picture) for picture in pictures]
    buffer, first, others = io.BytesIO(), images[0], images[1:]
    strength = rng.randint(62, 88)
    options = {} if first.mode == "1" else {"quality": strength}
    dpi = pictures[0].dpi
    match container:
        case Container.JPEG:
            _jpeg(first, buffer, quality, strength, dpi, rng)
        case Container.PNG:
            first.save(buffer, "PNG", dpi=dpi, compress_level=3)
        case Container.TIFF:
            packing = "group4" if first.mode == "1" else "jpeg"
            first.save(buffer, "TIFF", save_all=True, append_images=others, compression=packing, dpi=dpi, **options)
        case Container.PDF:
            first.save(
                buffer, "PDF", save_all=True, append_images=others, dpi=dpi, creationDate=day.timetuple(),
                modDate=day.timetuple(), producer="Scanner", **options,
            )  # fmt: skip
    return buffer.getvalue()


def _image(picture: Picture) -> Image.Image:
    image = Image.fromarray(picture.pixels)
    return image.convert("1", dither=Image.Dither.NONE) if picture.bitonal else image


def _jpeg(
    image: Image.Image,
    buffer: io.BytesIO,
    quality: Quality,
    strength: int,
    dpi: tuple[float, float],
    rng: random.Random,
) -> None:
    """A phone held the other way leaves the pixels as the sensor has them and says in EXIF how to turn them."""
    if image.mode == "1":
        image = image.convert("L")
    exif = Image.Exif()
    if quality in PHOTOGRAPHED and rng.random() < 0.4:
        orientation, undo = rng.choice(_SENSORS)
        image = image.transpose(undo)
        exif[0x0112] = orientation
    image.save(buffer, "JPEG", quality=max(strength, 75) if quality in PHOTOGRAPHED else strength, dpi=dpi, exif=exif)
