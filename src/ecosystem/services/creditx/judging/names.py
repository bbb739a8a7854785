"""Whether two texts name one person, one company or one place: blind to order, case, accents and transliteration.

Strict where it counts: no distance between spellings is forgiven, because Martin and Martina, Schmid and Schmidt are
two people. What cannot be compared (another script, nothing in common to compare) is `none`, never `same`.
"""

import re
import unicodedata
from typing import Literal

Same = Literal["same", "different", "none"]
Word = frozenset[str]
"""The ways to write one word in plain letters; two words are one where they share a way."""
# As ICAO 9303-3 (section 6) writes them in an MRZ, and as people do who leave the sign away.
_WAYS = {"ä": ("ae", "a"), "ö": ("oe", "o"), "ü": ("ue", "u"), "å": ("aa", "a"), "ø": ("oe", "o"), "ñ": ("n", "nxx"),
         "ß": ("ss",), "æ": ("ae",), "œ": ("oe",), "ł": ("l",), "đ": ("d",), "ð": ("d",), "þ": ("th",), "ı": ("i",),
         "ħ": ("h",)}  # fmt: skip
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "herr", "frau", "monsieur", "madame", "mme", "sr", "sra",
                     "ing", "mag"})  # fmt: skip
_PARTICLES = frozenset({"de", "da", "dos", "del", "della", "di", "du", "la", "van", "von", "der", "den", "zu", "zur",
                        "y"})  # fmt: skip
_LEGAL_FORMS = frozenset({
    "ag", "sa", "gmbh", "sarl", "sagl", "ltd", "limited", "llc", "llp", "lp", "inc", "incorporated", "corp", "plc",
    "corporation", "co", "company", "kg", "ohg", "se", "sas", "sasu", "srl", "sl", "slu", "spa", "bv", "nv", "eurl",
    "sociedad", "anonima", "limitada", "societe", "anonyme", "und", "and", "et",
})  # fmt: skip
_STREETS = (("str", "strasse"), ("st", "street"), ("rd", "road"), ("ave", "avenue"), ("av", "avenue"), ("pl", "platz"),
            ("c", "calle"), ("bd", "boulevard"), ("blvd", "boulevard"), ("sq", "square"))  # fmt: skip
_STREET_WORDS = dict(_STREETS)
_APOSTROPHES = re.compile(r"[’'`]")
_TOKEN = re.compile(r"[^\W_]+")


def same_person(one: str, other: str) -> Same:
    """Every name of the shorter is a name (or its initial) of the longer, and one agrees in full.

    `Keller, Anna` and `Anna Maria KELLER` are one; `Anna Keller` and `Hans Keller` are two.
    """
    without = _TITLES | _PARTICLES
    short, long = sorted((_words(one, without), _words(other, without)), key=len)
    if not short or not _comparable(short + long):
        return "none"
    rest, full = list(long), 0
    for word in sorted(short, key=lambda word: -len(min(word))):
        found = next((name for name in rest if name & word), None) or next(
            (name for name in rest if _initial(name, word)), None
        )
        if found is None:
            return "different"
        rest.remove(found)
        full += bool(found & word)
    return "same" if full and (len(short) > 1 or len(long) == 1) else "none"


def same_company(one: str, other: str) -> Same:
    """The same words, whatever the legal form and its spelling. `Alder Werke A.G.` and `ALDER WERKE AG` are one."""
    first, second = _words(_unspelt(one), _LEGAL_FORMS), _words(_unspelt(other), _LEGAL_FORMS)
    if not first or not second or not _comparable(first + second):
        return "none"
    agreeing = sum(any(word & name for name in second) for word in first)
    return "same" if agreeing == len(first) == len(second) else "different"


def same_address(one: str, other: str) -> Same:
    """The same numbers (house, postcode) as far as both have them, and at least half of the shorter one's words."""
    first, second = _words(_street(one)), _words(_street(other))
    numbers, others = _numbers(first), _numbers(second)
    words, further = [w for w in first if not _numbers([w])], [w for w in second if not _numbers([w])]
    if not words or not further or not _comparable(first + second):
        return "none"
    if not (numbers <= others or others <= numbers):
        return "different"
    short, long = sorted((words, further), key=len)
    agreeing = sum(any(word & name for name in long) for word in short)
    return "same" if 2 * agreeing >= len(short) else "different"


def _words(text: str, without: frozenset[str] = frozenset()) -> list[Word]:
    found = [_ways(word) for word in _TOKEN.findall(_APOSTROPHES.sub("", _lower(text)))]
    return [word for word in found if not word & without] or found


def _ways(word: str) -> Word:
    ways = [""]
    for letter in word:
        plain = "".join(sign for sign in unicodedata.normalize("NFD", letter) if not unicodedata.combining(sign))
        written = _WAYS.get(letter, (plain,))
        # Two ways of a whole word, not of each letter: whoever leaves one sign away leaves all away.
        ways = [way + written[min(number, len(written) - 1)] for number, way in enumerate(ways * (2 // len(ways)))]
    return frozenset(ways)


def _initial(one: Word, other: Word) -> bool:
    short, long = sorted((min(one), min(other)), key=len)
    return len(short) == 1 and long[0] == short


def _lower(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", text).casefold())


def _unspelt(text: str) -> str:
    """`A.G.` and `S. à r. l.` are one word each: single letters beside each other belong together."""
    return re.sub(r"\b(\w)(?:\.\s*|\s+)(?=\w\b)", r"\1", text)


def _street(text: str) -> str:
    words = [_STREET_WORDS.get(word, word) for word in re.findall(r"[^\W_]+", _lower(text))]
    return " ".join(f"{word}asse" if word.endswith("str") and len(word) > 4 else word for word in words)


def _numbers(words: list[Word]) -> set[str]:
    return {min(word) for word in words if min(word)[0].isdigit()}


def _comparable(words: list[Word]) -> bool:
    """One script only: what was transliterated by somebody else's table is left to a person."""
    letters = {letter for word in words for way in word for letter in way if letter.isalpha()}
    return len({unicodedata.name(letter, "?").split()[0] for letter in letters}) <= 1
