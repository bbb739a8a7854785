"""Pages without a text layer, read from their pixels: lines and words with their places, and codes. In the sandbox.

One page is `{"page", "width", "height", "unit", "engine", "rotation_degrees", "skew_degrees", "upright_width",
"upright_height", "confidence", "lines", "barcodes", "seconds"}`, a line `{"text", "box", "upright", "confidence",
"words"}`, a word the same without words (a box to tick is the word `☐` or `☒`), a barcode
`{"symbology", "text", "box"}`. `unit` is `point` (PDF) or `pixel`.
A `box` is left, top, right, bottom on the page as shown. `upright` is the same on the page as it would lie if it were
turned and straightened (`rotation_degrees` + `skew_degrees` clockwise): there, what stands in one row has one height.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ecosystem.services.creditx.reading.images.barcodes import barcodes_on
from ecosystem.services.creditx.reading.images.decoding import Picture, pictures, prepare
from ecosystem.services.creditx.reading.images.lighting import evened
from ecosystem.services.creditx.reading.images.outline import outline_of
from ecosystem.services.creditx.reading.images.recognition import Corners, Engine, Letter, Pixels, cut_out
from ecosystem.services.creditx.reading.images.straightening import (
    Matrix,
    lies_on_its_side,
    skew_of,
    squared,
    through,
    turned,
    upright_from,
)
from ecosystem.services.creditx.reading.images.tesseract import Tesseract, turned_back, turned_pixels
from ecosystem.services.creditx.reading.images.tick_boxes import with_boxes

PAGES_MAX = 4
_LINES_MAX = 600
_LINE_CONFIDENCE_MIN = 0.5
_APART_HEIGHTS = 1.2
_BEFORE_HEIGHTS, _AFTER_HEIGHTS = 0.2, 0.1
_ABOVE, _BELOW = 0.2, 0.05
"""The detector's lines have air around them, and the model sees a letter at its middle. *Measured* on scans, photos and
faxes against the true boxes, in heights of a line."""
_SMALL_SHEET, _AROUND_PIXELS = 0.7, 16
"""A sheet that fills less of its photograph is looked at for itself."""
_PROBED_LINES, _PROBE_CONFIDENCE = 6, 0.9
_Lines = Sequence[tuple[Corners, Sequence[Letter]]]
_Reader = Callable[[Pixels, Corners | None], tuple[str, int, _Lines]]
"""From the pixels of a page, and its sheet's corners where they are seen, to the engine's name, how far the page must
be turned clockwise, and its lines."""
_readers: dict[str, _Reader] = {}


def prepare_sandbox() -> None:
    """Load the models: a worker cannot open files."""
    if not _readers:
        prepare()
        _readers["auto"] = _readers["rapidocr"] = partial(_by_rapidocr, Engine())
        _read(_readers["auto"], Picture(1, Image.new("RGB", (64, 64), "white"), 64.0, 64.0, "pixel"))


def prepare_tesseract() -> None:
    """Raises TesseractAbsent."""
    if "tesseract" not in _readers:
        _readers["tesseract"] = partial(_by_tesseract, Tesseract())


def read_pages(payload: bytes, *, media_type: str, pages: Sequence[int], engine: str = "auto") -> list[dict[str, Any]]:
    """The pages (from 1, at most `PAGES_MAX`) in the order asked. `engine`: `auto` (RapidOCR), `rapidocr`, or
    `tesseract` where the machine has it.

    Raises OSError, ValueError or PdfiumError where a page cannot be made into pixels, TesseractAbsent.
    """
    prepare_sandbox()
    if engine == "tesseract":
        prepare_tesseract()
    if len(pages) > PAGES_MAX or engine not in _readers:
        raise ValueError("at most 4 pages, by an engine that is known")
    return [_read(_readers[engine], picture) for picture in pictures(payload, media_type, pages)]


def _read(reader: _Reader, picture: Picture) -> dict[str, Any]:
    started = time.perf_counter()
    pixels = np.asarray(picture.image, np.uint8)
    outline = outline_of(pixels)
    codes = barcodes_on(pixels)
    engine, rotation, lines = reader(pixels, outline)
    lines = with_boxes(pixels, lines, [corners for _, _, corners in codes])
    skew = skew_of([line for line, _ in lines], rotation)
    upright, width, height = upright_from(picture.width, picture.height, rotation, skew)
    if outline is not None:
        scale = np.float32(picture.scale)
        upright = squared(upright, outline * scale, [line * scale for line, _ in lines])
    place = _Place(picture.scale, upright)
    written = [
        answer
        for line, letters in lines
        for cell in _apart(letters, _height(line) / max(_length(line), 1.0))
        if (answer := _line(place, line, cell))
    ]
    written.sort(key=lambda line: (line["upright"][1] + line["upright"][3], line["upright"][0]))
    characters = sum(len(line["text"]) for line in written)
    return {
        "page": picture.page, "width": round(picture.width, 1), "height": round(picture.height, 1),
        "unit": picture.unit, "engine": engine, "rotation_degrees": rotation, "skew_degrees": skew,
        "upright_width": round(width, 1), "upright_height": round(height, 1),
        "confidence": round(sum(line["confidence"] * len(line["text"]) for line in written) / max(characters, 1), 3),
        "lines": written,
        "barcodes": [
            {"symbology": symbology, "text": text, "box": place.box(corners)}
            for symbology, text, corners in codes
        ],
        "seconds": round(time.perf_counter() - started, 2),
    }  # fmt: skip


def _by_rapidocr(engine: Engine, pixels: Pixels, outline: Corners | None) -> tuple[str, int, _Lines]:
    pixels = evened(pixels, outline)
    found = sorted(_detected(engine, pixels, outline), key=lambda line: -_length(line))[:_LINES_MAX]
    return "rapidocr", *_read_upright(engine, pixels, found)


def _detected(engine: Engine, pixels: Pixels, outline: Corners | None) -> list[Corners]:
    """The lines; those of a sheet that is small on its photograph are looked for on the sheet alone, where they are
    larger. What was found beside it stays: an outline may be that of a stamp, and there may be two cards."""
    found = engine.detect(pixels)
    height, width = pixels.shape[:2]
    if outline is None:
        return found
    left, top = np.maximum(outline.min(axis=0).astype(int) - _AROUND_PIXELS, 0)
    right, bottom = outline.max(axis=0).astype(int) + _AROUND_PIXELS
    if (right - left) * (bottom - top) > _SMALL_SHEET * width * height:
        return found
    nearer = engine.detect(np.ascontiguousarray(pixels[top:bottom, left:right]))
    corner, within = np.array([left, top], np.float32), np.ascontiguousarray(outline)
    beside = [line for line in found if not _inside(line, within)]
    return [line + corner for line in nearer if _inside(line + corner, within)] + beside


def _inside(line: Corners, outline: Corners) -> bool:
    x, y = line.mean(axis=0).tolist()
    return cv2.pointPolygonTest(outline, (x, y), measureDist=False) >= 0


def _by_tesseract(engine: Tesseract, pixels: Pixels, _: Corners | None) -> tuple[str, int, _Lines]:
    rotation = engine.rotation(pixels)
    lines = engine.page(turned_pixels(pixels, rotation))[:_LINES_MAX]
    return "tesseract", rotation, [(turned_back(line, pixels, rotation), letters) for line, letters in lines]


def _read_upright(
    engine: Engine, pixels: Pixels, found: Sequence[Corners]
) -> tuple[int, list[tuple[Corners, list[Letter]]]]:
    """How far the page must be turned, and each line read that way up."""
    if not found:
        return 0, []
    first = 90 if lies_on_its_side(found) else 0
    probed = found[len(found) // 4 :][:_PROBED_LINES]
    sure = _confidence(engine, pixels, probed, first)
    rotation = first
    if sure < _PROBE_CONFIDENCE and _confidence(engine, pixels, probed, first + 180) > sure:
        rotation = first + 180
    lines = [turned(line, rotation) for line in found]
    return rotation, list(zip(lines, engine.read([cut_out(pixels, line) for line in lines]), strict=True))


def _confidence(engine: Engine, pixels: Pixels, lines: Sequence[Corners], rotation: int) -> float:
    read = engine.read([cut_out(pixels, turned(line, rotation)) for line in lines])
    letters = [letter.confidence for line in read for letter in line]
    return float(np.mean(letters)) if letters else 0.0


class _Place:
    """From pixels to boxes in the page's units."""

    def __init__(self, scale: float, upright: Matrix) -> None:
        self._scale, self._upright = scale, upright

    def box(self, points: NDArray[np.float64]) -> list[float]:
        return _around(points * self._scale)

    def upright(self, points: NDArray[np.float64]) -> list[float]:
        return _around(through(self._upright, points * self._scale))


