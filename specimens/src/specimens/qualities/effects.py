"""Scanner, phone and fax machine: from a clean page to what they deliver."""

import random
from dataclasses import dataclass, replace

import cv2
import numpy as np

from specimens.qualities.picture import Matrix, Picture, Pixels, scaling

_PHOTO_PIXELS = ((3264, 2448), (3264, 2448), (4032, 3024))
"""Eight and twelve megapixels."""
_FAX_DPI = (204.0, 196.0)


@dataclass(frozen=True)
class _Conditions:
    """Shares of the short side (`sway`), of the picture (`fill`), of light (`shadow`, `surroundings`); of 255."""

    sway: float
    fill: float
    shadow: float
    surroundings: float
    darkest: float
    lightest: float


_BAD = _Conditions(sway=0.07, fill=0.75, shadow=0.6, surroundings=0.25, darkest=64, lightest=204)
"""Each alone happens at dusk with a phone in one hand; here they come together."""
_SHADE = (96, 96, 96)
_WHITE = (255, 255, 255)


def _numpy(rng: random.Random) -> np.random.Generator:
    return np.random.default_rng(rng.getrandbits(63))


@dataclass(frozen=True)
class Scanner:
    """The settings of one machine; all pages of a file go through the same."""

    degrees_max: float
    colour: bool
    bitonal: bool
    blur: float
    darkest: float
    lightest: float
    noise: float
    holes: bool
    """The sheets were punched for a folder."""

    @classmethod
    def of(cls, rng: random.Random, *, clean: bool) -> "Scanner":
        """`clean` (300 dpi): laid on straight, with less noise than an office machine at 200."""
        colour = rng.random() < (0.6 if clean else 0.4)
        return cls(
            degrees_max=0.4 if clean else 1.6,
            colour=colour,
            bitonal=not clean and not colour and rng.random() < 0.3,
            blur=0.0 if clean else rng.uniform(0.4, 0.7),
            darkest=rng.uniform(0, 30),
            lightest=rng.uniform(238, 255),
            noise=rng.uniform(1.5, 3) if clean else rng.uniform(3, 8),
            holes=rng.random() < 0.3,
        )

    def scan(self, page: Picture, rng: random.Random) -> Picture:
        """Laid on the glass a little askew."""
        step = _about(page.width / 2, page.height / 2, rng.uniform(-self.degrees_max, self.degrees_max))
        pixels: Pixels = cv2.warpAffine(page.pixels, step[:2], (page.width, page.height), borderValue=_WHITE)
        if not self.colour:
            pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        if self.blur:
            pixels = cv2.GaussianBlur(pixels, (0, 0), self.blur)
        contrast = (self.lightest - self.darkest) / 255
        pixels = _noisy(cv2.convertScaleAbs(pixels, alpha=contrast, beta=self.darkest), self.noise, rng)
        _mark_sheet(pixels, page.dpi[0], rng, holes=self.holes)
        if self.bitonal:
            pixels = _black_and_white(pixels, rng)
        return replace(page.moved(pixels, step), bitonal=self.bitonal)


def _mark_sheet(pixels: Pixels, dpi: float, rng: random.Random, *, holes: bool) -> None:
    """What paper and glass leave beside the print: punched holes, and at times a dark edge."""
    height = pixels.shape[0]
    if holes and height > 8 * dpi:
        for down in (-1.575, 1.575):
            cv2.circle(pixels, (round(0.47 * dpi), round(height / 2 + down * dpi)), round(0.118 * dpi), _SHADE, -1)
    if rng.random() < 0.25:
        pixels[:, -rng.randint(2, round(0.03 * dpi)) :] = rng.randint(40, 120)


