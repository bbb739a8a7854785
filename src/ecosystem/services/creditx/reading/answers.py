"""Short answers: yes or no (ticked boxes too), sex, and the names of countries."""

import re
from functools import cache

from babel import Locale
from pycountry import countries

from ecosystem.services.creditx.reading.kinds import LANGUAGES
from ecosystem.services.creditx.reading.labels import folded
from ecosystem.services.creditx.reading.mrz import states
from ecosystem.services.creditx.reading.values import Read

_TEXT_CHARACTERS_MAX = 120
_YES_NO = {
    "yes": "yes", "no": "no", "y": "yes", "n": "no", "true": "yes", "false": "no", "oui": "yes", "non": "no",
    "ja": "yes", "nein": "no", "si": "yes",
}  # fmt: skip
_OPTION = re.compile(r"(?<![^\W_])(yes|no|oui|non|ja|nein|s[ií])(?![^\W_])", re.IGNORECASE)
_TICKED = r"\[\s?[xX×✓✔]\s?\]|\(\s?[xX×✓✔•]\s?\)|[☒☑✓✔✗✘☓⊠⊗◉●■]|(?<![^\W_])[xX×](?![^\W_])"
_EMPTY = r"\[\s?\]|\(\s?\)|[☐□○◯▢口]"
_MARK = re.compile(rf"(?P<ticked>{_TICKED})|(?P<empty>{_EMPTY})|(?P<option>{_OPTION.pattern})", re.IGNORECASE)
_SEX = {
    "f": "F", "m": "M", "x": "X", "w": "F", "h": "M", "female": "F", "male": "M", "feminin": "F", "masculin": "M",
    "weiblich": "F", "mannlich": "M", "femenino": "F", "masculino": "M", "mujer": "F", "hombre": "M", "femme": "F",
    "homme": "M", "divers": "X", "fm": "F", "fw": "F", "mm": "M",
}  # fmt: skip


def read_yes_no(text: str) -> Read | None:
    """`yes` or `no`: the word alone or at the begin of an answer, or the one of both whose box is ticked."""
    text = text[:_TEXT_CHARACTERS_MAX].strip()
    marks = [(match.lastgroup or "", match[0], match.start(), match.end()) for match in _MARK.finditer(text)]
    options = [mark for mark in marks if mark[0] == "option"]
    answer = _YES_NO.get(folded(text))
    if answer:
        # A word beside an empty box was not chosen, and what was stands elsewhere.
        return None if any(kind == "empty" for kind, *_ in marks) else Read(answer)
    if not any(kind == "ticked" for kind, *_ in marks):
        if len(options) == 2 and sum(mark[0] == "empty" for mark in marks) == 1:
            return _without_empty_box(marks)
        first = re.match(r"([^\W\d_]{1,4})\s*[,.;:–-]", text)
        answer = _YES_NO.get(folded(first[1])) if first and len(options) == 1 else None
        return Read(answer, partial=True) if answer else None
    if not options:
        return None
    ticked = _ticked_option(marks)
    return Read(_YES_NO[folded(ticked)]) if ticked else None


def place_of_answer(text: str, answer: str) -> tuple[int, int] | None:
    """Which characters of an answer say `yes` or `no`."""
    spans = (match.span() for match in _OPTION.finditer(text) if _YES_NO[folded(match[0])] == answer)
    return next(spans, None)


def _without_empty_box(marks: list[tuple[str, str, int, int]]) -> Read | None:
    """Two words and one empty box: the other word's box could not be read as text, so it is ticked; not surely."""
    place = next(position for position, mark in enumerate(marks) if mark[0] == "empty")
    _, _, start, end = marks[place]
    words = [mark for mark in marks if mark[0] == "option"]
    nearer = min(words, key=lambda mark: min(abs(mark[2] - end), abs(start - mark[3])))
    other = next(mark for mark in words if mark is not nearer)
    return Read(_YES_NO[folded(other[1])], certain=False)


