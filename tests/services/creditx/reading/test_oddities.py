"""Goal: what is unusual has a clear answer within its limits. Method: odd files, made here, in the real sandbox."""

from typing import Any

import pytest
from PIL import Image

from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.services.creditx.reading import types
from ecosystem.services.creditx.reading.extraction import extract
from ecosystem.services.creditx.reading.images.decoding import PIXELS_MAX, pictures
from tests.services.creditx import files
from tests.services.creditx.reading import oddities

LONG_TEXT = "What a scanner read on this page, beneath what it scanned, so that it can be found again."


async def inspect(sandbox: Sandbox, content: bytes) -> dict[str, Any]:
    """Within the ten seconds and the memory of any job."""
    target = "ecosystem.services.creditx.reading.inspection:inspect"
    arguments = {"file_name": "file", "pages_max": 10, "inflated_bytes_max": 32 << 20}
    answer: dict[str, Any] = await sandbox.run(target, content, arguments)
    return answer


@pytest.mark.parametrize(
    ("rule", "content"),
    [
        ("decompression_bomb", oddities.twenty_thousand_square()),
        ("animated_image", oddities.animated()),
        ("too_many_pages", files.a_picture("TIFF", pages=11)),
        ("encrypted_document", oddities.with_password()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_cannot_be_read_is_refused_by_its_rule(sandbox: Sandbox, rule: str, content: bytes) -> None:
    assert (await inspect(sandbox, content))["refused"] == rule


@pytest.mark.parametrize(
    ("name", "content", "to_read"),
    [
        ("CMYK", oddities.as_file(oddities.marked("CMYK"), "JPEG"), [1]),
        ("16 bits", oddities.as_file(oddities.sixteen_bits(), "PNG"), [1]),
        ("a preview behind a JPEG", oddities.with_a_preview(), [1]),
        ("a fax of two pages", files.a_picture("TIFF", pages=2), [1, 2]),
        ("100,000 objects", oddities.hundred_thousand_objects(), [1]),
        ("letters without names", oddities.letters_without_names("Saldo 12'450.35 CHF"), [1]),
        ("a scan with a page number", oddities.scan_with_text("Page 1", hidden=False), [1]),
        ("a scan that was read by its scanner", oddities.scan_with_text(LONG_TEXT, hidden=True), []),
        ("text over a picture", oddities.scan_with_text(LONG_TEXT, hidden=False), []),
        ("five metres", oddities.five_metres(), [1]),
        ("attachments within attachments", oddities.attachments_within_attachments(), []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_can_be_read_says_which_pages_need_reading(
    sandbox: Sandbox, name: str, content: bytes, to_read: list[int]
) -> None:
    facts = (await inspect(sandbox, content))["facts"]

    assert facts["pages_to_read"] == to_read
    assert facts["has_attachments"] is name.startswith("attachments")
    assert facts["hidden_text_pages"] == (1 if "by its scanner" in name else 0)


@pytest.mark.parametrize(
    ("content", "media_type", "size"),
    [
        (oddities.as_file(oddities.marked("CMYK"), "JPEG", quality=95), types.JPEG, (120, 80)),
        (oddities.as_file(oddities.sixteen_bits(), "PNG"), types.PNG, (120, 80)),
        (oddities.as_file(oddities.sixteen_bits(), "TIFF"), types.TIFF, (120, 80)),
        (oddities.as_file(oddities.marked("P"), "PNG"), types.PNG, (120, 80)),
        (oddities.as_file(oddities.marked("1"), "TIFF", compression="group4"), types.TIFF, (120, 80)),
        (oddities.as_file(oddities.see_through(), "PNG"), types.PNG, (120, 80)),
        (oddities.lying_on_its_side(), types.JPEG, (80, 120)),
        (oddities.with_a_preview(), types.JPEG, (120, 80)),
    ],
    ids=["CMYK", "16 bits PNG", "16 bits TIFF", "palette", "fax", "see-through", "turned by EXIF", "preview"],
)
def test_every_kind_of_picture_is_black_on_white_as_people_see_it(
    content: bytes, media_type: str, size: tuple[int, int]
) -> None:
    (picture,) = pictures(content, media_type, [1])

    assert (picture.width, picture.height, picture.image.size, picture.image.mode) == (*size, size, "RGB")
    assert brightness(picture.image, (13, 13)) < 40
    assert brightness(picture.image, (60, 60)) > 215


@pytest.mark.parametrize("pages_max", [PIXELS_MAX, 1_000_000])
def test_a_page_of_five_metres_becomes_no_more_pixels_than_allowed(pages_max: int) -> None:
    (picture,) = pictures(oddities.five_metres(), types.PDF, [1], pixels_max=pages_max)

    assert picture.image.width * picture.image.height <= pages_max * 1.01
    assert picture.width == pytest.approx(oddities.FIVE_METRES_POINTS, abs=1)
    assert picture.scale == pytest.approx(picture.width / picture.image.width)


def test_a_large_picture_is_scaled_down_and_keeps_its_size_as_shown() -> None:
    (picture,) = pictures(
        oddities.as_file(oddities.marked(size=(4000, 3000)), "JPEG"), types.JPEG, [1], pixels_max=750_000
    )

    assert (picture.width, picture.height, picture.image.size) == (4000, 3000, (1000, 750))


@pytest.mark.parametrize(("hidden", "right", "repaired"), [(True, True, 1), (False, False, 0)])
def test_a_zone_that_a_scanner_read_is_repaired_and_one_that_is_printed_is_not(
    hidden: bool, right: bool, repaired: int
) -> None:
    zone = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO74O8122F1204159ZE184226B<<<<<10"
    page = oddities.scan_with_text(zone, hidden=hidden)

    (found,) = extract(page, media_type=types.PDF, date_order="DMY")["mrz"]

    assert (found["checks"]["birth_date"], found["repaired"]) == (right, repaired)


def brightness(image: Image.Image, place: tuple[int, int]) -> float:
    colour: Any = image.getpixel(place)
    return float(sum(colour)) / 3
