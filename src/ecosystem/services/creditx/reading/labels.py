"""Labels and titles as they are compared: without case, accents, marks and spaces."""

import re
import unicodedata
from functools import lru_cache

_MARKS = re.compile(r"[^\w#]+")
_NUMBERED = re.compile(r"^\(?(?:\d{1,2}[.)]?|[a-z][.)]|\d{1,2}[a-z][.)]?)\s+(?=\D)")
_PARENTHESES = re.compile(r"[(\[][^()\[\]]*[)\]]")
_PARTS = re.compile(r"\s*[/|·•]\s*|\s+[-–—]\s+")
_CHARACTERS_MAX = 120
_LOOKS_LIKE = str.maketrans("0135|$", "oiesis")


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
    plain = _NUMBERED.sub("", _PARENTHESES.sub(" ", text).strip())
    found.append(folded(plain))
    found += [folded(_NUMBERED.sub("", part)) for part in _PARTS.split(plain)]
    return tuple(dict.fromkeys(form for form in found if form))


def as_letters(form: str) -> str:
    """A folded label with digits that OCR reads for letters taken back."""
    return form.translate(_LOOKS_LIKE)


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


def nearest(form: str, known: dict[str, frozenset[str]]) -> frozenset[str] | None:
    """The meaning of the known label that `form` misreads: near, and nearer than any label of another meaning."""
    if len(form) < 5:
        return None
    most = 1 if len(form) < 9 else 2 if len(form) < 18 else 3
    best: tuple[int, frozenset[str]] | None = None
    rival = most + 1
    for label, meaning in known.items():
        if len(label) < 5:
            continue
        distance = distance_within(form, label, most)
        if distance is None:
            continue
        if best is None or distance < best[0]:
            if best is not None and best[1] != meaning:
                rival = best[0]
            best = (distance, meaning)
        elif best[1] != meaning:
            rival = min(rival, distance)
    return best[1] if best and best[0] < rival else None


def label_before(text: str, labels: dict[str, frozenset[str]], longest: int) -> tuple[int, frozenset[str]] | None:
    """Where a label begins a text and something follows: the position after it, and what it means.

    The longest label wins. It ends where a word ends, or (OCR loses spaces) where a number begins.
    """
    form, ends = "", []
    for position, character in enumerate(text[: 2 * longest + 20]):
        piece = folded(character)
        form += piece
        ends.append((position + 1, len(form)))
        if len(form) > longest:
            break
    for end, length in reversed(ends):
        meaning = labels.get(form[:length])
        if meaning is None or end >= len(text) or (end >= 2 and ends[end - 2][1] == length):
            continue
        before, after = text[end - 1], text[end]
        if not after.isalnum() or (before.isalpha() and after.isdigit()):
            return end, meaning
    return None