def _ticked_option(marks: list[tuple[str, str, int, int]]) -> str | None:
    """Boxes stand before their words, or all of them behind: as the first mark of the text does."""
    boxes = [mark for mark in marks if mark[0] != "option"]
    if sum(kind == "ticked" for kind, *_ in boxes) != 1:
        return None
    position = next(place for place, mark in enumerate(marks) if mark[0] == "ticked")
    options = sum(kind == "option" for kind, *_ in marks)
    if options == 1 or len(boxes) == 1:
        # One box only: it belongs to the nearer word.
        start, end = marks[position][2:]
        words = [(min(abs(mark[2] - end), abs(start - mark[3])), mark[1]) for mark in marks if mark[0] == "option"]
        return min(words)[1]
    before = marks[0][0] != "option"
    neighbour = position + 1 if before else position - 1
    return marks[neighbour][1] if 0 <= neighbour < len(marks) and marks[neighbour][0] == "option" else None


def read_sex(text: str) -> Read | None:
    answer = _SEX.get(folded(text[:_TEXT_CHARACTERS_MAX]))
    if answer is None:
        # "F / F", "F – Female": each part says the same.
        parts = {_SEX.get(folded(part)) for part in re.split(r"[/–-]", text[:_TEXT_CHARACTERS_MAX])}
        answer = parts.pop() if len(parts) == 1 else None
    return Read(answer) if answer else None


@cache
def country_names() -> dict[str, str]:
    """ISO 3166-1 alpha-3 by the folded name of a country in each language, and by its alpha-3 code."""
    found: dict[str, str] = {}
    by_two = {country.alpha_2: country.alpha_3 for country in countries}
    for language in LANGUAGES:
        for code, name in Locale(language).territories.items():
            if code in by_two:
                found[folded(str(name))] = by_two[code]
    for country in countries:
        found[folded(country.name)] = country.alpha_3
        if official := getattr(country, "official_name", None):
            found[folded(official)] = country.alpha_3
    return found | {
        "usa": "USA", "unitedstatesofamerica": "USA", "uk": "GBR", "greatbritain": "GBR", "england": "GBR",
        "scotland": "GBR", "wales": "GBR", "holland": "NLD", "etatsunisdamerique": "USA",
        "vereinigtestaatenvonamerika": "USA",
        "estadosunidosdeamerica": "USA", "czechrepublic": "CZE", "schweizerischeeidgenossenschaft": "CHE",
        "confederationsuisse": "CHE", "swissconfederation": "CHE", "bundesrepublikdeutschland": "DEU",
        "republiquefrancaise": "FRA", "reinodeespana": "ESP", "republikosterreich": "AUT",
    }  # fmt: skip


_ADJECTIVES = {
    "deutsch": "DEU", "german": "DEU", "allemande": "DEU", "allemand": "DEU", "alemana": "DEU", "aleman": "DEU",
    "swiss": "CHE", "schweizerisch": "CHE", "schweizer": "CHE", "suisse": "CHE", "suiza": "CHE", "suizo": "CHE",
    "french": "FRA", "francaise": "FRA", "francais": "FRA", "franzosisch": "FRA", "francesa": "FRA", "frances": "FRA",
    "spanish": "ESP", "espanola": "ESP", "espanol": "ESP", "espagnole": "ESP", "spanisch": "ESP",
    "austrian": "AUT", "osterreichisch": "AUT", "autrichienne": "AUT", "austriaca": "AUT",
    "british": "GBR", "britishcitizen": "GBR", "britisch": "GBR", "britannique": "GBR", "britanica": "GBR",
    "american": "USA", "americaine": "USA", "amerikanisch": "USA", "estadounidense": "USA",
    "unitedstatesofamerica": "USA", "italian": "ITA", "italienne": "ITA", "italienisch": "ITA", "italiana": "ITA",
    "irish": "IRL", "portuguese": "PRT", "utopian": "UTO", "utopia": "UTO",
}  # fmt: skip


def read_country(text: str) -> Read | None:
    """ISO 3166-1 alpha-3 of a code (ICAO 9303 has more of them) or a name."""
    text = " ".join(text.split())[:_TEXT_CHARACTERS_MAX]
    if re.fullmatch(r"[A-Z]{3}|D", text):
        return Read(states.iso(text), certain=text in states.CODES)
    name = country_names().get(folded(text)) or _ADJECTIVES.get(folded(text))
    if name:
        return Read(name)
    parts = {country_names().get(folded(part)) or _ADJECTIVES.get(folded(part)) for part in re.split(r"[/|]", text)}
    found = parts - {None}
    return Read(str(found.pop())) if len(found) == 1 else None


def alpha3_of(code: str) -> str | None:
    country = countries.get(alpha_2=code)
    return str(country.alpha_3) if country else None
