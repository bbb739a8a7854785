"""Boxes to tick beside words, for which the models have no letters: found in the pixels, told by what is in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecosystem.services.creditx.reading.images.recognition import Corners, Letter, Pixels

EMPTY, TICKED = "☐", "☒"
_HEIGHT_PIXELS, _ABOVE, _BESIDE = 48, 0.4, 2.0
"""A line becomes this high, with so many of its heights above and below it, and before and behind it."""
_HEIGHT_PIXELS_MAX, _LENGTH_MAX, _LONG, _SAME_WAY_COSINE = 400, 120.0, 4.0, 0.9
"""Lines that are higher, or longer in heights, have none. A line that is not long runs as the nearest one that is,
unless it stands on its side or its head."""
_SIDE_MIN, _SIDE_MAX, _SQUARE = 0.3, 1.3, 1.3
"""In heights of the line; and how much longer the longer side may be."""
_STROKE, _EDGE_PIXELS, _EDGE_SHARE = 0.18, 3, 0.6
"""Edges are straight at least this far, in heights; the outermost ones are where so much of so many rows is dark."""
_GAP_PIXELS, _SPECK_PIXELS = 6, 4
"""A fax breaks edges, but not further than this, and adds specks."""
_PAPER_PIXELS = 65
"""Wider than any box, so that the paper beside a filled one is found."""
_DARK, _CONTRAST_MIN = 0.28, 20
_EDGE_DEPTH, _EDGE_MIN, _EDGE_SURE, _EDGE_CLOSED_MIN = 0.13, 0.75, 0.92, 0.8
"""In sides of a box; and shares of an edge that are dark as printed, surely, and once its gaps are closed."""
_CLEAR_PIXELS, _AROUND, _TOUCHED, _BUSY = 2, 0.25, 0.15, 0.4
"""A box stands free: so much of its side around it is paper. A tick may leave it, a rule run below it, not both."""
_CROWDED = 0.6
"""Boxes nearer to each other, in sides, are for a letter each."""
_INSIDE, _EMPTY_MAX, _TICKED_MIN, _FULL = 0.24, 0.04, 0.12, 0.9
"""Inside is what lies this far from the edges, in sides. Shares of it that are dark: empty up to the first, ticked from
the second on. A square that is `_FULL` as a whole may also be the mark of a list."""
_ALIKE = 1.25
_MARKS, _LETTER_SURE = "xXvVyY", 0.8
"""What the model may take a tick for. Any other letter that it is sure of is a letter in a box."""

Line = tuple[Corners, Sequence[Letter]]
_Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class _Place:
    """Where a line lies: its middle, the way along it, and its size, all in pixels of the page."""

    middle: NDArray[Any]
    along: NDArray[Any]
    length: float
    height: float

    @property
    def down(self) -> NDArray[Any]:
        return np.array([-self.along[1], self.along[0]])


@dataclass(frozen=True)
class _Square:
    """On a strip, in its pixels. Shares: `edges` of the worst edge as printed, `dark` of the inside, `full` of all."""

    left: int
    top: int
    width: int
    height: int
    edges: float
    dark: float
    full: float


@dataclass(frozen=True)
class _Box:
    """A square as seen from one line: `begin` and `end` in lengths of the line, `middle` and `side` on the page.

    `away`: how far the nearest word of the line is, in heights. `lettered`: the model is sure of a letter in it.
    """

    line: int
    square: _Square
    begin: float
    end: float
    middle: NDArray[Any]
    side: float
    away: float = 0.0
    lettered: bool = False

    def is_at(self, other: "_Box") -> bool:
        return bool(np.linalg.norm(self.middle - other.middle) < 0.5 * max(self.side, other.side))

    def is_like(self, other: "_Box") -> bool:
        return max(self.side, other.side) < _ALIKE * min(self.side, other.side)

    def covers(self, letter: Letter) -> bool:
        return self.begin < (letter.begin + letter.end) / 2 < self.end

    @property
    def letter(self) -> Letter:
        """Unsure where the outline has gaps, or there is too much inside for an empty box and too little for a tick."""
        middle = (_EMPTY_MAX + _TICKED_MIN) / 2
        told = min(1.0, abs(self.square.dark - middle) / (middle - _EMPTY_MAX))
        seen = min(1.0, (self.square.edges - _EDGE_MIN) / (_EDGE_SURE - _EDGE_MIN))
        text = TICKED if self.square.dark > middle else EMPTY
        return Letter(text, self.begin, self.end, 0.5 + 0.5 * min(told, seen))


def with_boxes(pixels: Pixels, lines: Sequence[Line], codes: Sequence[NDArray[Any]] = ()) -> list[Line]:
    """The lines (as read, beginning where their text begins) with `☐` and `☒` as letters; without boxes the same ones.

    A box is a square outline that stands free, before, behind or between words. Its letter takes the place of what the
    model made of it. Filled squares count where outlined ones as large are on the page. `codes`: the corners of bar
    codes, whose squares are none.
    """
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    places = _places([corners for corners, _ in lines])
    seen = [
        box
        for number, (_, letters) in enumerate(lines)
        for box in _boxes(grey, number, places[number], letters)
        if not any(_within(box, code) for code in codes)
    ]
    taken = _taken(seen)
    answer = list(lines)
    for number in {box.line for box in seen}:
        corners, letters = lines[number]
        own = [box for box in taken if box.line == number]
        covered = [box for box in seen if box.line == number and any(box.is_at(other) for other in taken)]
        rest = [letter for letter in letters if not any(box.covers(letter) for box in covered)]
        if own or len(rest) < len(letters):
            answer[number] = _widened(corners, [*rest, *_words(own)])
    return answer


def _taken(seen: Sequence[_Box]) -> list[_Box]:
    """Each box once, as seen from the line whose word is nearest to it."""
    lettered, outlined = [box for box in seen if box.lettered], [box for box in seen if box.square.full < _FULL]
    taken: list[_Box] = []
    for box in sorted(seen, key=lambda box: box.away):
        drawn = box.square.full < _FULL or any(box.is_like(other) for other in outlined)
        if drawn and box.away <= _BESIDE and not any(box.is_at(other) for other in (*taken, *lettered)):
            taken.append(box)
    return taken


def _within(box: _Box, code: NDArray[Any]) -> bool:
    x, y = box.middle.tolist()
    return cv2.pointPolygonTest(cv2.convexHull(np.asarray(code, np.float32)), (x, y), measureDist=False) >= 0


def _words(boxes: Sequence[_Box]) -> Iterator[Letter]:
    """Each box is a word of its own."""
    for box in boxes:
        yield from (Letter(" ", box.begin, box.begin, 1.0), box.letter, Letter(" ", box.end, box.end, 1.0))


def _widened(corners: Corners, letters: Sequence[Letter]) -> Line:
    """The line with all these letters, those before its begin and behind its end too."""
    begin = min([0.0, *(letter.begin for letter in letters)])
    end = max([1.0, *(letter.end for letter in letters)])
    length = end - begin
    top, bottom = corners[1] - corners[0], corners[2] - corners[3]
    wide = [corners[0] + top * begin, corners[0] + top * end, corners[3] + bottom * end, corners[3] + bottom * begin]
    placed = [
        replace(letter, begin=(letter.begin - begin) / length, end=(letter.end - begin) / length) for letter in letters
    ]
    return np.array(wide, np.float32), sorted(placed, key=lambda letter: letter.begin)


def _places(lines: Sequence[Corners]) -> list[_Place]:
    found = []
    for corners in lines:
        along = (corners[1] - corners[0] + corners[2] - corners[3]) / 2
        height = min(np.linalg.norm(corners[3] - corners[0]), np.linalg.norm(corners[2] - corners[1]))
        length = max(float(np.linalg.norm(along)), 1.0)
        found.append(_Place(corners.mean(axis=0), along / length, length, max(float(height), 1.0)))
    long = [place for place in found if place.length > _LONG * place.height]
    for number, place in enumerate(found):
        if long and place.length <= _LONG * place.height:
            nearest = min(long, key=lambda other: float(np.linalg.norm(other.middle - place.middle)))
            if nearest.along @ place.along > _SAME_WAY_COSINE:
                found[number] = replace(place, along=nearest.along)
    return found


def _boxes(grey: _Mask, line: int, place: _Place, letters: Sequence[Letter]) -> Iterator[_Box]:
    """The boxes on one line and beside it, but not those in a row without words between them."""
    if place.height > _HEIGHT_PIXELS_MAX or place.length > _LENGTH_MAX * place.height:
        return
    found = sorted(_all_boxes(grey, line, place, letters), key=lambda box: box.begin)
    blank = [box for box in found if not box.lettered]
    crowded = {
        box.begin
        for one, other in pairwise(blank)
        for box in (one, other)
        if (other.begin - one.end) * place.length < _CROWDED * one.side
    }
    yield from (box for box in found if box.begin not in crowded)


def _all_boxes(grey: _Mask, line: int, place: _Place, letters: Sequence[Letter]) -> Iterator[_Box]:
    unit = place.height / _HEIGHT_PIXELS
    corner = -place.along * (place.length / 2 + _BESIDE * place.height) - place.down * place.height * (0.5 + _ABOVE)
    written = [letter for letter in letters if letter.text.isalnum()]
    for square in _squares(_dark(_strip(grey, place, place.middle + corner))):
        begin = (square.left * unit - _BESIDE * place.height) / place.length
        end = begin + square.width * unit / place.length
        middle = place.along * (square.left + square.width / 2) + place.down * (square.top + square.height / 2)
        box = _Box(line, square, begin, end, place.middle + corner + unit * middle, square.width * unit)
        sure = (letter.text for letter in written if box.covers(letter) and letter.confidence >= _LETTER_SURE)
        gaps = (max(one.begin - end, begin - one.end) for one in written if not box.covers(one))
        away = max(0.0, min(gaps, default=float("inf"))) * place.length / place.height
        yield replace(box, away=away, lettered=any(text not in _MARKS for text in sure))


def _strip(grey: _Mask, place: _Place, corner: NDArray[Any]) -> _Mask:
    """The line with its surroundings, upright, `_HEIGHT_PIXELS` to its height. `corner`: its first on the page."""
    scale = max(1.0, _HEIGHT_PIXELS / place.height)
    across, down = place.length + 2 * _BESIDE * place.height, place.height * (1 + 2 * _ABOVE)
    size = (max(8, round(across * scale)), max(8, round(down * scale)))
    # From pixels of the strip to those of the page.
    matrix = np.column_stack([place.along / scale, place.down / scale, corner])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    strip = cv2.warpAffine(grey, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    factor = _HEIGHT_PIXELS / (place.height * scale)
    if factor < 1:
        strip = cv2.resize(strip, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(strip, np.uint8)


def _dark(strip: _Mask) -> _Mask:
    """1 where there is print, whatever the light; specks are none."""
    paper = cv2.morphologyEx(strip, cv2.MORPH_CLOSE, np.ones((_PAPER_PIXELS, _PAPER_PIXELS), np.uint8))
    below = cv2.subtract(paper, strip)
    dark = np.asarray(below > max(_CONTRAST_MIN, _DARK * float(np.percentile(below[::2, ::2], 99))), np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    kept = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) > _SPECK_PIXELS
    kept[0] = False
    return np.asarray(kept[labels], np.uint8)


def _squares(dark: _Mask) -> list[_Square]:
    """Square outlines that stand free."""
    straight = _straight(dark)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(straight, connectivity=8)
    small, large = (round(side * _HEIGHT_PIXELS) for side in (_SIDE_MIN, _SIDE_MAX))
    found = []
    for number, (left, top, width, height, _) in enumerate(stats[1:count].tolist(), 1):
        if min(width, height) < small or max(width, height) > 2 * large:
            continue
        rows, columns = slice(top, top + height), slice(left, left + width)
        square = _framed(dark, np.asarray(labels[rows, columns] == number, np.uint8), left, top)
        if square is not None and small <= min(square.width, square.height) and square.width <= large:
            found.append(square)
    return found


def _framed(dark: _Mask, shape: _Mask, left: int, top: int) -> _Square | None:
    """What is between the outermost edges of a shape, which stands so far from left and top, where that is a box."""
    down = _between(shape.mean(axis=1))
    across = _between(shape[down].mean(axis=0))
    shape, left, top = shape[down, across], left + across.start, top + down.start
    height, width = shape.shape
    # What touches the end of the strip may go on beside it.
    ends = left < _CLEAR_PIXELS or left + width > dark.shape[1] - _CLEAR_PIXELS
    if ends or not 1 / _SQUARE <= width / max(height, 1) <= _SQUARE:
        return None
    return _measured(dark, shape, left, top)


def _between(shares: NDArray[Any]) -> slice:
    """From the first edge to the last, an edge being a few rows that are dark together for most of their length."""
    edges = np.flatnonzero(np.convolve(shares, np.ones(_EDGE_PIXELS), "same") >= _EDGE_SHARE)
    rows = np.flatnonzero(shares >= _EDGE_SHARE / _EDGE_PIXELS)
    rows = rows[(rows >= edges[0]) & (rows <= edges[-1])] if len(edges) else rows[:0]
    return slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, 0)


def _straight(dark: _Mask) -> _Mask:
    """What runs straight across or down: outlines without the ticks in them, and little of letters."""
    length = round(_STROKE * _HEIGHT_PIXELS)
    found = np.zeros_like(dark)
    for gap, run in (((1, _GAP_PIXELS), (1, length)), ((_GAP_PIXELS, 1), (length, 1))):
        whole = cv2.morphologyEx(dark, cv2.MORPH_CLOSE, np.ones(gap, np.uint8))
        found |= np.asarray(cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones(run, np.uint8)), np.uint8)
    return found


def _measured(dark: _Mask, shape: _Mask, left: int, top: int) -> _Square | None:
    """None unless all four edges and corners are there, and it stands free."""
    height, width = shape.shape
    whole = dark[top : top + height, left : left + width]
    depth = max(2, round(_EDGE_DEPTH * min(width, height)))
    printed, closed = _edges(whole, depth), _edges(shape, depth)
    ends = slice(None, depth), slice(-depth, None)
    corners = all(shape[down, across].any() for down in ends for across in ends)
    if not corners or printed < _EDGE_MIN or closed < _EDGE_CLOSED_MIN:
        return None
    if not _stands_free(dark, left, top, width, height):
        return None
    inner_x, inner_y = round(_INSIDE * width), round(_INSIDE * height)
    inside = whole[inner_y : height - inner_y, inner_x : width - inner_x]
    return _Square(left, top, width, height, printed, float(inside.mean()), float(whole.mean()))


def _edges(mask: _Mask, depth: int) -> float:
    """The share of the worst of four edges that is dark within this depth."""
    bands = mask[:depth], mask[-depth:], mask[:, :depth].T, mask[:, -depth:].T
    return min(float(band.any(axis=0).mean()) for band in bands)


def _stands_free(dark: _Mask, left: int, top: int, width: int, height: int) -> bool:
    clear, around = _CLEAR_PIXELS, _CLEAR_PIXELS + max(2, round(_AROUND * min(width, height)))
    rows, columns = slice(top, top + height), slice(left, left + width)
    before = dark[rows, max(left - around, 0) : max(left - clear, 0)].T
    behind = dark[rows, left + width + clear : left + width + around].T
    above = dark[max(top - around, 0) : max(top - clear, 0), columns]
    below = dark[top + height + clear : top + height + around, columns]
    shares = [float(side.any(axis=0).mean()) if side.size else 0.0 for side in (before, behind, above, below)]
    return max(shares[:2]) <= _BUSY and sum(share > _TOUCHED for share in shares) <= 1
