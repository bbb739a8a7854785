"""The use cases of pages: read those without a text layer, hand over what was read, show any of them."""

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import orjson

from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.sandbox.errors import SandboxCrash, SandboxError
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.kernel.sandbox.shared import SharedBytes
from ecosystem.services.creditx.errors import DocumentNotFound, PageNotFound
from ecosystem.services.creditx.holding.vault import Vault
from ecosystem.services.creditx.model import Document
from ecosystem.services.creditx.paging.page_text import PageText, answers_of, place_of
from ecosystem.services.creditx.repository import Documents
from ecosystem.services.creditx.settings import ServiceSettings

OCR = "ecosystem.services.creditx.reading.ocr"
OCR_BY_TESSERACT = "ecosystem.services.creditx.reading.ocr_by_tesseract"
PICTURES = "ecosystem.services.creditx.reading.images.rendering"
_OCR_BYTES_SURE = 350 << 20
"""*Measured*: a page of A4 takes 415 to 490 MB, however little stands on it."""
_PICTURE_VERSION = 1
_PNG = b"\x89PNG\r\n\x1a\n"


class Pages:
    """Every method works for the company of the context."""

    def __init__(
        self, database: Database, documents: Documents, vault: Vault, sandbox: Sandbox, heavy_sandbox: Sandbox,
        clock: Clock, settings: ServiceSettings,
    ) -> None:  # fmt: skip
        self._database, self._documents, self._vault = database, documents, vault
        self._sandbox, self._heavy_sandbox = sandbox, heavy_sandbox
        self._clock, self._settings = clock, settings
        self._readers = asyncio.Semaphore(settings.ocr_at_once_max)
        self._painters = asyncio.Semaphore(settings.pictures_at_once_max)

    # -- reading ---------------------------------------------------------------------------------------------------

    async def read(self, document_id: UUID, pages: Sequence[int]) -> list[PageText]:
        """Read those of `pages` that were not read before; all of them, in their order. Keeps nothing.

        A page that cannot be read is missing from the answer, where others of its batch can.

        Raises:
            DocumentNotFound, PageNotFound, ValuesErased, ObjectDamaged; what the sandbox raises, where no page
            can be read.
        """
        document, known = await self._database.read(lambda: self._found(document_id))
        for page in pages:
            _check(document, page)
        read = {text.page: text for text in known}
        missing = [page for page in dict.fromkeys(pages) if page not in read]
        if missing:
            read |= {text.page: text for text in await self._read(document, missing)}
        return [read[page] for page in dict.fromkeys(pages) if page in read]

    async def keep(self, document_id: UUID, texts: Sequence[PageText]) -> None:
        """Inside a unit of work. A page that was kept before stays as it is; an erased document keeps nothing."""
        await self._documents.add_page_texts(document_id, texts, self._clock.now())

    async def texts(self, document: Document) -> list[Any]:
        """What was read on the pages of a document, for `Sandbox.run`: JSON that is passed on without being read."""
        if not document.facts.get("pages_without_text"):
            return []
        rows = await self._database.read(lambda: self._documents.page_texts(document.document_id))
        key = await self._vault.key(document)
        place = document.document_id
        return [orjson.Fragment(key.decrypt(text.sealed, aad=place_of(place, text.page))) for text in rows]

    async def _read(self, document: Document, pages: Sequence[int]) -> list[PageText]:
        key = await self._vault.key(document)
        async with self._readers:
            with await self._vault.content(document) as content:
                answers = await self._recognised(document, content, pages)
        return [
            PageText(
                one.page, key.encrypt(orjson.dumps(raw), aad=place_of(document.document_id, one.page)),
                one.engine if one.lines else None, one.confidence if one.lines else 0.0, one.characters,
            )
            for one, raw in answers
        ]  # fmt: skip

    async def _recognised(self, document: Document, content: SharedBytes, pages: Sequence[int]) -> list[Any]:
        try:
            return await self._recognise(document, content, pages)
        except SandboxError as error:
            if error.retryable or len(pages) == 1:
                raise
        # One page that cannot be read must not hide its neighbours.
        found: list[Any] = []
        for page in pages:
            with suppress(SandboxError):
                found += await self._recognise(document, content, [page])
        return found

    async def _recognise(self, document: Document, content: SharedBytes, pages: Sequence[int]) -> list[Any]:
        engine = self._settings.ocr_engine
        answer = await self._heavy_sandbox.run(
            f"{OCR_BY_TESSERACT if engine == 'tesseract' else OCR}:read_pages", content,
            {"media_type": document.media_type, "pages": list(pages), "engine": engine},
            timeout_seconds=self._settings.ocr_page_seconds_max * len(pages),
            memory_bytes_max=self._settings.ocr_memory_bytes_max, memory_bytes_sure=_OCR_BYTES_SURE,
        )  # fmt: skip
        try:
            return answers_of(answer, pages)
        except ValueError:
            raise SandboxCrash("The sandbox answered with something else than pages.") from None

    async def _found(self, document_id: UUID) -> tuple[Document, list[PageText]]:
        document = await self._documents.find(document_id)
        if document is None:
            raise DocumentNotFound
        return document, await self._documents.page_texts(document_id)

    # -- showing ---------------------------------------------------------------------------------------------------

    async def tag(self, document: Document, page: int, width: int) -> str:
        """An entity tag: what this page looks like never changes.

        Raises PageNotFound, ValuesErased: nobody goes on to see what was erased.
        """
        _check(document, page)
        await self._vault.key(document)
        told = f"{document.object_name}/{page}/{width}/{_PICTURE_VERSION}"
        return f'"{hashlib.sha256(told.encode()).hexdigest()[:32]}"'

    async def picture(self, document: Document, page: int, width: int) -> bytes:
        """The page as a person sees it, as a PNG at most `width` pixels wide.

        Raises PageNotFound, ValuesErased, ObjectDamaged, and what the sandbox raises.
        """
        _check(document, page)
        async with self._painters:
            with await self._vault.content(document) as content:
                answer = await self._sandbox.run(
                    f"{PICTURES}:render_page", content,
                    {"media_type": document.media_type, "page": page, "width_max": width},
                    timeout_seconds=self._settings.picture_seconds_max,
                    output_bytes_max=self._settings.picture_bytes_max,
                )  # fmt: skip
        png = base64.b64decode(answer["png_base64"])
        if not png.startswith(_PNG):
            raise SandboxCrash("The sandbox answered with something else than a picture.")
        return png


def _check(document: Document, page: int) -> None:
    pages = int(document.facts["pages"])
    if not 1 <= page <= pages:
        raise PageNotFound(f"The document has {pages} page(s).")
