"""All SQL of documents."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, dict_row

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.services.creditx.model import Document, Habits
from ecosystem.services.creditx.paging.page_text import PageText

_COLUMNS = """document_id, status, uploaded_at, updated_at, file_name, media_type, size_bytes, facts, inspector_version,
  object_name, object_digest, rule_set, kind, kind_confidence, reading, read_at, judged_at, judged_as_of,
  judged_outcome, score, rule_set_version, rule_set_sha256, decision, failing, reasons, outcome, completed_at, failure,
  erased_at, customer, open_rules, decided_at, decided_by, decided_reason"""

_FIND = f"select {_COLUMNS} from documents where company_id = %s and document_id = %s"  # noqa: S608 constants

_FIND_WITH_HABITS = f"""
select {_COLUMNS}, time_zone, locale from documents d left join companies c on c.company_id = d.company_id
 where d.company_id = %s and document_id = %s
"""  # noqa: S608 constants

# Whoever comes second with the same key waits here for the first, and then fails.
_ADD = """
with taken as (
  insert into uploads (company_id, client_id, key_digest, fingerprint, document_id, uploaded_at)
  select %(company_id)s, %(client_id)s, %(key_digest)s, %(fingerprint)s, %(document_id)s, %(now)s
   where %(key_digest)s::bytea is not null
)
insert into documents (company_id, document_id, status, uploaded_at, uploaded_by, updated_at, file_name, media_type,
  size_bytes, facts, inspector_version, object_name, object_digest, retain_until, rule_set,
  customer, customer_index)
values (%(company_id)s, %(document_id)s, 'received', %(now)s, %(client_id)s, %(now)s, %(file_name)s, %(media_type)s,
  %(size_bytes)s, %(facts)s::text::jsonb, %(inspector_version)s, %(object_name)s, %(object_digest)s, %(retain_until)s,
  %(rule_set)s, %(customer)s, %(customer_index)s)
"""

_BEFORE_UPLOAD = """
select u.fingerprint, u.document_id, c.time_zone, c.locale,
  (select count(*) from (
    select from documents where company_id = %(company_id)s and status in ('received', 'processing') limit %(at_most)s
  ) as unfinished)
  from (select) as one
  left join uploads u on u.company_id = %(company_id)s and u.client_id = %(client_id)s
    and u.key_digest = %(key_digest)s::bytea
  left join companies c on c.company_id = %(company_id)s
"""

_KEEP_READING = """
update documents set status = case when status = 'completed' then status else 'processing' end,
  kind = %(kind)s, kind_confidence = %(confidence)s, reading = %(reading)s, read_at = %(now)s, updated_at = %(now)s
 where company_id = %(company_id)s and document_id = %(document_id)s and status <> 'completed'
  and erased_at is null
"""

_KEEP_DECISION = """
update documents set judged_at = %(now)s, judged_as_of = %(as_of)s, judged_outcome = %(outcome)s, score = %(score)s,
  rule_set = %(rule_set)s, rule_set_version = %(version)s, rule_set_sha256 = %(sha256)s, decision = %(decision)s,
  decision_inputs = %(inputs)s, open_rules = %(open_rules)s, failing = %(failing)s,
  reasons = %(reasons)s, updated_at = %(now)s
 where company_id = %(company_id)s and document_id = %(document_id)s and status <> 'completed'
  and erased_at is null
"""

_OF_CUSTOMER = f"""
select {_COLUMNS} from documents d where company_id = %(company_id)s and document_id <> %(document_id)s
  and reading is not null and status <> 'failed' and erased_at is null
  and customer_index = (select customer_index from documents
                         where company_id = %(company_id)s and document_id = %(document_id)s)
 order by uploaded_at desc, document_id desc limit %(limit)s
"""  # noqa: S608 constants

# An erased document gets nothing that finds it, however late its outcome comes: both wait for its row.
_COMPLETE = """
with done as (
  update documents set status = 'completed', outcome = judged_outcome, completed_at = %(now)s, updated_at = %(now)s,
    failure = null
   where company_id = %(company_id)s and document_id = %(document_id)s and status <> 'completed' and erased_at is null
  returning 1
),
gone as (
  delete from terms where company_id = %(company_id)s and document_id = %(document_id)s and not term = any(%(terms)s)
    and exists (select from done)
),
added as (
  insert into terms (company_id, term, document_id)
  select %(company_id)s, term, %(document_id)s from unnest(%(terms)s::bytea[]) as term where exists (select from done)
  on conflict do nothing
),
asked as (
  insert into reviews (company_id, document_id, requested_at)
  select %(company_id)s, %(document_id)s, %(now)s where %(review)s and exists (select from done)
  on conflict do nothing
),
dropped as (
  delete from reviews where company_id = %(company_id)s and document_id = %(document_id)s and not %(review)s
    and exists (select from done)
)
select from done
"""

_FAIL = """
update documents set status = 'failed', outcome = 'review', failure = %(failure)s, reasons = %(reasons)s,
  updated_at = %(now)s
 where company_id = %(company_id)s and document_id = %(document_id)s and status <> 'completed'
