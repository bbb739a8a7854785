"""Text lines in pixels, by RapidOCR's bundled models (PP-OCRv6): where they are, and what they say, letter by letter.

We drive the two models ourselves rather than through `RapidOCR.__call__`: it shrinks a page before it cuts lines out
of it, and keeps neither where a letter stands nor how sure each one is.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Rows, columns, and red, green, blue."""
Corners = NDArray[np.float32]
"""Four points (x, y) around a line: where it begins at its top, ends at its top, ends and begins at its bottom."""

_DETECTION_SIDES_PIXELS = 1088, 1536
"""A4 at 130 dpi. *Measured*: finds 6 point print as well as 2000 pixels do, in half the time and memory."""
_SCALE_MAX = 2.0
_TILE_PIXELS, _OVERLAP_PIXELS, _EDGE_PIXELS = 1536, 160, 6
_LINE_HEIGHT_PIXELS, _LINE_WIDTH_PIXELS_MAX = 48, 4800
_BATCH_PIXELS = 2400
"""Lines of about the same length are read together, this much width at a time."""
_BLANK = 0
_SPACE_PROBABILITY = 0.03
"""Between two letters. *Measured* on 10,000 pairs: 0.01 is never reached where no space is, 0.3 always where one is;
on enlarged scans the model prefers the blank to some spaces, at 0.08 and more for the space."""


@dataclass(frozen=True)
class Letter:
    """One character with its extent along the line, from 0 (begin) to 1 (end)."""

    text: str
    begin: float
    end: float
    confidence: float


class Engine:
    """Loads the models (about a second, 130 MB); after that it opens no files and has no threads."""

    def __init__(self) -> None:
        from rapidocr import RapidOCR

        cv2.setNumThreads(1)
        engine = RapidOCR(
            params={
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                "Global.use_cls": False,
                # No page grows: by default the short side of a narrow one becomes 736 pixels, the long one thousands.
                "Det.limit_side_len": 32,
                "Global.log_level": "critical",
            }
        )
        sample = np.full((64, 320, 3), 255, np.uint8)
        cv2.putText(sample, "Prepared", (8, 48), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (0, 0, 0), 3)
        engine(sample)
        parts: Any = engine
        self._detector, self._recogniser = parts.text_det, parts.text_rec
        self._characters = [_plain(text) for text in self._recogniser.postprocess_op.character]
        self._space = self._characters.index(" ")

    def detect(self, pixels: Pixels) -> list[Corners]:
        """The lines, whichever way they run; the first corner is the top left one of the image."""
        scale = _detection_scale(*pixels.shape[:2])
        small = pixels
        if scale != 1:
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
            small = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how), np.uint8)
        tiles = _tiles(*small.shape[:2])
        found = [(tile.cuts(line), line) for tile in tiles for line in self._detect_in(small, tile)]
        lines = [line for cut, line in found if not cut]
        lines += [line for cut, line in found if cut]
        if len(tiles) > 1:
            lines = _each_once(lines)
        return [line / np.float32(scale) for line in lines]

    def _detect_in(self, pixels: Pixels, tile: "Tile") -> list[Corners]:
        part = pixels[tile.top : tile.bottom, tile.left : tile.right, ::-1]
        found = self._detector(np.ascontiguousarray(part))
        lines = [] if found.boxes is None else [np.asarray(box, np.float32) for box in found.boxes]
        return [line + np.array([tile.left, tile.top], np.float32) for line in lines]

    def read(self, lines: Sequence[Pixels]) -> list[list[Letter]]:
        """The letters of each upright picture of a line."""
        widths = [min(_LINE_WIDTH_PIXELS_MAX, max(8, _width_at_height(line))) for line in lines]
        answers: list[list[Letter]] = [[] for _ in lines]
        batch: list[int] = []
        for index in sorted(range(len(lines)), key=lambda index: widths[index]):
            if batch and widths[index] * (len(batch) + 1) > _BATCH_PIXELS:
                self._read_batch(lines, widths, batch, answers)
                batch = []
            batch.append(index)
        if batch:
            self._read_batch(lines, widths, batch, answers)
        return answers

    def _read_batch(
        self, lines: Sequence[Pixels], widths: Sequence[int], batch: Sequence[int], answers: list[list[Letter]]
    ) -> None:
        total = max(320, *(widths[index] for index in batch))
        images = np.zeros((len(batch), 3, _LINE_HEIGHT_PIXELS, total), np.float32)
        for place, index in enumerate(batch):
            scaled = cv2.resize(lines[index], (widths[index], _LINE_HEIGHT_PIXELS), interpolation=cv2.INTER_AREA)
            images[place, :, :, : widths[index]] = scaled[..., ::-1].transpose(2, 0, 1) / np.float32(127.5) - 1
        for index, probabilities in zip(batch, self._recogniser.session(images), strict=True):
            answers[index] = self._letters(probabilities, total / widths[index])

    def _letters(self, probabilities: NDArray[np.float32], stretch: float) -> list[Letter]:
        """Greedy CTC: equal neighbours are one character, the blank parts two. `stretch`: padding behind the line."""
        best = probabilities.argmax(axis=1)
        columns = len(best)
        letters: list[Letter] = []
        begin = last = 0
        while begin < columns:
            end = begin + 1
            while end < columns and best[end] == best[begin]:
                end += 1
            if best[begin] != _BLANK:
                confidence = float(probabilities[begin:end, best[begin]].max())
                extent = (begin / columns * stretch, end / columns * stretch)
                if letters and probabilities[last:begin, self._space].max(initial=0) >= _SPACE_PROBABILITY:
                    letters.append(Letter(" ", last / columns * stretch, extent[0], 1.0))
                letters.append(Letter(self._characters[best[begin]], *extent, confidence))
                last = end
            begin = end
        return [letter for place, letter in enumerate(letters) if not _beside_filler(letters, place)]


