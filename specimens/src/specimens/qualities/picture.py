"""A page as pixels, with the matrix that says where each point of the page has gone."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pypdfium2

Pixels = npt.NDArray[Any]
"""8 bits to a channel, RGB or grey."""
Matrix = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Picture:
    """`matrix` (3 × 3) takes a point of the page, in points from the top left, to a pixel of the picture."""

    pixels: Pixels
    matrix: Matrix
    dpi: tuple[float, float]
    rotated: int = 0
    bitonal: bool = False

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    def moved(self, pixels: Pixels, step: Matrix) -> "Picture":
        """After a change of the pixels that also moved them by `step`."""
        return replace(self, pixels=pixels, matrix=step @ self.matrix)

    def turned(self, degrees: int) -> "Picture":
        """Turned clockwise by 90, 180 or 270 degrees, as a page that was put in the wrong way."""
        if degrees == 0:
            return self
        pixels = np.ascontiguousarray(np.rot90(self.pixels, -degrees // 90))
        turned = self.moved(pixels, turning(degrees, self.width, self.height))
        dpi = self.dpi if degrees == 180 else self.dpi[::-1]
        return replace(turned, rotated=degrees, dpi=dpi)


def turning(degrees: int, width: float, height: float) -> Matrix:
    """Clockwise turn of a page of this size, which stays in the quadrant right and below of the origin."""
    rows: dict[int, list[list[float]]] = {
        0: [[1, 0, 0], [0, 1, 0]],
        90: [[0, -1, height], [1, 0, 0]],
        180: [[-1, 0, width], [0, -1, height]],
        270: [[0, 1, 0], [-1, 0, width]],
    }
    return np.array([*rows[degrees], [0, 0, 1]], dtype=np.float64)


def scaling(across: float, down: float) -> Matrix:
    return np.diag([across, down, 1.0])


def hull(matrix: Matrix, box: Box) -> Box:
    """The upright box around the four corners of `box` after `matrix`."""
    left, top, right, bottom = box
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float64)
    moved = cv2.perspectiveTransform(corners[None], matrix)[0]
    (low_x, low_y), (high_x, high_y) = moved.min(axis=0), moved.max(axis=0)
    return float(low_x), float(low_y), float(high_x), float(high_y)


def rendered(pdf: bytes, dpi: float) -> list[Picture]:
    """The pages of a PDF in colour."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        pages: list[Any] = list(document)
        return [Picture(_pixels(page, dpi), scaling(dpi / 72, dpi / 72), (dpi, dpi)) for page in pages]
    finally:
        document.close()


def _pixels(page: pypdfium2.PdfPage, dpi: float) -> Pixels:
    drawn: Pixels = np.asarray(page.render(scale=dpi / 72, rev_byteorder=True).to_numpy())
    return np.ascontiguousarray(drawn[:, :, :3])