"""

# An erased document keeps nothing, however late its reading comes.
_ADD_PAGE_TEXTS = """
insert into page_texts (company_id, document_id, page, sealed, engine, confidence, characters, read_at)
select %(company_id)s, %(document_id)s, page, sealed, engine, confidence, characters, %(now)s
  from unnest(%(pages)s::integer[], %(sealed)s::bytea[], %(engines)s::text[], %(confidences)s::numeric[],
              %(characters)s::integer[]) as new (page, sealed, engine, confidence, characters)
 where exists (select from documents where company_id = %(company_id)s and document_id = %(document_id)s
                and erased_at is null)
on conflict (company_id, document_id, page) do nothing
"""

_LIST = f"""
select {_COLUMNS} from documents d where company_id = %(company_id)s
  and (%(kind)s::text is null or kind = %(kind)s) and (%(outcome)s::text is null or outcome = %(outcome)s)
  and (%(status)s::text is null or status = %(status)s)
  and (%(customer)s::bytea is null or customer_index = %(customer)s)
  and (%(from)s::timestamptz is null or uploaded_at >= %(from)s)
  and (%(to)s::timestamptz is null or uploaded_at < %(to)s)
  and (%(before)s::timestamptz is null or (uploaded_at, document_id) < (%(before)s, %(before_id)s))
  and (%(words)s::bytea[] is null
    or exists (select from terms t where t.company_id = %(company_id)s and t.document_id = d.document_id
               and t.term = %(whole)s)
    or (select count(*) from terms t where t.company_id = %(company_id)s and t.document_id = d.document_id
         and t.term = any(%(words)s)) = cardinality(%(words)s))
 order by uploaded_at desc, document_id desc limit %(limit)s
"""  # noqa: S608 constants

_PROFILE = """
insert into companies (company_id, time_zone, locale, currency) values (%s, %s, %s, %s)
on conflict (company_id) do update set time_zone = excluded.time_zone, locale = excluded.locale,
  currency = excluded.currency
