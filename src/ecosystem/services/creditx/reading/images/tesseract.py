"""Text lines in pixels by Tesseract 5 (Apache-2.0), where the machine has `libtesseract.so.5` and its language data.

Through its C API (`tesseract/capi.h`), so that no program is executed: library and data are loaded before a worker is
locked. It runs on one thread (`OMP_THREAD_LIMIT=1`, set before the library is loaded): a locked worker has no more.
"""

import ctypes
import os
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from ecosystem.services.creditx.reading.images.recognition import Corners, Letter, Pixels

LANGUAGES = "eng", "deu", "fra", "spa"
_LIBRARY = "libtesseract.so.5"
_LINE, _WORD, _SYMBOL = 2, 3, 4
_SINGLE_LINE, _AUTOMATIC = 7, 3
_DPI = 200
_BELOW_BASELINE, _ABOVE, _BELOW = 0.25, 0.2, 0.05
_TURN_CONFIDENCE_MIN = 1.0
_POINTER = ctypes.c_void_p
_PIXELS = ctypes.POINTER(ctypes.c_ubyte)
_INTS, _FLOATS = ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_float)
_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "TessVersion": (ctypes.c_char_p, ()),
    "TessBaseAPICreate": (_POINTER, ()),
    "TessBaseAPIInit3": (ctypes.c_int, (_POINTER, ctypes.c_char_p, ctypes.c_char_p)),
    "TessBaseAPIGetAvailableLanguagesAsVector": (ctypes.POINTER(ctypes.c_char_p), (_POINTER,)),
    "TessBaseAPISetVariable": (ctypes.c_int, (_POINTER, ctypes.c_char_p, ctypes.c_char_p)),
    "TessBaseAPISetPageSegMode": (None, (_POINTER, ctypes.c_int)),
    "TessBaseAPISetImage": (None, (_POINTER, _PIXELS, *(ctypes.c_int,) * 4)),
    "TessBaseAPISetSourceResolution": (None, (_POINTER, ctypes.c_int)),
    "TessBaseAPIDetectOrientationScript": (
        ctypes.c_int, (_POINTER, _INTS, _FLOATS, ctypes.POINTER(ctypes.c_char_p), _FLOATS),
    ),
    "TessBaseAPIRecognize": (ctypes.c_int, (_POINTER, _POINTER)),
    "TessBaseAPIGetIterator": (_POINTER, (_POINTER,)),
    "TessBaseAPIClear": (None, (_POINTER,)),
    "TessResultIteratorGetUTF8Text": (_POINTER, (_POINTER, ctypes.c_int)),
    "TessResultIteratorConfidence": (ctypes.c_float, (_POINTER, ctypes.c_int)),
    "TessResultIteratorGetPageIterator": (_POINTER, (_POINTER,)),
    "TessResultIteratorDelete": (None, (_POINTER,)),
    "TessPageIteratorBoundingBox": (ctypes.c_int, (_POINTER, ctypes.c_int, *(_INTS,) * 4)),
    "TessPageIteratorBaseline": (ctypes.c_int, (_POINTER, ctypes.c_int, *(_INTS,) * 4)),
    "TessPageIteratorIsAtBeginningOf": (ctypes.c_int, (_POINTER, ctypes.c_int)),
    "TessPageIteratorNext": (ctypes.c_int, (_POINTER, ctypes.c_int)),
    "TessDeleteText": (None, (_POINTER,)),
}  # fmt: skip


class TesseractAbsent(Exception):
    """The library, or its data for English or for the orientation of pages, is not on this machine."""


