"""The light on a photograph taken out: paper as bright everywhere, print as dark. Scans stay as they are."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecosystem.services.creditx.reading.images.outline import made_small
from ecosystem.services.creditx.reading.images.recognition import Corners, Pixels

_PAPER_SIDE_PIXELS = 256
"""Long side of the copy on which the paper's brightness is found: print is narrower than what is spread there."""
_SPREAD_PIXELS, _MEDIAN_PIXELS, _BLUR_PIXELS = 7, 9, 3.0
_PAPER, _INK = 235, 35
"""What paper and print become, of 255."""
_DARKEST = 8
"""Darker than this nothing is brightened further: there is only noise."""
_GAIN_MAX, _PRINT_MIN = 3.0, 25
"""Print is darker than paper by this much at least; a blank page has none."""
_APART_PIXELS, _NEAR_PIXELS = 4, 9
_LEVEL_MIN, _LEVEL_SHARE_MIN = 0.85, 0.05
_INK_PERCENT = 0.1
"""On a page of few lines no more than this is print."""
_EVEN, _GAIN_MIN = 0.85, 1.3
"""A page is left alone where its dark parts have this share of the light of its bright ones and print is dark."""


def evened(pixels: Pixels, outline: Corners | None) -> Pixels:
    """The page in even light; the same array where it lies in such light already.

    `outline`: the sheet's corners, where they are known; what lies around it does not say how dark its print is.
    """
    height, width = pixels.shape[:2]
    paper = cv2.dilate(made_small(pixels, _PAPER_SIDE_PIXELS), np.ones((_SPREAD_PIXELS, _SPREAD_PIXELS), np.uint8))
    paper = cv2.GaussianBlur(cv2.medianBlur(paper, _MEDIAN_PIXELS), (0, 0), _BLUR_PIXELS)
    paper = np.maximum(np.asarray(paper, np.uint8), _DARKEST)
    gain = _gain(pixels, paper, outline)
    dark, bright = np.percentile(paper.max(axis=2), (10, 90))
    if dark >= _EVEN * bright and gain < _GAIN_MIN:
        return pixels
    even = cv2.divide(pixels, cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR), scale=_PAPER)
    if gain > 1:
        even = cv2.convertScaleAbs(np.maximum(even, _PAPER - int(_PAPER / gain)), alpha=gain, beta=_PAPER * (1 - gain))
    return np.asarray(even, np.uint8)


def _gain(pixels: Pixels, paper: NDArray[Any], outline: Corners | None) -> float:
    """What makes the darkest print as dark as it should be, looked at on one pixel of four rows and columns."""
    some = np.ascontiguousarray(pixels[::_APART_PIXELS, ::_APART_PIXELS])
    height, width = some.shape[:2]
    dark = np.asarray(cv2.divide(some, cv2.resize(paper, (width, height)), scale=_PAPER), np.uint8).min(axis=2)
    # At the edge of a shadow, or of the sheet, what is dark is no print.
    brightest, near = paper.max(axis=2), np.ones((_NEAR_PIXELS, _NEAR_PIXELS), np.uint8)
    level = cv2.erode(brightest, near) >= _LEVEL_MIN * cv2.dilate(brightest, near).astype(np.float32)
    where = cv2.resize(level.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    if outline is not None:
        sheet = np.zeros(dark.shape, np.uint8)
        cv2.fillConvexPoly(sheet, np.rint(outline / _APART_PIXELS).astype(np.int32), 1)
        where = cv2.bitwise_and(where, sheet)
    dark = dark[where > 0] if where.mean() > _LEVEL_SHARE_MIN else dark
    ink = float(np.percentile(dark, _INK_PERCENT))
    return 1.0 if _PAPER - ink < _PRINT_MIN else min(_GAIN_MAX, (_PAPER - _INK) / (_PAPER - ink))
