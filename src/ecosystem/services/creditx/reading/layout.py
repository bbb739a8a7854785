"""Lines of cells: pieces of text that stand apart, each with its place, wherever the text came from.

A cell knows where each of its characters stands, so that a part of it has a box of its own. Its `place` is where it
stands once the text is turned upright and level; its `box` is on the page as shown: left, top, right, bottom from the
top left corner, in the page's unit.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Box = tuple[float, float, float, float]
Method = Literal["text_layer", "ocr"]
Turn = Literal[0, 90, 180, 270]

APART = 1.2
"""Cells stand apart by more than this many line heights; words of one cell by less."""
_TOGETHER, _WORD_GAP = 0.6, 0.18
_SAME_LINE = 0.45
CELLS_MAX = 100_000


@dataclass(frozen=True)
class Frame:
    """How the upright text lies on the page as shown: turned clockwise by `turn`.

    `hidden`: a text layer that is never painted, as programs put what they read behind a scan.
    """

    page: int
    width: float
    height: float
    method: Method = "text_layer"
    turn: Turn = 0
    hidden: bool = False

    @property
    def upright_height(self) -> float:
        return self.height if self.turn in (0, 180) else self.width

    def upright(self, box: Box) -> Box:
        left, top, right, bottom = box
        match self.turn:
            case 90:
                return (top, self.width - right, bottom, self.width - left)
            case 180:
                return (self.width - right, self.height - bottom, self.width - left, self.height - top)
            case 270:
                return (self.height - bottom, left, self.height - top, right)
            case _:
                return box

    def shown(self, place: Box) -> Box:
        left, top, right, bottom = place
        match self.turn:
            case 90:
                return (self.width - bottom, left, self.width - top, right)
            case 180:
                return (self.width - right, self.height - bottom, self.width - left, self.height - top)
            case 270:
                return (top, self.height - right, bottom, self.height - left)
            case _:
                return place


@dataclass(frozen=True, slots=True)
class Word:
    """A word as OCR read it: its place, its box on the page as shown (turned, sloping), and how sure it is."""

    place: Box
    shown: Box
    confidence: float

    def between(self, left: float, right: float, turn: Turn) -> Box:
        """The part of the box that stands between two edges of the place."""
        width = max(self.place[2] - self.place[0], 0.1)
        start = min(max((left - self.place[0]) / width, 0.0), 1.0)
        end = min(max((right - self.place[0]) / width, start), 1.0)
        x0, y0, x1, y1 = self.shown
        match turn:
            case 90:
                return (x0, y0 + (y1 - y0) * start, x1, y0 + (y1 - y0) * end)
            case 180:
                return (x1 - (x1 - x0) * end, y0, x1 - (x1 - x0) * start, y1)
            case 270:
                return (x0, y1 - (y1 - y0) * end, x1, y1 - (y1 - y0) * start)
            case _:
                return (x0 + (x1 - x0) * start, y0, x0 + (x1 - x0) * end, y1)


@dataclass(slots=True, eq=False)
class Cell:
    """`lefts` and `rights` hold the edges of each character of `text`, `words` (OCR) what it was read as."""

    text: str
    frame: Frame
    place: Box
    lefts: "array[float]"
    rights: "array[float]"
    words: tuple[Word, ...] = ()

    @property
    def page(self) -> int:
        return self.frame.page

    @property
    def box(self) -> Box:
        turn = self.frame.turn
        boxes = [word.between(self.left, self.right, turn) for word in self.words]
        left, top, right, bottom = union(boxes) if boxes else self.frame.shown(self.place)
        return (round(left, 1), round(top, 1), round(right, 1), round(bottom, 1))

    @property
    def confidence(self) -> float:
        """Of the word that is least sure; 1 where nothing had to be recognised."""
        return min((word.confidence for word in self.words), default=1.0)

    @property
    def left(self) -> float:
        return self.place[0]

    @property
    def right(self) -> float:
        return self.place[2]

    @property
    def height(self) -> float:
        return self.place[3] - self.place[1]

    @property
    def middle(self) -> float:
        return (self.place[1] + self.place[3]) / 2

    def part(self, start: int, end: int | None = None) -> "Cell":
        """The characters from `start` to before `end` as a cell; spaces at its ends are left out."""
        end = len(self.text) if end is None else min(end, len(self.text))
        while start < end and self.text[start].isspace():
            start += 1
        while start < end and self.text[end - 1].isspace():
            end -= 1
        lefts, rights = self.lefts[start:end], self.rights[start:end]
        place = (min(lefts, default=self.left), self.place[1], max(rights, default=self.left), self.place[3])
        words = tuple(word for word in self.words if place[0] < word.place[2] and word.place[0] < place[2])
        return Cell(self.text[start:end], self.frame, place, lefts, rights, words)

    def overlap(self, other: "Cell") -> float:
        """The share of the narrower one's width that lies above or below the other."""
        shared = min(self.right, other.right) - max(self.left, other.left)
        return shared / max(min(self.right - self.left, other.right - other.left), 0.1)

    def gap_after(self, other: "Cell") -> float | None:
        """The gap to `other` before it on the same line in line heights; None where it is another line."""
        height = max(self.height, other.height, 0.1)
        if abs(self.middle - other.middle) > _SAME_LINE * height:
            return None
        return (self.left - other.right) / height


Line = list[Cell]


def joined(cells: Sequence[Cell], between: str = " ") -> Cell:
    """Cells as one, in their order."""
    if len(cells) == 1:
        return cells[0]
    first = cells[0]
    lefts, rights = array("f", first.lefts), array("f", first.rights)
    for cell in cells[1:]:
        lefts.extend([rights[-1] if rights else cell.left] * len(between))
        rights.extend([cell.left] * len(between))
        lefts.extend(cell.lefts)
        rights.extend(cell.rights)
    return Cell(
        between.join(cell.text for cell in cells), first.frame, union(cell.place for cell in cells), lefts, rights,
        tuple(word for cell in cells for word in cell.words),
    )  # fmt: skip


def union(boxes: Iterable[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return (min(lefts), min(tops), max(rights), max(bottoms))


def lines_of(cells: list[Cell]) -> list[Line]:
    """The lines of one page from top to bottom, each from left to right."""
    lines: list[Line] = []
    # A line's height on the page is that of its tallest cell; small print beside it belongs to it.
    for cell in sorted(cells[:CELLS_MAX], key=lambda cell: (cell.middle, cell.left)):
        head = lines[-1][0] if lines else None
        if head and abs(head.middle - cell.middle) <= _SAME_LINE * max(min(cell.height, head.height), 1.0):
            lines[-1].append(cell)
        else:
            lines.append([cell])
    return [_merged(sorted(line, key=lambda cell: cell.left)) for line in lines]


def _merged(line: Line) -> Line:
    """Cells that were set piece by piece become one where no more than a space is between them."""
    merged: list[list[Cell]] = []
    for cell in line:
        gap = cell.gap_after(merged[-1][-1]) if merged else None
        if gap is not None and -0.5 <= gap <= _TOGETHER:
            merged[-1].append(cell)
        else:
            merged.append([cell])
    return [_fused(group) for group in merged]


def _fused(group: list[Cell]) -> Cell:
    fused = group[0]
    for cell in group[1:]:
        gap = cell.gap_after(fused)
        fused = joined((fused, cell), " " if gap is None or gap > _WORD_GAP else "")
    return fused
