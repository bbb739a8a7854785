"""A PDF that is opened once for all that look at it; to load a page costs a millisecond, its text a quarter of one."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Self

import pypdfium2
import pypdfium2.raw as pdfium

_CHARACTERS_MAX = 100_000
_OBJECTS_MAX = 5_000
_BLANK = re.compile("[\0-\x20\xa0\xad\ud800-\udfff\ufffe\uffff]")
_CODE_MAX = 0x10FFFF


class Page:
    """Page `number` (from 1) with its text; `page` and `text` are pdfium's."""

    def __init__(self, document: Any, number: int) -> None:
        self.number = number
        self.page = document[number - 1]
        self.text = self.page.get_textpage()
        self.characters: int = self.text.count_chars()

    def close(self) -> None:
        self.text.close()
        self.page.close()

    @cached_property
    def letters(self) -> str:
        """The characters by pdfium's index, 100,000 at most; one that shows nothing is a space."""
        # One by one: pdfium's text of all may have more characters than indexes, and wrote beyond its buffer for some.
        unicode_of, raw = pdfium.FPDFText_GetUnicode, self.text.raw
        codes = [unicode_of(raw, index) for index in range(min(self.characters, _CHARACTERS_MAX))]
        return _BLANK.sub(" ", "".join([chr(code) if code <= _CODE_MAX else " " for code in codes]))

    @cached_property
    def objects(self) -> list[tuple[int, Any]]:
        """What is drawn, in its order, with its type (`FPDF_PAGEOBJ_…`), 5,000 at most."""
        raw, object_at, type_of = self.page.raw, pdfium.FPDFPage_GetObject, pdfium.FPDFPageObj_GetType
        drawn = (object_at(raw, order) for order in range(min(self.drawn, _OBJECTS_MAX)))
        return [(type_of(one), one) for one in drawn]

    @cached_property
    def drawn(self) -> int:
        """How many objects are drawn."""
        return int(pdfium.FPDFPage_CountObjects(self.page.raw))


class Pdf:
    """A file for whoever looks at it as a PDF. Pages of one with `kept_pages_max` or fewer stay loaded to its end."""

    def __init__(self, content: bytes, *, kept_pages_max: int = 0) -> None:
        self.content = content
        self._kept_pages_max = kept_pages_max
        self._kept: dict[int, Page] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if "document" in self.__dict__:
            for page in self._kept.values():
                page.close()
            self.document.close()

    @cached_property
    def document(self) -> Any:
        """Raises PdfiumError where it cannot be opened."""
        return pypdfium2.PdfDocument(self.content)

    @cached_property
    def pages(self) -> int:
        return len(self.document)

    @contextmanager
    def page(self, number: int) -> Iterator[Page]:
        """Page `number`, from 1. Raises PdfiumError where it cannot be loaded."""
        page = self._kept.get(number) or Page(self.document, number)
        if self.pages <= self._kept_pages_max:
            self._kept[number] = page
            yield page
            return
        try:
            yield page
        finally:
            page.close()