@dataclass(frozen=True)
class Tile:
    """A part of a page that is far longer than wide (or wider than long).

    `inner`: where on `axis` (0 across, 1 down) its edges lie within the page.
    """

    left: int
    top: int
    right: int
    bottom: int
    axis: int = 0
    inner: tuple[int, ...] = ()

    def cuts(self, line: Corners) -> bool:
        """Whether the line may go on in the next tile."""
        low, high = line[:, self.axis].min(), line[:, self.axis].max()
        return any(low - _EDGE_PIXELS <= edge <= high + _EDGE_PIXELS for edge in self.inner)


def _detection_scale(height: int, width: int) -> float:
    """Pages become A4 at 130 dpi, also those of fewer pixels; what is far longer than wide goes by its width."""
    short, long = sorted((height, width))
    across = _DETECTION_SIDES_PIXELS[0] / short
    if long > 2 * short:
        return min(across, 1.0)
    return min(across, _DETECTION_SIDES_PIXELS[1] / long, _SCALE_MAX)


def _tiles(height: int, width: int) -> list[Tile]:
    length = max(height, width)
    if length <= _TILE_PIXELS * 1.2:
        return [Tile(0, 0, width, height)]
    # Lines run along a wide page: where one is cut, the next tile has most of it.
    step = _TILE_PIXELS - (_OVERLAP_PIXELS if height >= width else _TILE_PIXELS // 2)
    tiles = []
    for begin in range(0, length - (_TILE_PIXELS - step), step):
        end = min(begin + _TILE_PIXELS, length)
        inner = tuple(edge for edge in (begin, end) if 0 < edge < length)
        tall = height >= width
        tiles.append(Tile(0, begin, width, end, 1, inner) if tall else Tile(begin, 0, end, height, 0, inner))
    return tiles


def _each_once(lines: Sequence[Corners]) -> list[Corners]:
    kept: list[Corners] = []
    for line in lines:
        if not any(_lies_on(line, other) for other in kept):
            kept.append(line)
    return kept


def _lies_on(line: Corners, other: Corners) -> bool:
    """Whether two tiles found the same line, one of them perhaps a part of it only."""
    low = np.maximum(line.min(axis=0), other.min(axis=0))
    high = np.minimum(line.max(axis=0), other.max(axis=0))
    shared = np.prod(np.clip(high - low, 0, None))
    return bool(shared > 0.5 * np.prod(np.ptp(line, axis=0)))


def _beside_filler(letters: Sequence[Letter], place: int) -> bool:
    """A space beside `<`, which fills machine-readable lines at even distances and stands in no other text."""
    around = letters[max(place - 1, 0) : place + 2]
    return letters[place].text == " " and any(letter.text == "<" for letter in around)


def _plain(text: str) -> str:
    """The wide forms of ASCII, as they are set between Chinese characters, become ASCII; lone accents apostrophes."""
    if text in ("`", "´"):
        return "'"
    return unicodedata.normalize("NFKC", text) if "！" <= text <= "～" else text


def _width_at_height(line: Pixels) -> int:
    height, width = line.shape[:2]
    return int(width * _LINE_HEIGHT_PIXELS / max(height, 1))


def cut_out(pixels: Pixels, corners: Corners) -> Pixels:
    """The line as an upright rectangle."""
    width = max(np.linalg.norm(corners[0] - corners[1]), np.linalg.norm(corners[3] - corners[2]))
    height = max(np.linalg.norm(corners[0] - corners[3]), np.linalg.norm(corners[1] - corners[2]))
    size = (max(4, round(float(width))), max(4, round(float(height))))
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    cut = cv2.warpPerspective(pixels, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)