"""


@dataclass(frozen=True)
class BeforeUpload:
    """`same_key`: fingerprint and document of an upload that came under this key before."""

    same_key: tuple[bytes, UUID] | None
    unfinished: int
    habits: Habits | None


class Documents:
    """Every method runs inside `database.run` or `read`, for the company of the context."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, document_id: UUID) -> Document | None:
        connection = await driver(self._database)
        cursor = await connection.execute(_FIND, (_company(), document_id), row_factory=class_row(Document))
        return await cursor.fetchone()

    async def find_with_habits(self, document_id: UUID) -> tuple[Document, Habits | None] | None:
        """The document, and what its company does by custom where that has arrived here."""
        connection = await driver(self._database)
        cursor = await connection.execute(_FIND_WITH_HABITS, (_company(), document_id), row_factory=dict_row)
        row = await cursor.fetchone()
        if row is None:
            return None
        time_zone, locale = row.pop("time_zone"), row.pop("locale")
        return Document(**row), Habits(time_zone, locale) if time_zone is not None else None

    async def add(self, values: Mapping[str, Any]) -> None:
        """The unit of work fails where the upload's key was used before (`db.errors.is_taken`)."""
        connection = await driver(self._database)
        await connection.later(_ADD, {**values, "company_id": _company(), "facts": json.dumps(values["facts"])})

    async def uploaded(self, client_id: str, key_digest: bytes) -> tuple[bytes, UUID] | None:
        """Fingerprint and document of an earlier upload under this key."""
        connection = await driver(self._database)
        cursor = await connection.execute(
            "select fingerprint, document_id from uploads where company_id = %s and client_id = %s and key_digest = %s",
            (_company(), client_id, key_digest),
        )
        row = await cursor.fetchone()
        return (bytes(row[0]), row[1]) if row else None

    async def before_upload(self, client_id: str, key_digest: bytes | None, at_most: int) -> BeforeUpload:
        """What an upload must know, in one look; the unfinished are counted up to `at_most`."""
        about = {"company_id": _company(), "client_id": client_id, "key_digest": key_digest, "at_most": at_most}
        cursor = await (await driver(self._database)).execute(_BEFORE_UPLOAD, about)
        row = await cursor.fetchone()
        assert row is not None
        fingerprint, document_id, time_zone, locale, unfinished = row
        return BeforeUpload(
            (bytes(fingerprint), document_id) if document_id is not None else None, unfinished,
            Habits(time_zone, locale) if time_zone is not None else None,
        )  # fmt: skip

    async def keep_reading(
        self, document_id: UUID, *, kind: str, confidence: float, reading: bytes, now: datetime
    ) -> None:
        await self._say(
            _KEEP_READING, document_id, kind=kind, confidence=Decimal(str(confidence)), reading=reading, now=now
        )

    async def keep_decision(self, document_id: UUID, **values: Any) -> None:
        """`now`, `as_of`, `outcome`, `score`, `rule_set`, `version`, `sha256`, `decision`, `inputs`, and names:
        `failing`, `open_rules`, `reasons`."""
        await self._say(_KEEP_DECISION, document_id, **values)

    async def complete(self, document_id: UUID, terms: Sequence[bytes], now: datetime, *, review: bool) -> bool:
        """Fix the outcome, replace the terms, queue it for a person or not; False where it was completed before."""
        return await self._execute(_COMPLETE, document_id, terms=sorted(terms), now=now, review=review) == 1

    async def fail(self, document_id: UUID, failure: str, reasons: list[str], now: datetime) -> bool:
        return await self._execute(_FAIL, document_id, failure=failure, reasons=reasons, now=now) == 1

    async def add_page_texts(self, document_id: UUID, texts: Sequence[PageText], now: datetime) -> None:
        """Keep pages that were read; one that is there stays as it is."""
        await self._execute(
            _ADD_PAGE_TEXTS, document_id, now=now, pages=[text.page for text in texts],
            sealed=[text.sealed for text in texts], engines=[text.engine for text in texts],
            confidences=[Decimal(str(text.confidence)) for text in texts],
            characters=[text.characters for text in texts],
        )  # fmt: skip

    async def page_texts(self, document_id: UUID) -> list[PageText]:
        """The pages that were read from their pixels, in their order."""
        connection = await driver(self._database)
        cursor = await connection.execute(
            "select page, sealed, engine, confidence::float8, characters from page_texts"
            " where company_id = %s and document_id = %s order by page",
            (_company(), document_id),
            row_factory=class_row(PageText),
        )
        return await cursor.fetchall()

    async def erase(self, document_id: UUID, now: datetime) -> bool:
        """Remove what was sealed and what finds it; False where that was done before."""
        first = await self._execute(
            "update documents set reading = null, decision = null, decision_inputs = null, decided_reason = null,"
            " customer = null, customer_index = null, file_name = '', erased_at = %(now)s, updated_at = %(now)s"
            " where company_id = %(company_id)s and document_id = %(document_id)s and erased_at is null",
            document_id, now=now,
        ) == 1  # fmt: skip
        for table in ("terms", "page_texts", "reviews"):
            await self._execute(
                f"delete from {table} where company_id = %(company_id)s and document_id = %(document_id)s",  # noqa: S608
                document_id,
            )
        return first

    async def of_customer(self, document_id: UUID, limit: int) -> list[Document]:
        """Other documents of the same customer that were read, newest first; none where it belongs to no customer.

        Read, not completed: of two that are judged at the same moment one has always seen the other.
        """
        connection = await driver(self._database)
        values = {"company_id": _company(), "document_id": document_id, "limit": limit}
        cursor = await connection.execute(_OF_CUSTOMER, values, row_factory=class_row(Document))
        return await cursor.fetchall()

    async def inputs(self, document_id: UUID) -> bytes | None:
        """What its judgement was computed from, sealed."""
        connection = await driver(self._database)
        cursor = await connection.execute(
            "select decision_inputs from documents where company_id = %s and document_id = %s",
            (_company(), document_id),
        )
        row = await cursor.fetchone()
        return bytes(row[0]) if row and row[0] is not None else None

    async def ask_review(self, document_id: UUID, now: datetime) -> None:
        """Queue the document for a person; one that waits already keeps its place."""
        await self._execute(
            "insert into reviews (company_id, document_id, requested_at)"
            " values (%(company_id)s, %(document_id)s, %(now)s) on conflict do nothing",
            document_id, now=now,
        )  # fmt: skip

    async def page(self, filters: Mapping[str, Any]) -> list[Document]:
        connection = await driver(self._database)
        cursor = await connection.execute(_LIST, {**filters, "company_id": _company()}, row_factory=class_row(Document))
        return await cursor.fetchall()

    async def keep_habits(self, company_id: UUID, time_zone: str, locale: str, currency: str) -> None:
        connection = await driver(self._database)
        await connection.execute(_PROFILE, (company_id, time_zone, locale, currency))

    async def use_rule_set(self, name: str, version: int, sha256: str, now: datetime) -> str:
        """Note the first use of a version; the hash that it had then."""
        connection = await driver(self._database)
        await connection.execute(
            "insert into rule_sets_used (name, version, sha256, used_at) values (%s, %s, %s, %s)"
            " on conflict do nothing",
            (name, version, sha256, now),
        )
        cursor = await connection.execute(
            "select sha256 from rule_sets_used where name = %s and version = %s", (name, version)
        )
        row = await cursor.fetchone()
        return str(row[0]) if row else sha256

    async def _say(self, statement: str, document_id: UUID, **values: Any) -> None:
        """Without an answer: with what comes next."""
        connection = await driver(self._database)
        await connection.later(statement, {**values, "company_id": _company(), "document_id": document_id})

    async def _execute(self, statement: str, document_id: UUID, **values: Any) -> int:
        connection = await driver(self._database)
        done = await connection.execute(statement, {**values, "company_id": _company(), "document_id": document_id})
        return done.rowcount


def _company() -> UUID | None:
    return context.current().company_id
