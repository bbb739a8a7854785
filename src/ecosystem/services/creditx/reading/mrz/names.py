"""The names of a zone: surname, given names, and where the name ends and the fillers begin.

Source: ICAO Doc 9303-3, 4.6 (convention for writing the name): primary identifier, two fillers, secondary identifier.
"""

import re
from dataclasses import dataclass

from ecosystem.services.creditx.reading.mrz.characters import FILLER, as_letters, changes

_LIKE = "KXCL"
_RUN = re.compile(rf"[{_LIKE}<]+$")
_SAME = re.compile(r"(?:K{3,}|X{3,}|C{3,}|L{4,})$")
_MIXED = re.compile(r"[KXC]{6,}$")
_SEPARATOR_MISREAD = re.compile(rf"(?<=[A-Z]{{2}})(?:[{_LIKE}]<|<[{_LIKE}]|KK|XX)(?=[A-Z]{{2}})")


@dataclass(frozen=True)
class Names:
    """Words are separated by one space. `sure`: the fillers themselves say where each name begins and ends.

    `truncated`: the field is full, so that the name may go on.
    """

    surname: str
    given_names: str
    repaired: int
    sure: bool
    truncated: bool

    def written(self, length: int) -> str:
        """The field as Doc 9303 writes it."""
        parts = [self.surname.replace(" ", FILLER)] + ([self.given_names.replace(" ", FILLER)] * bool(self.given_names))
        return f"{FILLER * 2}".join(parts)[:length].ljust(length, FILLER)


def names_of(field: str, length: int, *, exact: bool = False) -> Names:
    """The names in a field as read, of whatever length, that should have had `length` characters.

    `exact`: nothing was misread, so nothing is repaired.
    """
    if exact:
        name = field.strip(FILLER)
        surname, apart, rest = name.partition(FILLER * 2)
        return Names(_words(surname), _words(rest), 0, bool(apart), len(name) >= length)
    letters = as_letters(field)
    repaired = changes(field, letters)
    letters = letters.lstrip(FILLER)
    name, removed, clean = _without_fillers(letters)
    repaired += removed
    surname, apart, rest = name.partition(FILLER * 2)
    sure = clean and bool(apart) and not repaired
    if not apart and (misread := _SEPARATOR_MISREAD.search(name)):
        surname, rest, sure = name[: misread.start()], name[misread.end() :], False
        repaired += 1
    return Names(_words(surname), _words(rest), repaired, sure, len(name) >= length)


def _words(field: str) -> str:
    return " ".join(part for part in field.split(FILLER) if part)


def _without_fillers(letters: str) -> tuple[str, int, bool]:
    """The field up to where only fillers follow, how many fillers were misread, and whether that is beyond doubt."""
    match = _RUN.search(letters)
    run = match.group() if match else ""
    body = letters[: len(letters) - len(run)]
    if FILLER not in run:
        same = _SAME.search(run) or _MIXED.search(run)
        kept = run[: same.start()] if same else run
        return body + kept, len(run) - len(kept), not same
    touching, _, rest = run.partition(FILLER)
    # A short name of these letters (Max, Beck) ends before a filler too; four in a row are no name.
    if (same := _SAME.search(touching) or _MIXED.search(touching)) and body:
        touching = touching[: same.start()]
        return body + touching, sum(char != FILLER for char in run) - len(touching), False
    misread = sum(char != FILLER for char in rest)
    if not misread:
        return body + touching, 0, True
    has_given = FILLER * 2 in (body + touching).strip(FILLER)
    first = re.match(rf"<?([{_LIKE}]{{1,12}})(?:<|$)", rest)
    if first and not has_given and rest.startswith(FILLER) and first.group(1) not in ("C", "CC", "KK", "XX"):
        # Behind the first two fillers stands the given name, whatever its letters.
        end = first.end(1)
        return body + touching + FILLER + rest[:end], sum(char != FILLER for char in rest[end:]), False
    return body + touching, misread, False
