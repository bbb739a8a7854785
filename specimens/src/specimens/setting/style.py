"""The looks of one house: fonts, colours, forms of cells, places of things."""

import random
from dataclasses import dataclass
from enum import StrEnum

from reportlab.lib.colors import Color, HexColor

from specimens.setting.pen import COURIER, HELVETICA, TIMES, VERA, Fonts

_COLOURS = (0x1F3A5F, 0x7A1F2B, 0x0F5C4C, 0x3B3B3B, 0x5B3A7A, 0x8A5A00, 0x005A8C, 0x2E2E2E)


class Layout(StrEnum):
    LINES = "lines"  # "Label: value"
    COLUMNS = "columns"  # label at the left, value in a column at the right of it
    STACKED = "stacked"  # a small label with its value below, two cells side by side
    FORM = "form"  # a ruled form: a small label in the corner of each box, the value below it
    GRID = "grid"  # a table of two columns with lines between the rows


class Banner(StrEnum):
    """Where a house puts its name."""

    LEFT = "left"
    RIGHT = "right"
    CENTRE = "centre"
    BAR = "bar"


@dataclass(frozen=True)
class Style:
    fonts: Fonts
    heading: Fonts
    size: float
    leading: float
    mark: str
    """Behind a label: a colon or nothing."""
    layout: Layout
    banner: Banner
    colour: Color
    logo: int
    table_lines: int
    """0: a rule below the header; 1: between all rows; 2: every other row tinted."""
    tick: str
    page_words: int
    left: float = 62.0
    right: float = 535.0

    @classmethod
    def of(cls, rng: random.Random, layout: Layout | None = None) -> "Style":
        fonts = rng.choice((HELVETICA, HELVETICA, TIMES, VERA, VERA, COURIER))
        # Courier and Vera are wide: a long address at their larger sizes would leave the page.
        sizes = {COURIER: (9.0,), VERA: (8.5, 9.0), TIMES: (10.5, 11.0)}.get(fonts, (9.5, 10.0, 10.5))
        size = rng.choice(sizes)
        return cls(
            fonts=fonts,
            heading=fonts if rng.random() < 0.6 else rng.choice((HELVETICA, TIMES, VERA)),
            size=size,
            leading=size * rng.choice((1.5, 1.65, 1.8)),
            mark=rng.choice((":", "")),
            layout=layout or rng.choice(list(Layout)),
            banner=rng.choice(list(Banner)),
            colour=HexColor(rng.choice(_COLOURS)),
            logo=rng.randrange(5),
            table_lines=rng.randrange(3),
            tick=rng.choice(("X", "X", "check")),
            page_words=rng.randrange(6),
            left=rng.choice((56.0, 62.0, 70.0)),
        )

    @property
    def tint(self) -> Color:
        """The colour of the house, thinned to a background."""
        mix = [1 - (1 - part) * 0.12 for part in (self.colour.red, self.colour.green, self.colour.blue)]
        return Color(*mix)
