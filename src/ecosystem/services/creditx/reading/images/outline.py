"""Where a sheet ends on a photograph: its four corners, where all four edges can be seen, else nothing."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecosystem.services.creditx.reading.images.recognition import Corners, Pixels

_SIDE_PIXELS = 512
"""Long side of the copy that is looked at: print is gone there, edges are not."""
_AREA_MIN, _AREA_MAX = 0.12, 0.97
_TURN_MAX_COSINE = 0.5
"""Corners between 60 and 120 degrees."""
_FILLED_MIN = 0.93
"""Share of the four corners' area that the found shape fills."""
_SEEN_MIN, _STEP_MIN = 0.8, 0.06
"""An edge is seen where 8 of 10 points of it part light from dark by 6 % of the brighter side."""
_POINTS, _BESIDE_PIXELS = 60, (3, 8)
"""So far beside an edge both sides must differ: beside a line that is printed around a page only the line does."""
_CLOSE_PIXELS = 7


def outline_of(pixels: Pixels) -> Corners | None:
    """The corners of the largest sheet that lies on something else, clockwise from the top left one, in pixels.

    None where an edge leaves the picture or cannot be told from what lies under it, as on every scan.
    """
    small = made_small(pixels, _SIDE_PIXELS)
    scale = max(small.shape) / max(pixels.shape)
    light = cv2.GaussianBlur(small.max(axis=2), (0, 0), 1.0)
    found = [corners for shape in _shapes(light) if (corners := _corners(shape, light.size)) is not None]
    for corners in sorted(found, key=cv2.contourArea, reverse=True):
        if min(_seen(light, corners)) >= _SEEN_MIN:
            return np.asarray((corners + np.float32(0.5)) / np.float32(scale), np.float32)
    return None


def made_small(pixels: Pixels, side_pixels: int) -> Pixels:
    """With this long side; what is smaller stays as it is, and no side vanishes."""
    height, width = pixels.shape[:2]
    scale = min(1.0, side_pixels / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _shapes(light: NDArray[np.uint8]) -> Iterator[NDArray[Any]]:
    """Outer borders of what is bright, and of what edges enclose: shadows spoil the one, a light table the other."""
    kernel = np.ones((_CLOSE_PIXELS, _CLOSE_PIXELS), np.uint8)
    masks = [cv2.threshold(light, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]]
    logarithm = np.log1p(light.astype(np.float32))
    even = logarithm - cv2.GaussianBlur(logarithm, (0, 0), 40)
    even = (even - even.min()) * (255 / max(float(np.ptp(even)), 1e-6))
    even8 = np.asarray(even, np.uint8)
    masks.append(cv2.threshold(even8, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1])
    for source in (light, even8):
        for high in (30, 80):
            edges = cv2.Canny(source, high / 2, high)
            masks.append(cv2.dilate(edges, np.ones((3, 3), np.uint8)))
    for mask in masks:
        closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel)
        found, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        yield from sorted(found, key=cv2.contourArea, reverse=True)[:3]


def _corners(shape: NDArray[Any], pixels: int) -> Corners | None:
    hull = cv2.convexHull(shape)
    area = cv2.contourArea(hull)
    if not _AREA_MIN * pixels <= area <= _AREA_MAX * pixels:
        return None
    for tolerance in (0.01, 0.02, 0.03, 0.05):
        polygon = cv2.approxPolyDP(hull, tolerance * cv2.arcLength(hull, True), True)
        if len(polygon) == 4:
            break
    else:
        return None
    corners = np.asarray(polygon, np.float32).reshape(4, 2)
    if area < _FILLED_MIN * cv2.contourArea(corners) or cv2.contourArea(corners) < _FILLED_MIN * area:
        return None
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.linalg.norm(sides, axis=1)
    unit = sides / lengths[:, None]
    if max(abs(float(unit[n] @ unit[n - 1])) for n in range(4)) > _TURN_MAX_COSINE:
        return None
    return clockwise(corners)


def clockwise(corners: Corners) -> Corners:
    """From the corner that is nearest to the top left."""
    middle = corners.mean(axis=0)
    around = corners[np.argsort(np.arctan2(corners[:, 1] - middle[1], corners[:, 0] - middle[0]))]
    return np.asarray(np.roll(around, -int(around.sum(axis=1).argmin()), axis=0), np.float32)


def _seen(light: NDArray[np.uint8], corners: Corners) -> Iterator[float]:
    """Of each side, the share of points where the sheet and what lies under it differ, and always the same way."""
    height, width = light.shape
    along = np.linspace(0.04, 0.96, _POINTS)[:, None]
    for begin, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        way = (end - begin) / np.linalg.norm(end - begin)
        inward = np.array([-way[1], way[0]])
        points = begin + (end - begin) * along
        parted = np.ones((2, _POINTS), bool)
        for depth in _BESIDE_PIXELS:
            values = []
            for side in (depth, -depth):
                at = np.clip(np.rint(points + side * inward).astype(int), 0, [width - 1, height - 1])
                values.append(light[at[:, 1], at[:, 0]].astype(np.float32))
            step = (values[0] - values[1]) / np.maximum(np.maximum(*values), 8.0)
            parted &= np.array([step > _STEP_MIN, step < -_STEP_MIN])
        yield float(parted.mean(axis=1).max())
