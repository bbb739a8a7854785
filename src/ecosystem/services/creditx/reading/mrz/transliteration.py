"""What a printed name may look like in a zone. Source: ICAO Doc 9303-3, section 6 (recommended transliterations), 4.6
(punctuation in names).

Where Doc 9303 leaves a choice (ä is AE or A, ñ is N or NXX) each is right.
"""

import unicodedata

_CHOICES = {
    "Ä": ("AE", "A", "AXX"), "Ö": ("OE", "O"), "Ü": ("UE", "UXX", "U"), "Å": ("AA", "A"), "Ñ": ("N", "NXX"),
    "Æ": ("AE",), "Ø": ("OE", "O"), "Œ": ("OE",), "ẞ": ("SS",), "Þ": ("TH",), "Ð": ("D", "DH"), "Đ": ("D", "DJ"),
    "Ł": ("L",), "Ħ": ("H",), "Ŧ": ("T",), "Ŋ": ("N",), "ĸ": ("Q", "K"), "ı": ("I",), "Ĳ": ("IJ",), "Ә": ("A",),
    "А": ("A",), "Б": ("B",), "В": ("V",), "Г": ("G", "H"), "Д": ("D",), "Е": ("E", "IE"), "Ё": ("E", "IO", "YO"),
    "Ж": ("ZH", "Z"), "З": ("Z",), "И": ("I", "Y"), "І": ("I",), "Й": ("I", "Y"), "К": ("K",), "Л": ("L",),
    "М": ("M",), "Н": ("N",), "О": ("O",), "П": ("P",), "Р": ("R",), "С": ("S",), "Т": ("T",), "У": ("U",),
    "Ф": ("F",), "Х": ("KH", "H", "X"), "Ц": ("TS", "C"), "Ч": ("CH", "C"), "Ш": ("SH", "S"),
    "Щ": ("SHCH", "SHT"), "Ъ": ("IE", ""), "Ы": ("Y",), "Ь": ("",), "Э": ("E",), "Ю": ("IU", "YU"),
    "Я": ("IA", "YA"), "Ў": ("U",), "Ѓ": ("G",), "Є": ("IE", "YE"), "Ї": ("I", "YI"), "Ґ": ("G",), "Ј": ("J",),
    "Љ": ("LJ",), "Њ": ("NJ",), "Ћ": ("C",), "Ђ": ("D", "DJ"), "Џ": ("DZ", "DJ"),
}  # fmt: skip
_LEFT_OUT = frozenset("'’‘`´ʼ.·\"")
_APART = frozenset(" -‐‑–—,/\u00a0")
_NAME_CHARACTERS_MAX = 120
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def written_as(printed: str) -> list[tuple[str, ...]] | None:
    """For each character of a printed name what may stand for it: capitals, a space between words, or nothing.

    None where a letter has no transliteration here (another script).
    """
    choices: list[tuple[str, ...]] = []
    text = unicodedata.normalize("NFC", printed.strip()[:_NAME_CHARACTERS_MAX]).replace("ß", "ẞ")
    for char in (upper for letter in text for upper in (letter if letter in "ẞı" else letter.upper())):
        if char in _APART:
            choices.append((" ",))
        elif char in _LEFT_OUT:
            choices.append(("", " ") if char not in '.·"' else ("",))
        elif char in _CHOICES:
            choices.append(_CHOICES[char])
        else:
            plain = "".join(letter for letter in unicodedata.normalize("NFKD", char) if letter in _LETTERS)
            if plain:
                choices.append((plain,))
            elif not unicodedata.combining(char):
                return None
    return choices


def matches(choices: list[tuple[str, ...]], written: str, *, truncated: bool) -> bool:
    """Whether `written` (words of a zone) is one way to write these characters; its beginning where `truncated`."""
    reached = {0}
    for options in choices:
        following = set()
        for at in reached:
            if truncated and at >= len(written):
                return True
            for option in options:
                if option == " " and (at == 0 or written[at - 1 : at] == " "):
                    following.add(at)
                elif written.startswith(option, at):
                    following.add(at + len(option))
                elif truncated and option.startswith(written[at:]):
                    return True
        reached = following
        if not reached:
            return False
    return len(written) in reached
