"""Pages without a text layer, read from their pixels: lines and words with their places, and codes. In the sandbox.

One page is `{"page", "width", "height", "unit", "engine", "rotation_degrees", "skew_degrees", "upright_width",
"upright_height", "confidence", "lines", "barcodes", "seconds"}`, a line `{"text", "box", "upright", "confidence",
"words"}`, a word the same without words, a barcode `{"symbology", "text", "box"}`. `unit` is `point` (PDF) or `pixel`.
A `box` is left, top, right, bottom on the page as shown. `upright` is the same on the page as it would lie if it were
turned and straightened (`rotation_degrees` + `skew_degrees` clockwise): there, what stands in one row has one height.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ecosystem.services.creditx.reading.images.barcodes import barcodes_on
from ecosystem.services.creditx.reading.images.decoding import Picture, pictures, prepare
from ecosystem.services.creditx.reading.images.recognition import Corners, Engine, Letter, Pixels, cut_out
from ecosystem.services.creditx.reading.images.straightening import (
    Matrix,
    lies_on_its_side,
    skew_of,
    through,
    turned,
    upright_from,
)

PAGES_MAX = 4
_LINES_MAX = 600
_LINE_CONFIDENCE_MIN = 0.5
_APART_HEIGHTS = 1.2
_PROBED_LINES, _PROBE_CONFIDENCE = 6, 0.9
_engine: Engine | None = None


def prepare_sandbox() -> None:
    """Load the models: a worker cannot open files."""
    global _engine
    if _engine is None:
        prepare()
        _engine = Engine()
        _read(_engine, Picture(1, Image.new("RGB", (64, 64), "white"), 64.0, 64.0, "pixel"))


def read_pages(payload: bytes, *, media_type: str, pages: Sequence[int], engine: str = "auto") -> list[dict[str, Any]]:
    """The pages (from 1, at most `PAGES_MAX`) in the order asked. `engine`: `auto` or `rapidocr`.

    Raises OSError, ValueError or PdfiumError where a page cannot be made into pixels.
    """
    if len(pages) > PAGES_MAX or engine not in ("auto", "rapidocr"):
        raise ValueError("at most 4 pages, by an engine that is there")
    prepare_sandbox()
    assert _engine is not None
    return [_read(_engine, picture) for picture in pictures(payload, media_type, pages)]


def _read(engine: Engine, picture: Picture) -> dict[str, Any]:
    started = time.perf_counter()
    pixels = np.asarray(picture.image, np.uint8)
    found = sorted(engine.detect(pixels), key=lambda line: -_length(line))[:_LINES_MAX]
    rotation, lines = _read_upright(engine, pixels, found)
    skew = skew_of([line for line, _ in lines], rotation)
    upright, width, height = upright_from(picture.width, picture.height, rotation, skew)
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
        "unit": picture.unit, "engine": "rapidocr", "rotation_degrees": rotation, "skew_degrees": skew,
        "upright_width": round(width, 1), "upright_height": round(height, 1),
        "confidence": round(sum(line["confidence"] * len(line["text"]) for line in written) / max(characters, 1), 3),
        "lines": written,
        "barcodes": [
            {"symbology": symbology, "text": text, "box": place.box(corners)}
            for symbology, text, corners in barcodes_on(pixels)
        ],
        "seconds": round(time.perf_counter() - started, 2),
    }  # fmt: skip


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
    words = [_word(place, corners, word) for word in _words(letters)]
    if not words:
        return None
    confidence = sum(word["confidence"] * len(word["text"]) for word in words) / sum(len(w["text"]) for w in words)
    if confidence < _LINE_CONFIDENCE_MIN:
        return None
    extent = _part(corners, letters[0].begin, letters[-1].end)
    return {
        "text": " ".join(word["text"] for word in words), "box": place.box(extent), "upright": place.upright(extent),
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


def _word(place: _Place, corners: Corners, letters: Sequence[Letter]) -> dict[str, Any]:
    extent = _part(corners, letters[0].begin, letters[-1].end)
    return {
        "text": "".join(letter.text for letter in letters), "box": place.box(extent),
        "upright": place.upright(extent),
        "confidence": round(float(np.mean([letter.confidence for letter in letters])), 3),
    }  # fmt: skip


def _part(corners: Corners, begin: float, end: float) -> NDArray[np.float64]:
    """The corners of what stands between `begin` and `end` along a line."""
    top, bottom = corners[1] - corners[0], corners[2] - corners[3]
    parts = [corners[0] + top * begin, corners[0] + top * end, corners[3] + bottom * end, corners[3] + bottom * begin]
    return np.array(parts, np.float64)


def _around(points: NDArray[np.float64]) -> list[float]:
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0)
    return [round(float(value), 1) for value in (left, top, right, bottom)]


def _height(line: Corners) -> float:
    return float(min(np.linalg.norm(line[1] - line[0]), np.linalg.norm(line[3] - line[0])))


def _length(line: Corners) -> float:
    return float(max(np.linalg.norm(line[1] - line[0]), np.linalg.norm(line[3] - line[0])))