def _line(place: _Place, corners: Corners, letters: Sequence[Letter]) -> dict[str, Any] | None:
    height = _height(corners) / max(_length(corners), 1.0)
    extents = [_extent(word, height) for word in _words(letters)]
    words = [_word(place, corners, word, extent) for word, extent in zip(_words(letters), extents, strict=True)]
    if not words:
        return None
    confidence = sum(word["confidence"] * len(word["text"]) for word in words) / sum(len(w["text"]) for w in words)
    if confidence < _LINE_CONFIDENCE_MIN:
        return None
    whole = _part(corners, extents[0][0], extents[-1][1])
    return {
        "text": " ".join(word["text"] for word in words), "box": place.box(whole), "upright": place.upright(whole),
        "confidence": round(confidence, 3), "words": words,
    }  # fmt: skip


def _apart(letters: Sequence[Letter], height: float) -> Iterator[list[Letter]]:
    """The detector may take neighbouring columns for one line; `height` of the line is given in its lengths."""
    cell: list[Letter] = []
    for letter in letters:
        if letter.text.isspace() and not cell:
            continue
        written = [other for other in cell[-2:] if not other.text.isspace()]
        if not letter.text.isspace() and written and letter.begin - written[-1].end > _APART_HEIGHTS * height:
            yield cell
            cell = []
        cell.append(letter)
    while cell and cell[-1].text.isspace():
        cell.pop()
    if cell:
        yield cell