class Tesseract:
    """Loads the library and every language of `LANGUAGES` that is there. Raises TesseractAbsent."""

    def __init__(self) -> None:
        os.environ["OMP_THREAD_LIMIT"] = "1"
        try:
            self._library = ctypes.CDLL(_LIBRARY)
            for name, (result, arguments) in _SIGNATURES.items():
                function = getattr(self._library, name)
                function.restype, function.argtypes = result, arguments
        except (OSError, AttributeError):
            raise TesseractAbsent from None
        turner = self._reader("osd")
        if turner is None:
            raise TesseractAbsent
        there = self._languages(turner)
        self.languages = tuple(language for language in LANGUAGES if language in there)
        reader = self._reader("+".join(self.languages))
        if reader is None or "eng" not in there:
            raise TesseractAbsent
        self._reader_handle, self._turner_handle = reader, turner
        blank = np.full((64, 320, 3), 255, np.uint8)
        cv2.putText(blank, "Prepared", (8, 48), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (0, 0, 0), 3)
        self.page(blank)

    @property
    def version(self) -> str:
        return str(self._library.TessVersion().decode())

    def _reader(self, language: str) -> int | None:
        handle: int = self._library.TessBaseAPICreate()
        if self._library.TessBaseAPIInit3(handle, None, language.encode()) != 0:
            return None
        self._library.TessBaseAPISetVariable(handle, b"debug_file", b"/dev/null")
        return handle

    def _languages(self, handle: int) -> set[str]:
        names, found = self._library.TessBaseAPIGetAvailableLanguagesAsVector(handle), set()
        for name in names:
            if name is None:
                break
            found.add(name.decode())
        return found

    def rotation(self, pixels: Pixels) -> int:
        """How far the page must be turned clockwise to be upright: 0 where it cannot be told."""
        self._show(self._turner_handle, pixels, 0)
        degrees, sure, script, script_sure = ctypes.c_int(), ctypes.c_float(), ctypes.c_char_p(), ctypes.c_float()
        told = self._library.TessBaseAPIDetectOrientationScript(
            self._turner_handle, degrees, sure, script, script_sure
        )  # fmt: skip
        self._library.TessBaseAPIClear(self._turner_handle)
        # It says how the page lies; what is asked is how to turn it.
        return (360 - degrees.value) % 360 if told and sure.value >= _TURN_CONFIDENCE_MIN else 0

    def page(self, pixels: Pixels) -> list[tuple[Corners, list[Letter]]]:
        """The lines of an upright page, as `Engine.detect` and `Engine.read` answer them."""
        self._show(self._reader_handle, pixels, _AUTOMATIC)
        found = list(self._lines())
        self._library.TessBaseAPIClear(self._reader_handle)
        return found

    def _show(self, handle: int, pixels: Pixels, mode: int) -> None:
        grey = np.ascontiguousarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
        height, width = grey.shape
        self._library.TessBaseAPISetPageSegMode(handle, mode)
        self._library.TessBaseAPISetImage(handle, grey.ctypes.data_as(_PIXELS), width, height, 1, width)
        self._library.TessBaseAPISetSourceResolution(handle, _DPI)

    def _lines(self) -> Iterator[tuple[Corners, list[Letter]]]:
        library = self._library
        if library.TessBaseAPIRecognize(self._reader_handle, None) != 0:
            return
        results = library.TessBaseAPIGetIterator(self._reader_handle)
        if not results:
            return
        place = library.TessResultIteratorGetPageIterator(results)
        symbols: list[tuple[str, tuple[int, int, int, int], float]] = []
        baseline = (0, 0, 0, 0)
        while True:
            if library.TessPageIteratorIsAtBeginningOf(place, _LINE):
                if symbols:
                    yield _line(symbols, baseline)
                symbols, baseline = [], self._four(library.TessPageIteratorBaseline, place, _LINE)
            elif symbols and library.TessPageIteratorIsAtBeginningOf(place, _WORD):
                symbols.append((" ", symbols[-1][1], 1.0))
            text = library.TessResultIteratorGetUTF8Text(results, _SYMBOL)
            if text:
                written = ctypes.string_at(text).decode("utf-8", "replace").strip()
                library.TessDeleteText(text)
            if text and written:
                sure = library.TessResultIteratorConfidence(results, _SYMBOL) / 100
                symbols.append((written, self._four(library.TessPageIteratorBoundingBox, place, _SYMBOL), sure))
            if not library.TessPageIteratorNext(place, _SYMBOL):
                break
        library.TessResultIteratorDelete(results)
        if symbols:
            yield _line(symbols, baseline)

    @staticmethod
    def _four(function: "ctypes._NamedFuncPointer", place: int, level: int) -> tuple[int, int, int, int]:
        values = [ctypes.c_int() for _ in range(4)]
        function(place, level, *values)
        one, two, three, four = (value.value for value in values)
        return one, two, three, four


def _line(
    symbols: list[tuple[str, tuple[int, int, int, int], float]], baseline: tuple[int, int, int, int]
) -> tuple[Corners, list[Letter]]:
    left, right = min(box[0] for _, box, _ in symbols), max(box[2] for _, box, _ in symbols)
    x0, y0, x1, y1 = baseline
    slope = (y1 - y0) / max(x1 - x0, 1)
    height = float(np.percentile([box[3] - box[1] for text, box, _ in symbols if text != " "], 80))
    # As the detector's lines, which have air around them.
    whole = height * (1 + _BELOW_BASELINE) / (1 - _ABOVE - _BELOW)
    bottom = height * _BELOW_BASELINE + whole * _BELOW

    def point(x: float, up: float) -> list[float]:
        return [x, y0 + slope * (x - x0) + up]

    corners = np.array(
        [point(left, bottom - whole), point(right, bottom - whole), point(right, bottom), point(left, bottom)],
        np.float32,
    )
    width = max(right - left, 1)
    letters = [
        Letter(text, (box[0] - left) / width, (box[2] - left) / width, sure) for text, box, sure in symbols
    ]  # fmt: skip
    return corners, letters


def turned_pixels(pixels: Pixels, rotation_degrees: int) -> Pixels:
    """The page turned clockwise."""
    return np.ascontiguousarray(np.rot90(pixels, -(rotation_degrees // 90)))


def turned_back(corners: Corners, pixels: Pixels, rotation_degrees: int) -> Corners:
    """Corners on the turned page where they lie on `pixels`, the page as shown."""
    height, width = pixels.shape[:2]
    x, y = corners[:, 0], corners[:, 1]
    places: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]] = {
        0: (x, y), 90: (y, height - x), 180: (width - x, height - y), 270: (width - y, x),
    }  # fmt: skip
    return np.stack(places[rotation_degrees], axis=1).astype(np.float32)
