"""What OCR found on a page as cells: level where the page still slopes or bends away once it is turned upright.

`reading.ocr` turns and straightens a page as a whole. What perspective leaves is taken from the lines themselves: the
way from the first to the last word of each.
"""

from array import array
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, get_args

from ecosystem.services.creditx.reading.layout import APART, Box, Cell, Frame, Turn, Word, union

_WORDS_MAX, _WORD_CHARACTERS_MAX = 100_000, 1_000
_LONG_HEIGHTS = 6.0
_LEVEL_LINES_MIN = 4
_SLOPE_MAX, _SLOPE_LEAST, _OUTLIER = 0.25, 0.001, 0.05


def cells_of(page_text: Mapping[str, Any]) -> tuple[Frame, list[Cell]]:
    """The frame of a page text (`reading.ocr`) and its cells. A box without area counts as one unit high and wide."""
    lines = [words for line in page_text["lines"] if (words := _words(line))]
    turned = int(page_text.get("rotation_degrees", 0)) % 360
    turn: Turn = next((known for known in get_args(Turn) if known == turned), 0)
    frame = Frame(
        int(page_text["page"]), float(page_text.get("width", 0)), float(page_text.get("height", 0)), "ocr", turn
    )
    slope, bend = _level([[word.place for _, word in words] for words in lines], frame)
    middle = frame.width / 2 if turn in (0, 180) else frame.height / 2
    return frame, [cell for words in lines for cell in _cells(_levelled(words, slope, bend, middle), frame)]


_Read = tuple[str, Word]


def _words(line: Mapping[str, Any]) -> list[_Read]:
    """Words with place and confidence; a line without words is one word."""
    found = []
    for word in (line.get("words") or [line])[:_WORDS_MAX]:
        text = " ".join(word["text"][:_WORD_CHARACTERS_MAX].split())
        shown = _with_area(word["box"])
        if text:
            place = _with_area(word.get("upright") or word["box"])
            found.append((text, Word(place, shown, float(word.get("confidence", 0.0)))))
    return found


def _with_area(box: Sequence[float]) -> Box:
    left, top, right, bottom = (float(edge) for edge in box)
    return (left, top, max(right, left + 1.0), max(bottom, top + 1.0))


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _levelled(words: list[_Read], slope: float, bend: float, middle: float) -> list[_Read]:
    if abs(slope) < _SLOPE_LEAST and not bend:
        return words
    return [(text, _lifted(word, slope, bend, middle)) for text, word in words]


def _lifted(word: Word, slope: float, bend: float, middle: float) -> Word:
    left, top, right, bottom = word.place
    x, y = _middle(word.place)
    drop = (slope + bend * y) * (x - middle)
    return Word((left, top - drop, right, bottom - drop), word.shown, word.confidence)


def _level(lines: list[list[Box]], frame: Frame) -> tuple[float, float]:
    """A line at the height y falls by slope + bend × y for each unit to the right: least squares over the long ones."""
    width = frame.width if frame.turn in (0, 180) else frame.height
    slopes: list[tuple[float, float]] = []
    for boxes in lines:
        (x0, y0), (x1, y1) = _middle(boxes[0]), _middle(boxes[-1])
        height = sum(box[3] - box[1] for box in boxes) / len(boxes)
        if x1 - x0 > _LONG_HEIGHTS * height and abs(y1 - y0) < _SLOPE_MAX * (x1 - x0):
            slope = (y1 - y0) / (x1 - x0)
            slopes.append((y0 - slope * (x0 - width / 2), slope))
    if len(slopes) < _LEVEL_LINES_MIN:
        return 0.0, 0.0
    # Half of them may be wrong without harm: those far from the median are left out.
    median = sorted(slope for _, slope in slopes)[len(slopes) // 2]
    slopes = [(y, slope) for y, slope in slopes if abs(slope - median) < _OUTLIER]
    mean_y = sum(y for y, _ in slopes) / len(slopes)
    mean = sum(slope for _, slope in slopes) / len(slopes)
    spread = sum((y - mean_y) ** 2 for y, _ in slopes)
    apart = max(y for y, _ in slopes) - min(y for y, _ in slopes)
    if len(slopes) < 2 * _LEVEL_LINES_MIN or apart < width / 4:
        return mean, 0.0
    bend = sum((y - mean_y) * (slope - mean) for y, slope in slopes) / spread
    return mean - bend * mean_y, bend


def _cells(words: list[_Read], frame: Frame) -> list[Cell]:
    """The words of one line, parted where they stand apart."""
    groups = [[words[0]]]
    for (_, before), (text, word) in pairwise(words):
        height = max(word.place[3] - word.place[1], before.place[3] - before.place[1])
        if word.place[0] - before.place[2] > APART * height:
            groups.append([])
        groups[-1].append((text, word))
    return [_cell(group, frame) for group in groups]


def _cell(group: list[_Read], frame: Frame) -> Cell:
    lefts: list[float] = []
    rights: list[float] = []
    for text, word in group:
        left, _, right, _ = word.place
        if lefts:
            lefts.append(rights[-1])
            rights.append(left)
        each = (right - left) / len(text)
        lefts += [left + each * position for position in range(len(text))]
        rights += [left + each * (position + 1) for position in range(len(text))]
    words = tuple(word for _, word in group)
    text = " ".join(text for text, _ in group)
    place = union(word.place for word in words)
    return Cell(text, frame, place, array("f", lefts), array("f", rights), words)
