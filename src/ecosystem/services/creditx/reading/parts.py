"""Several documents in one file: where each begins, and which of its pages are missing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ecosystem.services.creditx.reading.finding import candidates, sheet_of
from ecosystem.services.creditx.reading.kinds import KindOf, kind_of
from ecosystem.services.creditx.reading.labels import folded
from ecosystem.services.creditx.reading.layout import Line
from ecosystem.services.creditx.reading.papers import Zone, zone_on
from ecosystem.services.creditx.reading.recognising import recognise, titles_in

_PAGE_WORDS = r"page|seite|p[aá]gina|p[aá]g\.?|blatt|feuille|hoja|p\."
_OF_WORDS = r"of|de|von|sur|di|/|aus"
_NUMBERED = re.compile(
    rf"(?<![^\W\d_])(?:{_PAGE_WORDS})\s*(\d{{1,3}})\s*(?:(?:{_OF_WORDS})\s*(\d{{1,3}}))?(?!\d)", re.I
)
_BARE = re.compile(r"[-–(]?\s*(\d{1,3})\s*/\s*(\d{1,3})\s*[)–-]?")
_CELL_CHARACTERS_MAX = 160
_TOP_SHARE, _EDGE_SHARE = 0.45, 0.12
_TITLED = 0.9
_TELLING = ("date", "date_range", "amount", "iban", "number", "tax_number", "year", "name", "document_number")


@dataclass
class PageText:
    """One page: its lines from top to bottom, and the printed number ("Page 2 of 3": 2, 3) where it has one."""

    page: int
    height: float
    lines: list[Line]
    ocr: bool = False
    numbered: tuple[int, int | None] | None = None
    zone: Zone | None = None
    codes: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Part:
    pages: list[PageText] = field(default_factory=list)

    @property
    def lines(self) -> list[Line]:
        return [line for page in self.pages for line in page.lines]

    @property
    def numbering(self) -> dict[str, object] | None:
        """`{"stated", "present"}` where pages say how many there are; `stated` is None where they contradict."""
        stated = {page.numbered[1] for page in self.pages if page.numbered and page.numbered[1]}
        present = [page.numbered[0] for page in self.pages if page.numbered and page.numbered[1]]
        return {"stated": stated.pop() if len(stated) == 1 else None, "present": present} if stated else None


def number_of(lines: Sequence[Line], height: float) -> tuple[int, int | None] | None:
    """The printed number of a page; a bare "1/3" counts at its upper or lower edge only."""
    for line in lines:
        for cell in line:
            if len(cell.text) > _CELL_CHARACTERS_MAX:
                continue
            match = _NUMBERED.search(cell.text)
            if match is None and not _EDGE_SHARE * height < cell.middle < (1 - _EDGE_SHARE) * height:
                match = _BARE.fullmatch(cell.text.strip())
            if match:
                number, stated = int(match[1]), int(match[2]) if match[2] else None
                if number >= 1 and (stated is None or number <= stated):
                    return number, stated
    return None


def parts_of(pages: Sequence[PageText]) -> list[Part]:
    """Pages as documents. A page begins one where its number restarts, or its title and labels do."""
    parts: list[Part] = []
    kinds: set[str] = set()
    for page in pages:
        page.numbered, page.zone = number_of(page.lines, page.height), zone_on(page.lines)
        titles = _titles(page) if len(pages) > 1 else {}
        if not parts or _begins(page, titles, parts[-1], kinds):
            parts.append(Part())
            kinds = set(titles) or (_known_by_labels(page) if len(pages) > 1 else set())
        parts[-1].pages.append(page)
    return parts


def _titles(page: PageText) -> dict[str, float]:
    top = [cell for line in page.lines for cell in line if cell.middle <= _TOP_SHARE * page.height]
    return {kind: proof for kind, proof in titles_in(top, ocr=page.ocr).items() if proof >= _TITLED}


def _begins(page: PageText, titles: dict[str, float], before: Part, kinds: set[str]) -> bool:
    last = before.pages[-1]
    if page.numbered and last.numbered:
        number, stated = page.numbered
        if number == 1:
            return True
        if number > last.numbered[0] and stated == last.numbered[1]:
            return False
    elif page.numbered and page.numbered[0] > 1:
        return False
    if page.zone:
        return bool(titles) or any(other.zone for other in before.pages) or bool(kinds - _with_mrz())
    if not titles:
        # A title that nobody knows over labels that somebody does.
        labelled = _known_by_labels(page) if kinds else set()
        return bool(labelled) and not labelled & kinds
    return not set(titles) & kinds or any(_another(page, before, name) for name in set(titles) & kinds)


def _known_by_labels(page: PageText) -> set[str]:
    kind = recognise(page.lines, ocr=page.ocr).kind
    return {kind.kind} if kind else set()


def _with_mrz() -> set[str]:
    return {name for name in ("passport", "identity_card", "visa") if kind_of(name)}


def _another(page: PageText, before: Part, name: str) -> bool:
    """Whether a page that repeats the title says something else at the labels that it repeats too."""
    kind = kind_of(name)
    if kind is None:
        return False
    ours, theirs = _said(page, kind), _said(before.pages[0], kind)
    return any(ours[field] != theirs[field] for field in ours.keys() & theirs.keys())


def _said(page: PageText, kind: KindOf) -> dict[str, str]:
    """The text at the first label of each field, as far as it tells documents apart."""
    found = candidates(sheet_of(page.lines, kind, ocr=page.ocr))
    return {name: folded(texts[0].text) for name, texts in found.items() if kind.fields[name].type in _TELLING}
