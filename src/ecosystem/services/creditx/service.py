"""The use cases of documents: upload, read, store, find, show, erase. `judging` judges, `reviewing` asks people."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from ecosystem.contracts.creditx import (
    DocumentCreated,
    DocumentFailed,
    DocumentReviewRequested,
    Facts,
    Outcome,
)
from ecosystem.kernel import context
from ecosystem.kernel.audit.audit import Audit
from ecosystem.kernel.caching.cache import Cache
from ecosystem.kernel.caching.lifetimes import cache_key
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.errors import is_taken
from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.http.idempotency import IdempotencyKeyReused, digest_of_key
from ecosystem.kernel.ids import Ids
from ecosystem.kernel.keys.keyring import FreshKey, Keyring
from ecosystem.kernel.messaging.outbox import Outbox
from ecosystem.kernel.objects.objects import Objects
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.kernel.sandbox.shared import SharedBytes
from ecosystem.services.creditx.errors import (
    DocumentNotFound,
    KindUnknown,
    NotReadYet,
)
from ecosystem.services.creditx.following.outcomes import Outcomes
from ecosystem.services.creditx.holding.vault import Vault, aad, company_id, customer_index, sealed_customer
from ecosystem.services.creditx.judging.rule_set import rule_set
from ecosystem.services.creditx.model import (
    Document,
    Habits,
    Status,
    checked_customer,
    checked_file_name,
    compact,
    subject_of,
    terms_of,
    words_of,
)
from ecosystem.services.creditx.paging.pages import Pages
from ecosystem.services.creditx.reading.kinds import SEVERAL, UNKNOWN, kinds
from ecosystem.services.creditx.receiving.arrivals import ARRIVAL, Arrivals, reading_by
from ecosystem.services.creditx.receiving.intake import Intake
from ecosystem.services.creditx.repository import Documents
from ecosystem.services.creditx.settings import ServiceSettings

DEFAULT_RULE_SET = "kyc_aml_v2"
INSPECTOR_VERSION = 2
"""Of the inspection that `facts` came from: what an older one found is found again."""
NOT_INGESTED = "the ingestion failed"


class CompanyNotKnownYet(Unavailable):
    code = "company_not_known_yet"
    rule = "A document is read by the habits of its company, which have not arrived here yet."


@dataclass(frozen=True)
class Parts:
    """What the service stands on."""

    database: Database
    documents: Documents
    keyring: Keyring
    objects: Objects
    cache: Cache
    sandbox: Sandbox
    outbox: Outbox
    audit: Audit
    clock: Clock
    ids: Ids
    heavy_sandbox: Sandbox


@dataclass(frozen=True)
class Received:
    document_id: UUID
    replayed: bool


class DocumentService:
    def __init__(self, parts: Parts, settings: ServiceSettings) -> None:
        self._parts, self._settings = parts, settings
        self._database, self._documents = parts.database, parts.documents
        self._vault = Vault(parts.keyring, parts.objects)
        self.pages = Pages(
            parts.database, parts.documents, self._vault, parts.sandbox, parts.heavy_sandbox, parts.clock, settings
        )
        self.outcomes = Outcomes(parts.database, settings.waiters_max)
        self._intake = Intake(parts.database, parts.documents, settings)
        self._arrivals = Arrivals(parts.sandbox, settings)

    # -- upload ----------------------------------------------------------------------------------------------------

    async def upload(
        self, content: SharedBytes, sha256: bytes, file_name: str, rules: str | None, key: str | None,
        customer: str | None = None,
    ) -> Received:  # fmt: skip
        """Accept a document whose bytes are harmless, once for each key.

        Raises:
            FileNameRefused, CustomerRefused, RuleSetUnknown, DocumentRefused: a rule is broken; nothing is stored.
            IntakeFull: too many documents of this company have no outcome yet.
            IdempotencyKeyReused: the key stands for another upload.
        """
        file_name, customer = checked_file_name(file_name), checked_customer(customer)
        published = rule_set(rules if rules is not None else DEFAULT_RULE_SET)
        company, client_id = company_id(), context.current().user_id or "unknown"
        company_key = await self._parts.keyring.company(company)
        told = [sha256.hex(), file_name, published.rules.name, *([customer] if customer is not None else [])]
        fingerprint = company_key.blind_index("\n".join(told))
        digest = digest_of_key(key) if key is not None else None
        habits = begun_by = self._intake.habits(company)
        if begun_by is None:
            before, habits = await self._intake.look(company, client_id, digest)
            if before is not None:
                return _replayed(before, fingerprint)
        document_id = self._parts.ids.uuid()
        now, retain_until = self._parts.clock.now(), self._parts.objects.retain_until(self._settings.retention_days)
        data_key = await self._parts.keyring.fresh(company, subject_of(document_id))
        async with self._arrivals.arrived(document_id, content, file_name, habits) as inspection:
            if begun_by is not None:
                before, _ = await self._intake.look(company, client_id, digest)
                if before is not None:
                    inspection.cancel()
                    return _replayed(before, fingerprint)
            stored = await self._parts.objects.put(
                company, content.chunks(), retain_until=retain_until, fresh=data_key, accepted=lambda: inspection
            )
            facts = await inspection
            row = {
                "document_id": document_id, "client_id": client_id, "key_digest": digest, "fingerprint": fingerprint,
                "now": now, "file_name": data_key.encrypt(file_name.encode(), aad=aad("file_name", document_id)),
                "media_type": facts["media_type"], "size_bytes": content.size, "facts": facts,
                "inspector_version": INSPECTOR_VERSION, "object_name": stored.name, "object_digest": stored.digest,
                "retain_until": retain_until, "rule_set": published.rules.name,
                **sealed_customer(customer, document_id, company_key, data_key),
            }  # fmt: skip
            try:
                return await self._database.run(lambda: self._keep_upload(row, data_key))
            except Exception as error:
                # Whoever comes second with the same key waits there for the first.
                first = await self._intake.first_under(client_id, digest) if is_taken(error) else None
                if first is None:
                    raise
                return _replayed(first, fingerprint)

    async def _keep_upload(self, row: dict[str, Any], data_key: FreshKey) -> Received:
        """Inside a unit of work, which fails where the upload's key has just been used."""
        document_id: UUID = row["document_id"]
        await self._documents.add(row)
        await self._parts.keyring.keep(data_key)
        await self._parts.outbox.add(
            DocumentCreated(
                document_id=document_id, media_type=row["media_type"], size_bytes=row["size_bytes"],
                rule_set=row["rule_set"], uploaded_at=row["now"],
            )
        )  # fmt: skip
        after = {"media_type": row["media_type"], "size_bytes": row["size_bytes"], "digest": row["object_digest"]}
        await self._parts.audit.record("document_uploaded", str(document_id), before=None, after=after)
        return Received(document_id, replayed=False)

    # -- the work of the agents ------------------------------------------------------------------------------------

    async def validate(self, document_id: UUID) -> Facts:
        """The document's facts, after its stored content was found to be what was uploaded.

        Raises:
            DocumentNotFound, ObjectDamaged; DocumentRefused where a newer inspection finds more.
        """
        document = await self.find(document_id)
        if document.inspector_version == INSPECTOR_VERSION:
            await self._parts.objects.verify(document.object)
            return Facts.model_validate(document.facts)
        with await self._vault.content(document) as content:
            return Facts.model_validate(await self._arrivals.inspect(content, "document"))

    async def read(self, document_id: UUID) -> tuple[dict[str, Any], bytes]:
        """Read the document, unless that was done ahead: the reading, and the same sealed. Keeps nothing.

        Raises:
            DocumentNotFound, CompanyNotKnownYet, and what the sandbox raises.
        """
        document, habits = await self._database.read(lambda: self._with_habits(document_id))
        key = await self._vault.key(document)
        by, texts = reading_by(habits), await self.pages.texts(document)
        reading = await self._arrivals.reading(document_id, by) if not texts else None
        if reading is None:
            with await self._vault.content(document) as content:
                reading = await self._parts.sandbox.run(
                    f"{ARRIVAL}:extract", content, {"media_type": document.media_type, "page_texts": texts, **by},
                    timeout_seconds=self._settings.extract_seconds_max,
                )  # fmt: skip
        return reading, key.encrypt(orjson.dumps(reading), aad=aad("reading", document_id))

    async def keep_reading(self, document_id: UUID, reading: Mapping[str, Any], sealed: bytes) -> None:
        """Inside a unit of work. A completed document keeps what it has."""
        await self._documents.keep_reading(
            document_id, kind=reading["kind"], confidence=reading["kind_confidence"], reading=sealed,
            now=self._parts.clock.now(),
        )  # fmt: skip

    async def prepare_store(self, document_id: UUID) -> tuple[Document, list[bytes], bool]:
        """The judged document, the blind terms that find it, and whether its normal form is in the cache.

        Raises:
            DocumentNotFound, NotReadYet (also where it was not judged), ValuesErased.
        """
        document = await self.find(document_id)
        key = await self._vault.key(document)
        if document.decision is None and document.decided_at is None:
            raise NotReadYet
        company_key = await self._parts.keyring.company(company_id())
        form = self._vault.normal_form(document, key)
        form |= {"status": Status.COMPLETED, "outcome": document.outcome or document.judged_outcome}
        sealed = key.encrypt(orjson.dumps(form), aad=aad("cached", document_id))
        async with asyncio.TaskGroup() as tasks:
            caching = tasks.create_task(self._parts.cache.set(cache_key("doc", document_id), sealed))
            # The cache is to be asked before this process is busy with the terms.
            await asyncio.sleep(0)
            texts = terms_of(form["values"], form["file_name"], self._settings.terms_max)
            terms = [company_key.blind_index(f"term:{text}") for text in texts]
        return document, terms, caching.result()

    async def store(self, document: Document, terms: list[bytes]) -> None:
        """Inside a unit of work: fix the outcome, index, and ask for a review where it needs one. Once."""
        review = document.judged_outcome == Outcome.REVIEW
        if not await self._documents.complete(document.document_id, terms, self._parts.clock.now(), review=review):
            return
        self.outcomes.tell(document.document_id)
        after = {
            "status": Status.COMPLETED.value, "outcome": document.judged_outcome, "score": str(document.score),
            "rule_set": document.rule_set, "rule_set_version": document.rule_set_version,
            "rule_set_sha256": document.rule_set_sha256, "failing": document.failing, "open": document.open_rules,
        }  # fmt: skip
        await self._parts.audit.record(
            "document_completed", str(document.document_id), before={"status": document.status}, after=after
        )
        if review:
            await self._parts.outbox.add(
                DocumentReviewRequested(document_id=document.document_id, reasons=tuple(document.reasons))
            )

    async def fail(self, document: Document, reason: str) -> None:
        """Inside a unit of work: the ingestion failed, a person must look. A completed document stays as it is."""
        code = reason.split()[0][:100] if reason.split() else "unknown"
        reasons = list(dict.fromkeys([*document.reasons, NOT_INGESTED]))
        document_id, now = document.document_id, self._parts.clock.now()
        if not await self._documents.fail(document_id, code, reasons, now):
            return
        self.outcomes.tell(document_id)
        if (await self._found(document_id)).erased_at is not None:
            return  # its values are gone: there is nothing that a person could look at
        await self._documents.ask_review(document_id, now)
        await self._parts.outbox.add(DocumentFailed(document_id=document_id, code=code))
        await self._parts.outbox.add(DocumentReviewRequested(document_id=document_id, reasons=tuple(reasons)))
        await self._parts.audit.record(
            "document_failed", str(document_id), before={"status": document.status}, after={"status": "failed"}
        )

    # -- what callers look at --------------------------------------------------------------------------------------

    async def find(self, document_id: UUID) -> Document:
        """Raises DocumentNotFound: also for another company's."""
        return await self._database.read(lambda: self._found(document_id))

    async def finished(self, document_id: UUID, wait_seconds: float, *, is_new: bool = False) -> Document:
        """The document once it has its outcome, or as it stands after `wait_seconds`. Raises DocumentNotFound.

        `is_new`: uploaded at this moment.
        """
        return await self.outcomes.reached(document_id, wait_seconds, lambda: self.find(document_id), is_new=is_new)

    async def file_name(self, document: Document) -> str | None:
        """None where the document was erased."""
        if document.erased_at is not None:
            return None
        return self._vault.file_name(document, await self._vault.key(document))

    async def customer(self, document: Document) -> str | None:
        """The company's reference for its customer; None where there is none, and once the document was erased."""
        if document.erased_at is not None or document.customer is None:
            return None
        return self._vault.customer(document, await self._vault.key(document))

    async def page(self, filters: Mapping[str, Any], query: str | None) -> list[Document]:
        """Documents, newest first; `query` finds a value as a whole, or documents that have all of its words.

        Raises:
            KindUnknown: there are no documents of this kind, and never will be.
        """
        if filters.get("kind") is not None and filters["kind"] not in (known := kinds_known()):
            raise KindUnknown(
                f"There is no kind of document called {filters['kind']}. The kinds are {', '.join(known)}.",
                suggestion="Choose one of the kinds, or leave the filter out.", known=list(known),
            )  # fmt: skip
        words: list[bytes] | None = None
        whole: bytes | None = None
        if query is not None:
            key = await self._parts.keyring.company(company_id())
            words = [key.blind_index(f"term:{word}") for word in dict.fromkeys(words_of(query))]
            whole = key.blind_index(f"term:{compact(query)}")
            # Without a word only the whole can match; no document has this one.
            words = words or [b"\0"]
        asked = {**filters, "words": words, "whole": whole, "customer": None}
        if filters.get("customer") is not None:
            key = await self._parts.keyring.company(company_id())
            asked["customer"] = customer_index(filters["customer"], key)
        return await self._database.read(lambda: self._documents.page(asked))

    async def normal_form(self, document_id: UUID) -> dict[str, Any]:
        """Everything that is known about a document: from the cache, else from the database.

        Raises:
            DocumentNotFound, ValuesErased.
        """
        document = await self.find(document_id)
        key = await self._vault.key(document)
        if document.status != Status.COMPLETED:
            return self._vault.normal_form(document, key)

        async def load() -> bytes:
            return key.encrypt(orjson.dumps(self._vault.normal_form(document, key)), aad=aad("cached", document_id))

        sealed = await self._parts.cache.get_or_load(cache_key("doc", document_id), load)
        assert sealed is not None
        form: dict[str, Any] = orjson.loads(key.decrypt(sealed, aad=aad("cached", document_id)))
        # What a person decided since then stands in the row, not in the cache.
        return form | self._vault.decided(document, key)

    async def original(self, document: Document) -> AsyncIterator[bytes]:
        """The bytes as they were uploaded. Raises ValuesErased, ObjectDamaged."""
        await self._vault.key(document)
        return self._parts.objects.open(document.object)

    async def erase(self, document_id: UUID) -> Document:
        """Destroy the document's key: file name, values, evidence and original can never be read again. Repeatable.

        Raises DocumentNotFound. The sealed bytes of the original stay until their retention ends; nobody can read them.
        """
        document = await self.find(document_id)
        await self._parts.cache.delete(cache_key("doc", document_id))

        async def erase() -> None:
            if await self._documents.erase(document_id, self._parts.clock.now()):
                await self._parts.keyring.destroy(company_id(), document.subject)
                await self._parts.audit.record("document_erased", str(document_id), before=None, after={"erased": True})

        await self._database.run(erase)
        return await self.find(document_id)

    # -- parts of the above ----------------------------------------------------------------------------------------

    async def _found(self, document_id: UUID) -> Document:
        document = await self._documents.find(document_id)
        if document is None:
            raise DocumentNotFound
        return document

    async def _with_habits(self, document_id: UUID) -> tuple[Document, Habits]:
        found = await self._documents.find_with_habits(document_id)
        if found is None:
            raise DocumentNotFound
        document, habits = found
        if habits is None:
            raise CompanyNotKnownYet
        return document, habits


def kinds_known() -> tuple[str, ...]:
    return (*sorted(kind.kind for kind in kinds()), SEVERAL, UNKNOWN)


def _replayed(before: tuple[bytes, UUID], fingerprint: bytes) -> Received:
    if before[0] != fingerprint:
        raise IdempotencyKeyReused
    return Received(before[1], replayed=True)
