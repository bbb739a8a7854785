"""A page that was read from its pixels, and the batches in which pages are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ecosystem.contracts.creditx import PAGES_OF_BATCH_MAX


@dataclass(frozen=True)
class PageText:
    """`sealed` is what stands on the page (the answer of `reading.ocr`), under the document's key.

    `confidence` is 0 to 1; `engine` is None where nothing could be read from the page.
    """

    page: int
    sealed: bytes
    engine: str | None
    confidence: float
    characters: int


class LineAnswer(BaseModel):
    """What is relied on here of a line of a page; the rest is for who extracts values."""

    model_config = ConfigDict(extra="allow")

    text: str


class PageAnswer(BaseModel):
    """The sandbox's answer for one page, as far as it is relied on here."""

    model_config = ConfigDict(extra="allow")

    page: int
    engine: str | None = Field(max_length=40)
    confidence: float = Field(ge=0, le=1)
    lines: list[LineAnswer]

    @property
    def characters(self) -> int:
        return sum(len(line.text) for line in self.lines)


def batches_of(pages: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """The pages in their order, a few in each batch."""
    size = PAGES_OF_BATCH_MAX
    return tuple(tuple(pages[start : start + size]) for start in range(0, len(pages), size))


def mean_confidence(texts: Sequence[PageText]) -> float | None:
    """Weighted by characters; None where there are none."""
    characters = sum(text.characters for text in texts)
    if characters == 0:
        return None
    return round(sum(text.confidence * text.characters for text in texts) / characters, 3)


def place_of(document_id: UUID, page: int) -> str:
    """Binds the sealed text to its page."""
    return f"page_texts.sealed/{document_id}/{page}"


def answers_of(answer: Any, asked: Sequence[int]) -> list[tuple[PageAnswer, dict[str, Any]]]:
    """Each page that was asked for, checked and as it came. Raises ValueError: the answer is not of that form."""
    if not isinstance(answer, list):
        raise ValueError("no list of pages")
    found = [(PageAnswer.model_validate(one), one) for one in answer]
    if not {one.page for one, _ in found} <= set(asked):
        raise ValueError("a page that was not asked for")
    return found
