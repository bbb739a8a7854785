"""Lines of a page as they were read, and the rows that may carry a machine-readable zone.

A row is what stands at one height. OCR may have cut it into pieces; it may also hold two lines in one text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ecosystem.services.creditx.reading.mrz.characters import in_alphabet, likeness

Box = tuple[float, float, float, float]

_LINES_MAX = 20_000
_LINE_CHARACTERS_MAX = 160
_PIECES_MAX = 24
_ROW_CHARACTERS_MIN = 22
_LIKENESS_MIN = 0.85


@dataclass(frozen=True)
class Line:
    """A text with its box (left, top, right, bottom from the top left corner of the page as shown).

    `confidence` is the reader's own, 0 to 1. `exact`: the text layer of a PDF, where no character is mistaken for
    another.
    """

    text: str
    page: int
    box: Box
    confidence: float = 1.0
    exact: bool = False


@dataclass(frozen=True)
class Row:
    """What stands at one height: its readings in the alphabet of the zone, the likeliest first."""

    texts: tuple[str, ...]
    page: int
    box: Box
    confidence: float
    exact: bool

    def part(self, number: int, parts: int) -> "Row":
        """The `number`th (from 0) of `parts` lines below each other that were read as one."""
        left, top, right, bottom = self.box
        height = (bottom - top) / parts
        return replace(self, box=(left, top + number * height, right, top + (number + 1) * height))


def rows_of(lines: Iterable[Line]) -> list[list[Row]]:
    """The rows of each page that could be lines of a zone, from top to bottom. Looks at no more than 20,000 lines."""
    by_page: dict[int, list[Line]] = {}
    for number, line in enumerate(lines):
        if number >= _LINES_MAX:
            break
        if 0 < len(line.text) <= _LINE_CHARACTERS_MAX and likeness(line.text) >= _LIKENESS_MIN:
            by_page.setdefault(line.page, []).append(line)
    return [_rows(pieces) for _, pieces in sorted(by_page.items())]


def _rows(pieces: list[Line]) -> list[Row]:
    rows: list[list[Line]] = []
    for piece in sorted(pieces, key=lambda piece: (_middle(piece), piece.box[0])):
        if rows and _same_height(rows[-1][0], piece):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    found = [_row(sorted(row, key=lambda piece: piece.box[0])) for row in rows if len(row) <= _PIECES_MAX]
    return [row for row in found if row is not None]


def _row(pieces: Sequence[Line]) -> Row | None:
    texts: list[str] = []
    whole = " ".join(piece.text for piece in pieces)
    alone = [piece.text for piece in pieces] if len(pieces) > 1 else []
    for text in (whole, *alone):
        texts += [in_alphabet(text), in_alphabet(text, space_is_filler=True)]
    kept = tuple(dict.fromkeys(text for text in texts if _ROW_CHARACTERS_MIN <= len(text) <= _LINE_CHARACTERS_MAX))
    if not kept:
        return None
    box = (
        min(piece.box[0] for piece in pieces), min(piece.box[1] for piece in pieces),
        max(piece.box[2] for piece in pieces), max(piece.box[3] for piece in pieces),
    )  # fmt: skip
    confidence = min(piece.confidence for piece in pieces)
    return Row(kept, pieces[0].page, box, confidence, all(piece.exact for piece in pieces))


def _middle(line: Line) -> float:
    return (line.box[1] + line.box[3]) / 2


def _same_height(one: Line, other: Line) -> bool:
    height = max(one.box[3] - one.box[1], other.box[3] - other.box[1])
    overlap = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    # Lines above each other share their columns; pieces of one line do not.
    narrow = min(one.box[2] - one.box[0], other.box[2] - other.box[0])
    return abs(_middle(one) - _middle(other)) <= 0.5 * height and overlap <= 0.5 * max(narrow, 1e-9)
