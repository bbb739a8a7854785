"""Labels and titles as they are compared: without case, accents, marks and spaces."""

import re
import unicodedata
from functools import cached_property, lru_cache
from typing import Any

_MARKS = re.compile(r"[^\w#]+")
_NUMBERED = re.compile(r"^\(?(?:\d{1,2}[.)]?|[a-z][.)]|\d{1,2}[a-z][.)]?)\s+(?=\D)")
_PARENTHESES = re.compile(r"[(\[][^()\[\]]*[)\]]")
_PARTS = re.compile(r"\s*[/|·•]\s*|\s+[-–—:;,.¿]\s+")
_LITTLE = frozenset({
    "of", "the", "for", "and", "on", "in", "to", "a", "de", "du", "des", "d", "la", "le", "l", "les", "und", "et", "en",
    "au", "aux", "der", "die", "das", "dem", "den", "zu", "zum", "zur", "im", "am", "von", "vom", "del", "el", "los",
    "las", "y", "e",
})  # fmt: skip
_CHARACTERS_MAX, _BAG_WORDS_MAX = 120, 12
_NEAR_CHARACTERS_MIN, _BLURRED_CHARACTERS_MIN = 5, 10


@lru_cache(maxsize=8192)
def folded(text: str) -> str:
    """`Numéro d’entreprise :` and `NUMERO D'ENTREPRISE` are `numerodentreprise`."""
    plain = text if text.isascii() else _without_accents(text)
    return _MARKS.sub("", plain.casefold()).replace("_", "")


def _without_accents(text: str) -> str:
    text = text.replace("°", "o").replace("ß", "ss").replace("’", "'")
    return "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))


@lru_cache(maxsize=4096)
def forms(text: str) -> tuple[str, ...]:
    """What a cell that is a label alone may be known by: as a whole, unnumbered, without remarks, each language."""
    if len(text) > _CHARACTERS_MAX:
        return ()
    text = text.strip()
    found = [folded(text)]
    if text.replace(" ", "").isalpha():
        in_any_order = bag(text)
        return (found[0], in_any_order) if in_any_order else tuple(found)
    plain = _NUMBERED.sub("", _PARENTHESES.sub(" ", text).strip())
    found.append(folded(plain))
    parts = _PARTS.split(plain)
    found += [folded(_NUMBERED.sub("", part)) for part in parts]
    if not any(map(str.isdigit, plain)):
        found += [form for part in parts if (form := bag(part))]
    return tuple(dict.fromkeys(form for form in found if form))


def bag(text: str) -> str | None:
    """The words of a label in one order, without little ones: `Date of issue` and `Issue date` are one."""
    plain = text if text.isascii() else _without_accents(text)
    words = [word for piece in _MARKS.split(plain.casefold()) if (word := piece.strip("_"))]
    if not 1 < len(words) <= _BAG_WORDS_MAX:
        return None
    telling = sorted(word for word in words if word not in _LITTLE)
    return f"~{' '.join(telling)}" if len(telling) > 1 else None


def distance_within(one: str, other: str, most: int) -> int | None:
    """Levenshtein's distance where it is at most `most`, else None."""
    if abs(len(one) - len(other)) > most:
        return None
    before = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, against in enumerate(other, 1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (letter != against)))
        if min(now) > most:
            return None
        before = now
    return before[-1] if before[-1] <= most else None


class Known(dict[str, frozenset[Any]]):
    """Folded labels with their meanings."""

    @cached_property
    def beginnings(self) -> frozenset[str]:
        return frozenset(label[:length] for label in self for length in range(1, len(label) + 1))


def nearest(form: str, known: Known, *, blurred: bool = False) -> frozenset[Any] | None:
    """The meaning of the known label that `form` misreads: near, and nearer than any label of another meaning."""
    if len(form) < _NEAR_CHARACTERS_MIN:
        return None
    most = (1 if len(form) < 9 else 2 if len(form) < 18 else 3) + (blurred and len(form) >= _BLURRED_CHARACTERS_MIN)
    distances: dict[frozenset[Any], int] = {}
    for label, meaning in known.items():
        if len(label) >= _NEAR_CHARACTERS_MIN:
            distance = distance_within(form, label, most)
            if distance is not None:
                distances[meaning] = min(distance, distances.get(meaning, most))
    ranked = sorted(distances.items(), key=lambda found: found[1])
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def label_before(text: str, known: Known) -> tuple[int, frozenset[Any]] | None:
    """Where a label begins a text and something follows: the position after it, and what it means.

    The longest label wins. It ends where a word ends, or (OCR loses spaces) where a number begins.
    """
    form = ""
    best: tuple[int, frozenset[Any]] | None = None
    for position, character in enumerate(text[:-1]):
        piece = character.casefold() if character.isascii() and character.isalnum() else folded(character)
        if not piece:
            continue
        form += piece
        if form not in known.beginnings:
            break
        after = text[position + 1]
        if form in known and (not after.isalnum() or (character.isalpha() and after.isdigit())):
            best = (position + 1, known[form])
    return best
