"""Documents as values, and the pure rules about them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from pycountry import countries

from ecosystem.kernel.objects.objects import ObjectRef
from ecosystem.services.creditx.errors import CustomerRefused, FileNameRefused

FILE_NAME_CHARACTERS_MAX = 200
CUSTOMER_CHARACTERS_MAX = 64
TERM_CHARACTERS_MAX = 100
_WORD = re.compile(r"[^\W_]+(?:[.'’-][^\W_]+)*")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
# Read on import: a service that has given up its privileges may not read the list's file.
_ALPHA_3: dict[str, str] = {country.alpha_2: country.alpha_3 for country in countries}
_MONTH_FIRST = {"en_US", "en_PH", "en_BZ", "es_US", "es_PR"}


class Status(StrEnum):
    RECEIVED = "received"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True)
class Habits:
    """What the company does by custom: its time zone decides what day it is, its locale which number is the day."""

    time_zone: str
    locale: str

    @property
    def date_order(self) -> str:
        return "MDY" if self.locale.replace("-", "_") in _MONTH_FIRST else "DMY"

    @property
    def country(self) -> str | None:
        """ISO 3166-1 alpha-3, where the locale names a country."""
        return _ALPHA_3.get(self.locale.replace("-", "_").rpartition("_")[2])


@dataclass(frozen=True)
class Document:
    """A document without its personal values; `reading` and `decision` are sealed under its own key."""

    document_id: UUID
    status: Status
    uploaded_at: datetime
    updated_at: datetime
    file_name: bytes
    media_type: str
    size_bytes: int
    facts: Mapping[str, Any]
    inspector_version: int
    object_name: str
    object_digest: str
    rule_set: str
    kind: str | None
    kind_confidence: Decimal | None
    reading: bytes | None
    read_at: datetime | None
    judged_at: datetime | None
    judged_as_of: date | None
    judged_outcome: str | None
    score: Decimal | None
    rule_set_version: int | None
    rule_set_sha256: str | None
    decision: bytes | None
    failing: list[str]
    reasons: list[str]
    outcome: str | None
    completed_at: datetime | None
    failure: str | None
    erased_at: datetime | None
    customer: bytes | None
    open_rules: list[str]
    decided_at: datetime | None
    decided_by: str | None
    decided_reason: bytes | None

    @property
    def object(self) -> ObjectRef:
        return ObjectRef(self.object_name, self.size_bytes, self.object_digest)

    @property
    def subject(self) -> str:
        return subject_of(self.document_id)


def subject_of(document_id: UUID) -> str:
    """The name of the key that all personal data of one document is encrypted with."""
    return f"document:{document_id}"


def checked_file_name(name: str) -> str:
    """The name in Unicode's composed form. Raises FileNameRefused; the message does not repeat it."""
    name = unicodedata.normalize("NFC", name)
    if not 1 <= len(name) <= FILE_NAME_CHARACTERS_MAX or len(name.encode("utf-8", "replace")) > 255:
        raise FileNameRefused(f"A file name has 1 to {FILE_NAME_CHARACTERS_MAX} characters.")
    # Cc control, Cf invisible (also the marks that turn text around), Cs/Co/Cn no characters, Zl/Zp line ends.
    if any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for character in name):
        raise FileNameRefused("A file name has printable characters only.")
    if any(character in name for character in '/\\:*?"<>|') or name != name.strip() or name.strip(". ") == "":
        raise FileNameRefused('A file name has no path and none of / \\ : * ? " < > |.')
    if name.startswith((".", "-")) or _RESERVED.fullmatch(name):
        raise FileNameRefused("A file name is no hidden name, no option and no device.")
    return name


def checked_customer(customer: str | None) -> str | None:
    """The company's own reference for its customer. Raises CustomerRefused; the message does not repeat it."""
    if customer is None:
        return None
    printable = all(32 <= ord(character) <= 126 for character in customer)
    if not 1 <= len(customer) <= CUSTOMER_CHARACTERS_MAX or not printable or customer != customer.strip():
        raise CustomerRefused
    return customer


def folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())[:TERM_CHARACTERS_MAX]


def words_of(text: str) -> list[str]:
    return _WORD.findall(folded(text))


def compact(text: str) -> str:
    """`CH93 0076 2011` and `ch9300762011` are one term."""
    return "".join(folded(text).split())


def terms_of(values: Iterable[Mapping[str, Any]], file_name: str, terms_max: int) -> list[str]:
    """What a document is found by: each value as a whole, and its words. Sorted, at most `terms_max`."""
    terms: dict[str, None] = {}
    stem = file_name.rpartition(".")[0] or file_name
    for text in (*(value["value"] for value in values), file_name, stem):
        terms[compact(text)] = None
        terms |= dict.fromkeys(words_of(text))
    return sorted([term for term in terms if term][:terms_max])
