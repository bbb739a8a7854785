"""The text layer of a page as lines of cells: pieces of text that stand apart, each with its box.

Boxes are left, top, right, bottom in points from the top left corner of the page as it is shown.
"""

import ctypes
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

Box = tuple[float, float, float, float]

_APART = 1.2
"""Cells stand apart by more than this many line heights; words of one cell by less."""
_WORD_GAP = 0.18
_CHARACTERS_MAX = 200_000


@dataclass
class Cell:
    text: str
    page: int
    box: Box

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def middle(self) -> float:
        return (self.box[1] + self.box[3]) / 2

    def follows(self, other: "Cell") -> float | None:
        """The gap to `other` before it on the same line in line heights; None where it is another line."""
        height = max(self.height, other.height, 1.0)
        if abs(self.middle - other.middle) > 0.4 * height:
            return None
        return (self.box[0] - other.box[2]) / height

    def join(self, other: "Cell", between: str) -> None:
        """Take what follows on the same line into this cell."""
        self.text += between + other.text
        ours, theirs = self.box, other.box
        self.box = (
            min(ours[0], theirs[0]), min(ours[1], theirs[1]), max(ours[2], theirs[2]), max(ours[3], theirs[3]),
        )  # fmt: skip


Line = list[Cell]


def lines_of(page: Any, number: int) -> list[Line]:
    """The lines of one page from top to bottom, each from left to right. `number` counts from 1."""
    lines: list[Line] = []
    for cell in sorted(_cells(page, number), key=lambda cell: (cell.middle, cell.box[0])):
        if lines and abs(lines[-1][0].middle - cell.middle) <= 0.4 * max(cell.height, lines[-1][0].height, 1.0):
            lines[-1].append(cell)
        else:
            lines.append([cell])
    return [_merged(sorted(line, key=lambda cell: cell.box[0])) for line in lines]


def _merged(line: Line) -> Line:
    """Cells that were set piece by piece become one where no more than a space is between them."""
    merged = line[:1]
    for cell in line[1:]:
        gap = cell.follows(merged[-1])
        if gap is not None and gap <= 0.6:
            merged[-1].join(cell, " " if gap > _WORD_GAP else "")
        else:
            merged.append(cell)
    return merged


def _cells(page: Any, number: int) -> list[Cell]:
    text_page = page.get_textpage()
    shown = _shown_box(page)
    cells: list[Cell] = []
    space = False
    box = pdfium.FS_RECTF()
    for index in range(min(text_page.count_chars(), _CHARACTERS_MAX)):
        code = pdfium.FPDFText_GetUnicode(text_page.raw, index)
        if code <= 32 or code in (0xA0, 0xAD, 0xFFFE, 0xFFFF) or 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
            space = True
            continue
        if not pdfium.FPDFText_GetLooseCharBox(text_page.raw, index, ctypes.byref(box)):
            continue
        character = Cell(chr(code), number, shown(box))
        gap = character.follows(cells[-1]) if cells else None
        if gap is not None and -0.5 <= gap <= _APART:
            cells[-1].join(character, " " if space or gap > _WORD_GAP else "")
        else:
            cells.append(character)
        space = False
    text_page.close()
    return cells


def _shown_box(page: Any) -> Any:
    """From a box in the page's own space (origin at the bottom left) to the page as shown."""
    left, bottom, right, top = page.get_cropbox()
    rotation = page.get_rotation()

    def shown(box: Any) -> Box:
        x0, x1 = box.left - left, box.right - left
        y0, y1 = box.bottom - bottom, box.top - bottom
        width, height = right - left, top - bottom
        match rotation:
            case 90:
                found = (y0, x0, y1, x1)
            case 180:
                found = (width - x1, y0, width - x0, y1)
            case 270:
                found = (height - y1, width - x1, height - y0, width - x0)
            case _:
                found = (x0, height - y1, x1, height - y0)
        return (round(found[0], 1), round(found[1], 1), round(found[2], 1), round(found[3], 1))

    return shown
