"""Names of people and companies, addresses and free text: as printed, with spaces folded."""

import re

from ecosystem.services.creditx.reading.values import Read

_NAME_CHARACTERS_MAX, _TEXT_CHARACTERS_MAX, _NAMES_MAX = 100, 300, 50
_BETWEEN_NAMES = re.compile(r"\s*,\s*|\s+(?:and|(?<!von )und|et|y|&)\s+")
# Marks that no name has, and the stump of one that was cut off.
_STRANGE = re.compile(r"[!|\\{}\[\]~^=<>_;?*]|-\w?$")
_TAIL = " ,;:|·•*"
_POSTCODE_TOWN = re.compile(
    r"(?:[A-Z]{1,2}-)?(?<!\d)\d{4,5}(?!\d)\s+[^\W\d_]{2}|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}(?![A-Z])|[A-Z]{2} \d{5}(?!\d)"
    r"|(?<![A-Z])[A-Z]\d[\dW] [A-Z\d]{4}(?![A-Z\d])"
)


def read_text(text: str) -> Read | None:
    cleaned = " ".join(text.split())[:_TEXT_CHARACTERS_MAX].strip(" |")
    return Read(cleaned) if any(character.isalnum() for character in cleaned) else None


def read_name(text: str) -> Read | None:
    """A person's name: letters, at most 100 characters, no digits."""
    cleaned = " ".join(text.split()).strip(_TAIL)
    letters = sum(character.isalpha() for character in cleaned)
    if not letters >= 2 or len(cleaned) > _NAME_CHARACTERS_MAX or letters < 0.6 * len(cleaned):
        return None
    return Read(cleaned, certain=not _STRANGE.search(cleaned) and not any(map(str.isdigit, cleaned)))


def read_company(text: str) -> Read | None:
    """A company's or an office's name: letters among it, at most 100 characters."""
    cleaned = " ".join(text.split()).strip(" ,;:|·•*")
    letters, digits = sum(map(str.isalpha, cleaned)), sum(map(str.isdigit, cleaned))
    if len(cleaned) > _NAME_CHARACTERS_MAX or letters < 2 or digits > letters:
        return None
    return Read(cleaned, certain=not _STRANGE.search(cleaned))


def read_names(text: str) -> Read | None:
    """Several names, joined by "; "."""
    pieces = text.split(";") if ";" in text else _BETWEEN_NAMES.split(text)
    names = [name for piece in pieces if (name := read_name(piece))]
    certain = all(name.certain for name in names)
    return Read("; ".join(name.value for name in names[:_NAMES_MAX]), certain=certain) if names else None


def read_address(text: str) -> Read | None:
    cleaned = re.sub(r"\s*,[\s,]*", ", ", " ".join(text.split()))[:_TEXT_CHARACTERS_MAX].strip(_TAIL)
    if sum(character.isalpha() for character in cleaned) < 3:
        return None
    return Read(cleaned, certain=any(character.isdigit() for character in cleaned))


def has_postcode(text: str) -> bool:
    """Whether a line names a town with its postcode, as in Europe, Britain, Ireland or the United States."""
    return bool(_POSTCODE_TOWN.search(text))
