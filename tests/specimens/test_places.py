"""Goal: a box holds its value. Method: PDFium's text in the box; a black box found again on images."""

import io
import random
import re
from datetime import date

import cv2
import numpy as np
import numpy.typing as npt
import pypdfium2
import pytest
from PIL import Image, ImageOps
from reportlab.lib.pagesizes import A4

from specimens.maker import make
from specimens.model import KNOWN, LANGUAGES, Kind, Place, Quality, Specimen
from specimens.qualities.delivery import Container, Delivery, deliver
from specimens.qualities.picture import hull, rendered
from specimens.setting.pen import BLACK, Pen

AS_OF = date(2026, 11, 24)
BLACK_BOX = (180.0, 240.0, 330.0, 300.0)


def letters(text: str) -> list[str]:
    """Without spaces, and without order: a turned page gives its lines in another one."""
    return sorted(re.sub(r"\s", "", text))


def text_inside(page: pypdfium2.PdfPage, place: Place, rotated: int) -> str:
    height = page.get_height()
    left, top, right, bottom = place.box
    bounds = (left, height - bottom, right, height - top) if rotated == 0 else (top, left, bottom, right)
    return str(page.get_textpage().get_text_bounded(*bounds))


def all_places(specimen: Specimen) -> list[tuple[str, Place]]:
    return [(name, place) for part in specimen.truth.parts for name, place in part.places.items()]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [*KNOWN, Kind.SEVERAL])
def test_every_field_stands_in_its_box(kind: Kind, language: str) -> None:
    for seed, rotated in ((1, 0), (2, 0), (3, 90)):
        specimen = make(kind, seed=seed, as_of=AS_OF, language=language, rotated=rotated)
        document = pypdfium2.PdfDocument(specimen.content)

        assert len(document) == len(specimen.truth.pages)
        for part in specimen.truth.parts:
            assert set(part.places) == set(part.fields), specimen.name
        for name, place in all_places(specimen):
            page = document[place.page - 1]
            shown = specimen.truth.pages[place.page - 1]
            assert page.get_size() == pytest.approx((shown.width, shown.height), abs=0.1)
            found = text_inside(page, place, rotated)
            assert letters(found) == letters(place.text), (specimen.name, name, found)


def a_page_with_a_black_box() -> bytes:
    """A4 with nothing on it but `BLACK_BOX`."""
    pen = Pen(*A4, "A page")
    pen.box(BLACK_BOX[0], BLACK_BOX[1], BLACK_BOX[2] - BLACK_BOX[0], BLACK_BOX[3] - BLACK_BOX[1], fill=BLACK)
    return pen.finish()


def shown(delivery: Delivery) -> npt.NDArray[np.uint8]:
    """The first page in grey, as a viewer shows it; of a PDF at one pixel to the point."""
    if delivery.container is Container.PDF:
        return rendered(delivery.content, 72)[0].pixels.mean(axis=2).astype(np.uint8)
    with Image.open(io.BytesIO(delivery.content)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("L"))


@pytest.mark.parametrize("rotated", [0, 90, 180, 270])
@pytest.mark.parametrize(
    ("quality", "container"),
    [
        (Quality.SCAN_300, Container.PNG), (Quality.SCAN_200, Container.TIFF), (Quality.SCAN_200, Container.PDF),
        (Quality.PHOTO, Container.JPEG), (Quality.FAX, Container.TIFF), (Quality.FAX, Container.PDF),
    ],
)  # fmt: skip
def test_box_follows_what_was_done_to_the_page(quality: Quality, container: Container, rotated: int) -> None:
    """A black box on an empty page is found again, by its colour, where its truth would say."""
    delivery = deliver(
        a_page_with_a_black_box(), quality, random.Random(rotated), AS_OF, rotated=rotated, container=container
    )
    page = shown(delivery)
    expected = hull(delivery.pictures[0].matrix, BLACK_BOX)

    assert (page.shape[1], page.shape[0]) == pytest.approx(delivery.sizes[0], abs=1)
    left, top, right, bottom = (round(edge) for edge in expected)
    around = 25 if delivery.container is not Container.PDF else 8
    part = page[top - around : bottom + around, left - around : right + around]
    between = (np.percentile(part, 98) + np.percentile(part, 5)) / 2
    dark = cv2.medianBlur((part < between).astype(np.uint8), 5)
    rows, columns = np.nonzero(dark.any(axis=1))[0], np.nonzero(dark.any(axis=0))[0]
    found = (
        left - around + columns[0],
        top - around + rows[0],
        left - around + columns[-1],
        top - around + rows[-1],
    )
    assert found == pytest.approx(expected, abs=4)


@pytest.mark.parametrize("rotated", [0, 90, 180, 270])
def test_edges_stay_where_a_photograph_in_bad_conditions_puts_them(rotated: int) -> None:
    """No colour tells the box from a page half in shadow: across each of its edges the light falls most just there."""
    delivery = deliver(
        a_page_with_a_black_box(), Quality.PHOTO_HARD, random.Random(rotated), AS_OF, rotated=rotated,
        container=Container.JPEG,
    )  # fmt: skip
    page = cv2.GaussianBlur(shown(delivery), (0, 0), 2).astype(np.float32)
    left, top, right, bottom = BLACK_BOX
    x, y = (left + right) / 2, (top + bottom) / 2
    steps = np.arange(-12.0, 12.25, 0.25)

    for edge, (across, down) in (
        ((left, y), (1, 0)),
        ((right, y), (-1, 0)),
        ((x, top), (0, 1)),
        ((x, bottom), (0, -1)),
    ):
        on_page = np.array(edge) + steps[:, None] * np.array([across, down])
        at = np.rint(cv2.perspectiveTransform(on_page[None], delivery.pictures[0].matrix)[0]).astype(int)
        light = page[at[:, 1], at[:, 0]]
        steepest = steps[int(np.argmin(light[4:] - light[:-4])) + 2]
        assert steepest == pytest.approx(0, abs=1.5)
