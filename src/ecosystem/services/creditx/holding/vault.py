"""The sealed parts of a document, and what opens them."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from ecosystem.kernel import context
from ecosystem.kernel.keys.errors import KeyDestroyed
from ecosystem.kernel.keys.keyring import DataKey, Keyring
from ecosystem.kernel.objects.objects import Objects
from ecosystem.kernel.sandbox.shared import SharedBytes
from ecosystem.services.creditx.errors import NotReadYet, ValuesErased
from ecosystem.services.creditx.model import Document

_OF_THE_READING = ("language", "country", "page_readings", "parts", "tables", "mrz", "barcodes", "signs")


class Vault:
    """Opens and shows; it keeps nothing itself. Every method works for the company of the context."""

    def __init__(self, keyring: Keyring, objects: Objects) -> None:
        self._keyring, self._objects = keyring, objects

    async def content(self, document: Document) -> SharedBytes:
        """The original in shared memory; the caller closes it. Raises ValuesErased, ObjectDamaged."""
        await self.key(document)
        content = SharedBytes()
        try:
            async for piece in self._objects.open(document.object):
                content.write(piece)
        except BaseException:
            content.close()
            raise
        return content

    async def key(self, document: Document) -> DataKey:
        """Raises ValuesErased."""
        if document.erased_at is not None:
            raise ValuesErased
        try:
            return await self._keyring.subject(company_id(), document.subject)
        except KeyDestroyed:
            raise ValuesErased from None

    def file_name(self, document: Document, key: DataKey) -> str:
        return key.decrypt(document.file_name, aad=aad("file_name", document.document_id)).decode()

    def reading(self, document: Document, key: DataKey) -> dict[str, Any]:
        """What was read. Raises NotReadYet."""
        if document.reading is None:
            raise NotReadYet
        reading: dict[str, Any] = orjson.loads(key.decrypt(document.reading, aad=aad("reading", document.document_id)))
        return reading

    def results(self, document: Document, key: DataKey) -> list[dict[str, Any]]:
        if document.decision is None:
            return []
        results: list[dict[str, Any]] = orjson.loads(
            key.decrypt(document.decision, aad=aad("decision", document.document_id))
        )
        return results

    def normal_form(self, document: Document, key: DataKey) -> dict[str, Any]:
        """JSON-ready; amounts and the score as decimal text."""
        reading = self.reading(document, key) if document.reading is not None else {"values": []}
        return {
            "document_id": str(document.document_id), "status": document.status, "kind": document.kind,
            "outcome": document.outcome, "compliance_score": _text(document.score), "reasons": document.reasons,
            "rule_set": document.rule_set, "rule_set_version": document.rule_set_version,
            "rule_set_sha256": document.rule_set_sha256, "judged_at": _iso(document.judged_at),
            "judged_as_of": document.judged_as_of.isoformat() if document.judged_as_of else None,
            "file_name": self.file_name(document, key), "values": reading["values"],
            "rules": self.results(document, key),
            # What an earlier version of reading did not know is absent.
            **{name: reading[name] for name in _OF_THE_READING if name in reading},
        }  # fmt: skip


def company_id() -> UUID:
    found = context.current().company_id
    assert found is not None
    return found


def aad(place: str, document_id: UUID) -> str:
    """Binds what is sealed to its place."""
    return f"documents.{place}/{document_id}"


def _text(score: Decimal | None) -> str | None:
    return None if score is None else str(score)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
