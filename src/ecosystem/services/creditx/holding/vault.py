"""The sealed parts of a document, and what opens them."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from ecosystem.kernel import context
from ecosystem.kernel.keys.errors import KeyDestroyed
from ecosystem.kernel.keys.keyring import CompanyKey, DataKey, Keyring
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

    def customer(self, document: Document, key: DataKey) -> str | None:
        if document.customer is None:
            return None
        return key.decrypt(document.customer, aad=aad("customer", document.document_id)).decode()

    def decided(self, document: Document, key: DataKey) -> dict[str, Any]:
        """What stands now, JSON-ready: the outcome, and the decision of a person where there is one."""
        decision = None
        if document.decided_at is not None:
            sealed = document.decided_reason or b""
            reason = key.decrypt(sealed, aad=aad("decided_reason", document.document_id)).decode() if sealed else None
            decision = {
                "outcome": document.outcome, "decided_by": document.decided_by,
                "decided_at": _iso(document.decided_at), "reason": reason,
            }  # fmt: skip
        return {"status": document.status, "outcome": document.outcome, "decision": decision}

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
        return self.decided(document, key) | {
            "document_id": str(document.document_id), "kind": document.kind,
            "judged_outcome": document.judged_outcome, "compliance_score": _text(document.score),
            "reasons": document.reasons, "open_rules": document.open_rules, "customer": self.customer(document, key),
            "rule_set": document.rule_set, "rule_set_version": document.rule_set_version,
            "rule_set_sha256": document.rule_set_sha256, "judged_at": _iso(document.judged_at),
            "judged_as_of": document.judged_as_of.isoformat() if document.judged_as_of else None,
            "file_name": self.file_name(document, key), "values": reading["values"],
            "rules": self.results(document, key),
            # What an earlier version of reading did not know is absent.
            **{name: reading[name] for name in _OF_THE_READING if name in reading},
        }  # fmt: skip


def customer_index(customer: str, company_key: CompanyKey) -> bytes:
    """What documents of one customer are found by; it cannot be read back."""
    return company_key.blind_index(f"customer:{customer}")


def sealed_customer(
    customer: str | None, document_id: UUID, company_key: CompanyKey, data_key: DataKey
) -> dict[str, bytes | None]:  # fmt: skip
    """The columns `customer` and `customer_index` of a document."""
    if customer is None:
        return {"customer": None, "customer_index": None}
    sealed = data_key.encrypt(customer.encode(), aad=aad("customer", document_id))
    return {"customer": sealed, "customer_index": customer_index(customer, company_key)}


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
