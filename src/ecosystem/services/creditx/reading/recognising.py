"""Which kind of document a text is, and in which language."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ecosystem.services.creditx.reading.finding import sheet_of
from ecosystem.services.creditx.reading.kinds import KindOf, kind_of, kinds, lexicon
from ecosystem.services.creditx.reading.labels import Known, folded, forms, label_before, nearest
from ecosystem.services.creditx.reading.layout import Cell, Line

_TITLE_CHARACTERS_MAX = 90
_SHARE_TITLED, _SHARE_ALONE = 0.2, 0.6
_WELL_TITLED, _TITLE_ALONE = 0.8, 1.0
_BILL_ALONE = 0.7
BILL = "invoice"
"""A code to pay by stands on bills only."""
_INSIDE_CHARACTERS_MIN = 8


@dataclass(frozen=True)
class Recognised:
    kind: KindOf | None
    confidence: float
    language: str | None


def recognise(lines: Sequence[Line], *, ocr: bool, mrz_format: str | None = None, bill: bool = False) -> Recognised:
    """The kind with the best proof: a machine readable zone, or its title on the first page and its labels."""
    fields, languages = _labels_in(lines, ocr=ocr)
    for kind in kinds():
        if mrz_format in kind.mrz:
            return Recognised(kind, 0.99, _language(languages))
    first = lines[0][0].page if lines and lines[0] else 1
    titled = titles_in([cell for line in lines for cell in line if cell.page == first], ocr=ocr)
    best: tuple[float, float, KindOf | None] = (0.0, 0.0, None)
    for kind in kinds():
        wanted = set(kind.required) - {"mrz"}
        hits = fields.get(kind.kind, {})
        share = sum(1 for name in hits if name in wanted) / len(wanted)
        title = titled.get(kind.kind, 0.0)
        if ocr and title >= _WELL_TITLED and share < _SHARE_TITLED:
            share = max(share, _share_of_misread(lines, kind))
        if not (title and share >= _SHARE_TITLED) and share < _SHARE_ALONE and title <= _TITLE_ALONE:
            continue
        # Labels that other kinds do not have say more.
        own = sum(hits.values()) / len(wanted)
        proof = title + own + 0.3 * share
        if proof > best[0]:
            best = (proof, round(0.5 * min(title, 1.0) + 0.5 * min(1.0, share + 0.1), 2), kind)
    if best[2] is None and bill:
        return Recognised(kind_of(BILL), _BILL_ALONE, _language(languages))
    return Recognised(best[2], best[1], _language(languages))


def _share_of_misread(lines: Sequence[Line], kind: KindOf) -> float:
    """The share of required fields at labels that OCR may have misread."""
    sheet = sheet_of(list(lines), kind, ocr=True)
    named = {name for label in sheet.labels.values() for name in label.fields}
    return len(named & set(kind.required)) / len(kind.required)


def _labels_in(lines: Sequence[Line], *, ocr: bool) -> tuple[dict[str, dict[str, float]], Counter[str]]:
    """Fields by kind with how much their label says for it (1: no other kind has it); languages by labels."""
    words = lexicon()
    hits: dict[str, dict[str, float]] = {}
    languages: Counter[str] = Counter()
    for line in lines:
        for cell in line:
            for form in _label_forms(cell.text):
                meaning = words.fields.get(form)
                spoken = words.languages.get(form)
                if spoken:
                    languages.update({language: 4 // len(spoken) for language in spoken})
                if meaning is None:
                    continue
                among = len({kind for kind, _ in meaning})
                for kind, name in meaning:
                    hits.setdefault(kind, {})[name] = max(hits.get(kind, {}).get(name, 0.0), 1 / among)
    return hits, languages


def _label_forms(text: str) -> tuple[str, ...]:
    if len(text) > _TITLE_CHARACTERS_MAX and ":" not in text[:_TITLE_CHARACTERS_MAX]:
        return ()
    head, colon, _ = text.partition(":")
    if colon and len(head) <= _TITLE_CHARACTERS_MAX:
        return forms(head)
    if any(map(str.isdigit, text)) and (begun := label_before(text, lexicon().languages)):
        return (folded(text[: begun[0]]),)
    return forms(text)


def _language(languages: Counter[str]) -> str | None:
    ranked = languages.most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def titles_in(cells: Sequence[Cell], *, ocr: bool) -> dict[str, float]:
    """Kinds whose title stands in a cell: 1 alone, 0.9 with a number or name after it, 0.6 inside a large line."""
    words = lexicon()
    heights = sorted(cell.height for cell in cells)
    usual = heights[len(heights) // 2] if heights else 0.0
    found: dict[str, float] = {}

    def note(names: frozenset[str], proof: float) -> None:
        for name in names:
            found[name] = max(found.get(name, 0.0), proof)

    for cell in cells:
        if len(cell.text) > _TITLE_CHARACTERS_MAX:
            continue
        own = forms(cell.text)
        if alone := [words.titles[form] for form in own if form in words.titles]:
            large = 0.1 if cell.height > 1.2 * usual else 0.0
            for names in alone:
                note(names, 0.95 + large)
            continue
        begun = label_before(cell.text, words.titles)
        if begun and cell.text[begun[0] :].strip()[:1] not in (":", ""):
            note(begun[1], 0.9 if cell.height > 1.2 * usual else 0.6)
        elif cell.height > 1.2 * usual:
            _inside(own[0] if own else "", words.titles, note, ocr=ocr)
    return found


def _inside(form: str, titles: Known, note: Callable[[frozenset[str], float], None], *, ocr: bool) -> None:
    within = [title for title in titles if len(title) >= _INSIDE_CHARACTERS_MIN and title in form]
    if within:
        note(titles[max(within, key=len)], 0.8)
    elif ocr and (names := nearest(form, titles)):
        note(names, 0.8)