def _words(letters: Sequence[Letter]) -> Iterator[list[Letter]]:
    word: list[Letter] = []
    for letter in letters:
        if letter.text.isspace():
            if word:
                yield word
            word = []
        else:
            word.append(letter)
    if word:
        yield word


def _extent(letters: Sequence[Letter], height: float) -> tuple[float, float]:
    """Where a word begins and ends along its line, whose `height` is given in its lengths."""
    return max(0.0, letters[0].begin - _BEFORE_HEIGHTS * height), min(1.0, letters[-1].end + _AFTER_HEIGHTS * height)


def _word(place: _Place, corners: Corners, letters: Sequence[Letter], extent: tuple[float, float]) -> dict[str, Any]:
    points = _part(corners, *extent)
    return {
        "text": "".join(letter.text for letter in letters),
        "box": place.box(points),
        "upright": place.upright(points),
        "confidence": round(float(np.mean([letter.confidence for letter in letters])), 3),
    }


def _part(corners: Corners, begin: float, end: float) -> NDArray[np.float64]:
    """The corners of what is written between `begin` and `end` along a line."""
    left, right = corners[3] - corners[0], corners[2] - corners[1]
    top = corners[0] + left * _ABOVE, corners[1] + right * _ABOVE
    bottom = corners[3] - left * _BELOW, corners[2] - right * _BELOW
    points = [
        edge[0] + (edge[1] - edge[0]) * along
        for edge, along in ((top, begin), (top, end), (bottom, end), (bottom, begin))
    ]
    return np.array(points, np.float64)


def _around(points: NDArray[np.float64]) -> list[float]:
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0)
    return [round(float(value), 1) for value in (left, top, right, bottom)]


def _height(line: Corners) -> float:
    return float(min(np.linalg.norm(line[1] - line[0]), np.linalg.norm(line[3] - line[0])))


def _length(line: Corners) -> float:
    return float(max(np.linalg.norm(line[1] - line[0]), np.linalg.norm(line[3] - line[0])))