def faxed(page: Picture, rng: random.Random) -> Picture:
    """Black and white at 204 × 196 dpi, with specks and a streak."""
    size = round(page.width * _FAX_DPI[0] / page.dpi[0]), round(page.height * _FAX_DPI[1] / page.dpi[1])
    step = scaling(size[0] / page.width, size[1] / page.height)
    grey = cv2.resize(cv2.cvtColor(page.pixels, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
    skew = _about(size[0] / 2, size[1] / 2, rng.uniform(-0.8, 0.8))
    grey = cv2.warpAffine(grey, skew[:2], size, flags=cv2.INTER_LINEAR, borderValue=255)
    black = _black_and_white(_noisy(grey, 12, rng), rng)
    specks = _numpy(rng).random(black.shape) < 0.0006
    black[specks] = 255 - black[specks]
    if rng.random() < 0.5:
        at = rng.randrange(20, size[0] - 20)
        black[:, at : at + 1] = 0
    return replace(page.moved(black, skew @ step), dpi=_FAX_DPI, bitonal=True)


def photographed(page: Picture, rng: random.Random, *, hard: bool = False) -> Picture:
    """On a table, from a little aside, with a shadow over it, not quite sharp; `hard`: in bad conditions (`_BAD`)."""
    width, height = rng.choice(_PHOTO_PIXELS)
    if page.height >= page.width:
        width, height = height, width
    step = _aslant(page, width, height, rng) if hard else _perspective(page, width, height, rng)
    scene = _table(width, height, rng)
    # A linear filter on a page that shrinks would break its thin strokes.
    shrink = max(1.0, page.width / (width * 0.8))
    source = cv2.GaussianBlur(page.pixels, (0, 0), 0.45 * shrink) if shrink > 1.05 else page.pixels
    if hard:
        source = cv2.convertScaleAbs(source, alpha=(_BAD.lightest - _BAD.darkest) / 255, beta=_BAD.darkest)
        scene = cv2.convertScaleAbs(scene, alpha=_BAD.surroundings)
    white = np.full((page.height, page.width), 255, np.uint8)
    mask = cv2.warpPerspective(white, step, (width, height), flags=cv2.INTER_LINEAR)
    cast = cv2.GaussianBlur(cv2.resize(mask, (width // 8, height // 8)), (0, 0), 5)
    cast = cv2.resize(np.roll(cast, (rng.choice((-3, 3)), rng.choice((-3, 3))), (0, 1)), (width, height))
    scene = cv2.multiply(scene, cv2.cvtColor(255 - cast // 3, cv2.COLOR_GRAY2RGB), scale=1 / 255)
    cv2.warpPerspective(
        source, step, (width, height), dst=scene, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )
    scene = _half_in_shadow(scene, rng) if hard else _lit(scene, rng)
    scene = cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.6, 1.1))
    return page.moved(_noisy(scene, rng.uniform(2, 5), rng), step)


def unreadable(page: Picture, rng: random.Random) -> Picture:
    """The back of a sheet, or a picture of it so blurred that nobody could read it."""
    if rng.random() < 0.5:
        blank = np.full_like(page.pixels, rng.randint(236, 250))
        return replace(page, pixels=_noisy(blank, 2.5, rng))
    blur = cv2.GaussianBlur(page.pixels, (0, 0), page.height / 90)
    return replace(page, pixels=_noisy(cv2.convertScaleAbs(blur, alpha=0.55, beta=20), 6, rng))


def _about(x: float, y: float, degrees: float) -> Matrix:
    return np.vstack([cv2.getRotationMatrix2D((x, y), degrees, 1.0), [0, 0, 1]])


def _noisy(pixels: Pixels, strength: float, rng: random.Random) -> Pixels:
    """Gaussian noise, drawn once in a tile: nobody sees that it repeats, and eight megapixels cost a second."""
    tile = _numpy(rng).normal(0, strength, (512, 512)).astype(np.int16)
    rows, columns = -(-pixels.shape[0] // 512), -(-pixels.shape[1] // 512)
    noise = np.tile(tile, (rows, columns))[: pixels.shape[0], : pixels.shape[1]]
    if pixels.ndim == 3:
        noise = np.repeat(noise[:, :, None], 3, axis=2)
    return cv2.add(pixels, noise, dtype=cv2.CV_8U)


def _black_and_white(pixels: Pixels, rng: random.Random) -> Pixels:
    return cv2.threshold(pixels, rng.randint(150, 185), 255, cv2.THRESH_BINARY)[1]


def _perspective(page: Picture, width: int, height: int, rng: random.Random) -> Matrix:
    fill = rng.uniform(0.86, 0.94)
    scale = fill * min(width / page.width, height / page.height)
    half_width, half_height = page.width * scale / 2, page.height * scale / 2
    sway = 0.022 * min(width, height)
    turned = _about(0, 0, rng.uniform(-2.5, 2.5))
    target = []
    for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        corner = turned @ np.array([x * half_width, y * half_height, 1.0])
        target.append(
            [corner[0] + width / 2 + rng.uniform(-sway, sway), corner[1] + height / 2 + rng.uniform(-sway, sway)]
        )
    corners = np.array([[0, 0], [page.width, 0], [page.width, page.height], [0, page.height]], dtype=np.float32)
    bounded = np.clip(np.array(target, dtype=np.float32), 12, [width - 12, height - 12]).astype(np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners, bounded), dtype=np.float64)


def _aslant(page: Picture, width: int, height: int, rng: random.Random) -> Matrix:
    """From one side, so that the far edge is shorter at both its corners, and not filling the picture."""
    scale = _BAD.fill * min(width / page.width, height / page.height)
    half = np.array([page.width * scale / 2, page.height * scale / 2])
    turned = _about(0, 0, rng.uniform(-2.5, 2.5))[:2, :2]
    sway, far, across = _BAD.sway * min(width, height), rng.choice((-1, 1)), rng.random() < 0.5
    target = []
    for corner in np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]):
        along, away = (1, 0) if across else (0, 1)
        # What is near grows a little while what is far shrinks.
        moved = sway if corner[away] == far else -0.3 * sway
        at = turned @ (corner * half)
        at[along] -= corner[along] * moved
        target.append(at + np.array([width, height]) / 2)
    corners = np.array([[0, 0], [page.width, 0], [page.width, page.height], [0, page.height]], dtype=np.float32)
    bounded = np.clip(np.array(target, dtype=np.float32), 12, [width - 12, height - 12]).astype(np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners, bounded), dtype=np.float64)


def _table(width: int, height: int, rng: random.Random) -> Pixels:
    """Wood, stone or cloth: coarse noise drawn out into grain, in one colour."""
    colour = rng.choice(((120, 84, 52), (92, 92, 98), (160, 150, 136), (64, 74, 70), (148, 112, 76)))
    grain: Pixels = _numpy(rng).normal(0, 1, (height // 6, max(8, width // rng.choice((6, 160))))).astype(np.float32)
    grain = cv2.resize(cv2.GaussianBlur(grain, (0, 0), 1.5), (width, height), interpolation=cv2.INTER_LINEAR)
    shade = np.clip(128 + 40 * grain, 0, 255).astype(np.uint8)
    planes = [cv2.convertScaleAbs(shade, alpha=0.35, beta=channel * 0.65) for channel in colour]
    return cv2.merge(planes)


def _lit(scene: Pixels, rng: random.Random) -> Pixels:
    """Light from one side, and the shadow of whoever holds the phone."""
    size = 96
    down, across = np.mgrid[0:size, 0:size].astype(np.float32) / size
    slope = rng.uniform(-0.25, 0.25) * (across - 0.5) + rng.uniform(-0.25, 0.25) * (down - 0.5)
    edge = rng.uniform(0.55, 1.0) + rng.uniform(-0.6, 0.6) * (across - 0.5)
    shadow = 1 - rng.uniform(0.12, 0.35) / (1 + np.exp(-(down - edge) * 28))
    light = np.clip((0.92 + slope) * shadow, 0.35, 1.0).astype(np.float32)
    warmth = rng.uniform(0.9, 1.0)
    lights = cv2.resize(light, (scene.shape[1], scene.shape[0]), interpolation=cv2.INTER_LINEAR)
    tones = zip(cv2.split(scene), (1.0, 0.5 + warmth / 2, warmth), strict=True)
    return cv2.merge([cv2.multiply(plane, lights, scale=tone, dtype=cv2.CV_8U) for plane, tone in tones])


def _half_in_shadow(scene: Pixels, rng: random.Random) -> Pixels:
    """A shadow with a soft or a hard edge over a part of the page, and light that falls off across it."""
    size = 192
    down, across = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    falling, casting = rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi)
    slope = -0.5 * _BAD.shadow * (across * np.cos(falling) + down * np.sin(falling))
    over = across * np.cos(casting) + down * np.sin(casting) - rng.uniform(-0.2, 0.2)
    shadow = 1 - _BAD.shadow / (1 + np.exp(-over * rng.choice((12, 40, 120))))
    light = np.clip((0.9 + slope) * shadow, 0.06, 1.0).astype(np.float32)
    lights = cv2.resize(light, (scene.shape[1], scene.shape[0]), interpolation=cv2.INTER_LINEAR)
    return cv2.merge([cv2.multiply(plane, lights, dtype=cv2.CV_8U) for plane in cv2.split(scene)])
