"""The alphabet of a machine-readable zone, its check digits, and what readers of pixels confuse in it.

Source: ICAO Doc 9303-3, section 4 (alphabet, 4.9 check digits).
"""

import unicodedata

FILLER = "<"

_WEIGHTS = (7, 3, 1)
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS = frozenset("0123456789")
_FILLERS = dict.fromkeys("<‹＜(（{[⟨〈≤>›⟩〉-‐‑–—_~", "<") | dict.fromkeys("«≪»≫", "<<")
_DUST = frozenset(".,;:'’‘`´\"“”·•°^\u200b\ufeff")
_ALIKE = dict(
    zip("lıіІ|!¡¦ßАВСЕНІКМОРТХУΑΒΕΗΙΚΜΝΟΡΤΧΖØøＯ€£$&§", "IIIIIIIIBABCEHIKMOPTXYABEHIKMNOPTXZ000ELS8S", strict=True)
)

_AS_DIGIT = dict(zip("OQDILZSGTBA", "00011256784", strict=True))
_AS_LETTER = dict(zip("01245678", "OIZASGTB", strict=True))

LIKE_FILLER = frozenset("KXCL")
"""Letters that `<` is read as. K has the value 20: no check digit can tell it from a filler."""

UNTELLABLE = frozenset("GLK")
"""Letters whose value is that of the digit (6, 1) or filler that they are confused with, modulo 10."""


def check_digit(text: str) -> int:
    """Weights 7, 3, 1; A is 10, Z is 35, a filler 0; modulo 10 (Doc 9303-3, 4.9). The text is in the alphabet."""
    return sum((0 if char == FILLER else int(char, 36)) * _WEIGHTS[at % 3] for at, char in enumerate(text)) % 10


def in_alphabet(text: str, *, space_is_filler: bool = False) -> str:
    """The text in capitals, digits and fillers; what stands for nothing of them is left out."""
    found = []
    text = text.strip()
    for at, char in enumerate(text):
        if char in _FILLERS:
            found.append(_FILLERS[char])
        elif char.isspace():
            found.append(FILLER if space_is_filler else "")
        elif char in _ALIKE and not (char == "l" and _among_small_letters(text, at)):
            found.append(_ALIKE[char])
        else:
            plain = unicodedata.normalize("NFKD", char)[:1].upper()
            found.append(plain if plain in _LETTERS or plain in _DIGITS else "")
    return "".join(found)


def _among_small_letters(text: str, at: int) -> bool:
    """Where a line lost its capitals an l is an L; among capitals it is a misread I or 1."""
    beside = (text[:at].rstrip("l")[-1:], text[at + 1 :].lstrip("l")[:1])
    if any(char.isalpha() for char in beside):
        return any(char.islower() for char in beside)
    return sum(char.islower() and char != "l" for char in text) > sum(char.isupper() for char in text)


def likeness(text: str) -> float:
    """The share of a text's marks that the alphabet, or what is confused with it, explains."""
    marks = explained = 0
    for char in text:
        if char.isspace() or char in _DUST:
            continue
        marks += 1
        explained += char in _FILLERS or char in _ALIKE or (char.isascii() and char.isalnum())
    return explained / marks if marks else 0.0


def as_digits(text: str) -> str:
    """Letters that are misread digits become digits; others stay, and prove nothing."""
    return "".join(_AS_DIGIT.get(char, char) for char in text)


def as_letters(text: str) -> str:
    return "".join(_AS_LETTER.get(char, char) for char in text)


def digit_for(char: str) -> str | None:
    """The digit that this letter may be a misreading of."""
    return _AS_DIGIT.get(char)


def letter_for(char: str) -> str | None:
    """The letter that this digit may be a misreading of."""
    return _AS_LETTER.get(char)


def changes(before: str, after: str) -> int:
    """Characters that differ, place by place, and the difference in length."""
    return sum(one != other for one, other in zip(before, after, strict=False)) + abs(len(before) - len(after))
