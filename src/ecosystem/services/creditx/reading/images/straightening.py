"""How a page lies: which way up, how skew. From the lines found on it, so that no second look is needed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecosystem.services.creditx.reading.images.outline import clockwise
from ecosystem.services.creditx.reading.images.recognition import Corners

Matrix = NDArray[np.float64]
"""3 x 3: from pixels to other pixels, perspective included."""

_LONG = 2.5
"""A line says something about its direction if it is this much longer than high."""
_SKEW_MIN_DEGREES = 0.05
_NEAR_MIN = 0.3
"""Perspective brings nothing on a sheet three times as near; beyond that is the horizon."""
_UNSURE_HEIGHTS = 0.2
"""The corners of a line are found as exactly as this, in its heights."""


@dataclass(frozen=True)
class Direction:
    """`rotation_degrees`: how far the page must be turned clockwise to be upright; `skew_degrees`: and then more."""

    rotation_degrees: int
    skew_degrees: float


def lies_on_its_side(lines: Sequence[Corners]) -> bool:
    """Whether most print runs up or down."""
    across = along = 0.0
    for line in lines:
        width, height = _sides(line)
        if width > _LONG * height:
            across += width
        elif height > _LONG * width:
            along += height
    return along > across


def turned(line: Corners, rotation_degrees: int) -> Corners:
    """The same corners, beginning where the text begins on a page that is turned upright by this much clockwise."""
    rolled: Corners = np.roll(line, rotation_degrees // 90, axis=0)
    return rolled


def skew_of(lines: Sequence[Corners], rotation_degrees: int) -> float:
    """Degrees by which `turned` lines climb (to be turned clockwise): the middle of all, longer ones counting more."""
    angles: list[float] = []
    weights: list[float] = []
    for line in lines:
        width, height = _sides(line)
        if width > _LONG * height:
            (x0, y0), (x1, y1) = line[0], line[1]
            angle = math.degrees(math.atan2(y1 - y0, x1 - x0)) + rotation_degrees
            angles.append(-((angle + 180) % 360 - 180))
            weights.append(width)
    if not angles:
        return 0.0
    order = np.argsort(angles)
    half = np.cumsum(np.array(weights)[order])
    middle = angles[order[int(np.searchsorted(half, half[-1] / 2))]]
    return round(middle, 2) if abs(middle) >= _SKEW_MIN_DEGREES else 0.0


def upright_from(
    width: float, height: float, rotation_degrees: int, skew_degrees: float
) -> tuple[Matrix, float, float]:
    """The matrix from the page as shown to the page upright, with the width and height of the latter."""
    angle = math.radians(rotation_degrees + skew_degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    matrix = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    corners = through(matrix, np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64))
    matrix[0, 2], matrix[1, 2] = -corners[:, 0].min(), -corners[:, 1].min()
    return matrix, float(np.ptp(corners[:, 0])), float(np.ptp(corners[:, 1]))


def squared(upright: Matrix, outline: Corners, lines: Sequence[Corners]) -> Matrix:
    """`upright` and then the sheet made rectangular: its `outline` (corners on the page as shown) says how.

    Believed only where the print agrees: `lines` (on the page as shown, begun where their text begins) must not run
    less level than they did.
    """
    corners = clockwise(np.asarray(through(upright, outline.astype(np.float64)), np.float32))
    (width, height), middle = _sides(corners), corners.mean(axis=0)
    half = np.array([width, height], np.float32) / 2
    target = middle + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    matrix: Matrix = np.asarray(cv2.getPerspectiveTransform(corners, target.astype(np.float32)), np.float64) @ upright
    if not lines or any((line @ matrix[2, :2] + matrix[2, 2] < _NEAR_MIN).any() for line in lines):
        return upright
    (after, unsure), (before, _) = _slope(matrix, lines), _slope(upright, lines)
    return matrix if after <= before + unsure else upright


def _slope(matrix: Matrix, lines: Sequence[Corners]) -> tuple[float, float]:
    """How far from level long lines run through `matrix` (the mean of rise over run), and how far that may be wrong."""
    slopes, unsure = [0.0], [0.0]
    for line in lines:
        (x0, y0), (x1, y1) = through(matrix, line[:2].astype(np.float64))
        width, height = _sides(line)
        if width > _LONG * height and x1 != x0:
            slopes.append(abs((y1 - y0) / (x1 - x0)))
            unsure.append(_UNSURE_HEIGHTS * height / width)
    count = max(len(slopes) - 1, 1)
    return sum(slopes) / count, sum(unsure) / count


def through(matrix: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n x 2) mapped."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    found: NDArray[np.float64] = mapped[:, :2] / mapped[:, 2:3]
    return found


def _sides(line: Corners) -> tuple[float, float]:
    width = (np.linalg.norm(line[1] - line[0]) + np.linalg.norm(line[2] - line[3])) / 2
    height = (np.linalg.norm(line[3] - line[0]) + np.linalg.norm(line[2] - line[1])) / 2
    return float(width), float(height)
