"""What a specimen is, what can be wrong with one, and what is true about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    PASSPORT = "passport"
    IDENTITY_CARD = "identity_card"
    VISA = "visa"
    BANK_STATEMENT = "bank_statement"
    PROOF_OF_ADDRESS = "proof_of_address"
    CERTIFICATE_OF_INCORPORATION = "certificate_of_incorporation"
    TAX_FORM = "tax_form"
    INVOICE = "invoice"
    KYC_QUESTIONNAIRE = "kyc_questionnaire"
    REGISTER_EXTRACT = "register_extract"
    UNKNOWN = "unknown"
    SEVERAL = "several"
    """A file that holds several documents; each of its parts has a kind of its own."""


IDENTITY = (Kind.PASSPORT, Kind.IDENTITY_CARD, Kind.VISA)
KNOWN = tuple(kind for kind in Kind if kind not in (Kind.UNKNOWN, Kind.SEVERAL))
PAPERS = tuple(kind for kind in KNOWN if kind not in IDENTITY)
LANGUAGES = ("en", "fr", "de", "es")
IMAGE_LANGUAGES = ("en", "de")


class Quality(StrEnum):
    TEXT = "text"
    SCAN_300 = "scan_300"
    SCAN_200 = "scan_200"
    PHOTO = "photo"
    FAX = "fax"
    PHOTO_HARD = "photo_hard"
    """A photograph in bad conditions: aslant, half in shadow, weak print, a sheet that does not fill the picture."""


PHOTOGRAPHED = (Quality.PHOTO, Quality.PHOTO_HARD)
USUAL = tuple(quality for quality in Quality if quality is not Quality.PHOTO_HARD)
"""What most documents come in; a corpus is of these where nothing else is asked for."""


class Outcome(StrEnum):
    APPROVED = "approved"
    REJECTED = "rejected"
    REVIEW = "review"
    REFUSED = "refused"


class Fault(StrEnum):
    """What can be planted. The first group is print that breaks a rule, the second a file that is refused."""

    OLD_PROOF_OF_ADDRESS = "old_proof_of_address"
    WRONG_IBAN_CHECK_DIGITS = "wrong_iban_check_digits"
    BALANCE_DOES_NOT_FOLLOW = "balance_does_not_follow"
    DATE_IN_FUTURE = "date_in_future"
    PERIOD_REVERSED = "period_reversed"
    MISSING_VALUE = "missing_value"
    DUE_BEFORE_INVOICE = "due_before_invoice"
    PEP_DECLARED = "pep_declared"
    UNKNOWN_KIND = "unknown_kind"
    EXPIRED = "expired"
    CONTRADICTS_ITSELF = "contradicts_itself"
    WRONG_MRZ_CHECK_DIGIT = "wrong_mrz_check_digit"
    MRZ_CONTRADICTS_PRINT = "mrz_contradicts_print"
    ALTERED_AMOUNT = "altered_amount"
    MISSING_PAGE = "missing_page"
    UNREADABLE = "unreadable"

    ENCRYPTED = "encrypted"
    JAVASCRIPT = "javascript"
    TRUNCATED = "truncated"
    RENAMED_EXECUTABLE = "renamed_executable"
    ZERO_BYTES = "zero_bytes"


@dataclass(frozen=True)
class Consequence:
    """What a platform that works makes of a fault."""

    outcome: Outcome
    failing_rules: tuple[str, ...] = ()
    refusal_rule: str | None = None


CONSEQUENCES: Mapping[Fault, Consequence] = {
    Fault.OLD_PROOF_OF_ADDRESS: Consequence(Outcome.REJECTED, ("address_recent",)),
    Fault.WRONG_IBAN_CHECK_DIGITS: Consequence(Outcome.REJECTED, ("iban_check_digits",)),
    Fault.BALANCE_DOES_NOT_FOLLOW: Consequence(Outcome.REJECTED, ("balance_follows",)),
    Fault.DATE_IN_FUTURE: Consequence(Outcome.REJECTED, ("dates_not_in_future",)),
    Fault.PERIOD_REVERSED: Consequence(Outcome.REJECTED, ("period_ordered",)),
    Fault.MISSING_VALUE: Consequence(Outcome.REVIEW, ("values_complete",)),
    Fault.DUE_BEFORE_INVOICE: Consequence(Outcome.REVIEW, ("due_after_invoice",)),
    Fault.PEP_DECLARED: Consequence(Outcome.REVIEW, ("pep_declared_no",)),
    Fault.UNKNOWN_KIND: Consequence(Outcome.REVIEW, ("kind_known",)),
    Fault.EXPIRED: Consequence(Outcome.REJECTED, ("identity_not_expired",)),
    Fault.CONTRADICTS_ITSELF: Consequence(Outcome.REVIEW, ("values_agree",)),
    Fault.WRONG_MRZ_CHECK_DIGIT: Consequence(Outcome.REJECTED, ("mrz_check_digits",)),
    Fault.MRZ_CONTRADICTS_PRINT: Consequence(Outcome.REVIEW, ("mrz_matches_print",)),
    Fault.ALTERED_AMOUNT: Consequence(Outcome.REVIEW, ("amounts_unaltered",)),
    Fault.MISSING_PAGE: Consequence(Outcome.REVIEW, ("pages_complete",)),
    Fault.UNREADABLE: Consequence(Outcome.REVIEW, ("readable",)),
    Fault.ENCRYPTED: Consequence(Outcome.REFUSED, refusal_rule="encrypted_document"),
    Fault.JAVASCRIPT: Consequence(Outcome.REFUSED, refusal_rule="javascript_refused"),
    Fault.TRUNCATED: Consequence(Outcome.REFUSED, refusal_rule="truncated_file"),
    Fault.RENAMED_EXECUTABLE: Consequence(Outcome.REFUSED, refusal_rule="executable_refused"),
    Fault.ZERO_BYTES: Consequence(Outcome.REFUSED, refusal_rule="empty_file"),
}

KINDS_OF_FAULT: Mapping[Fault, tuple[Kind, ...]] = {
    Fault.OLD_PROOF_OF_ADDRESS: (Kind.PROOF_OF_ADDRESS,),
    Fault.WRONG_IBAN_CHECK_DIGITS: (Kind.BANK_STATEMENT, Kind.INVOICE),
    Fault.BALANCE_DOES_NOT_FOLLOW: (Kind.BANK_STATEMENT,),
    Fault.DATE_IN_FUTURE: (Kind.CERTIFICATE_OF_INCORPORATION, Kind.REGISTER_EXTRACT, Kind.TAX_FORM),
    Fault.PERIOD_REVERSED: (Kind.BANK_STATEMENT,),
    Fault.MISSING_VALUE: PAPERS,
    Fault.DUE_BEFORE_INVOICE: (Kind.INVOICE,),
    Fault.PEP_DECLARED: (Kind.KYC_QUESTIONNAIRE,),
    Fault.UNKNOWN_KIND: (Kind.UNKNOWN,),
    Fault.EXPIRED: IDENTITY,
    Fault.CONTRADICTS_ITSELF: PAPERS,
    Fault.WRONG_MRZ_CHECK_DIGIT: IDENTITY,
    Fault.MRZ_CONTRADICTS_PRINT: IDENTITY,
    Fault.ALTERED_AMOUNT: (Kind.INVOICE, Kind.TAX_FORM),
    Fault.MISSING_PAGE: PAPERS,
    Fault.UNREADABLE: KNOWN,
}
"""A fault that is not named here can be planted in a document of any kind."""

TEXT_ONLY = (Fault.ALTERED_AMOUNT, Fault.ENCRYPTED, Fault.JAVASCRIPT)
"""Faults of a PDF with a text layer: they leave no trace on a scan."""

REFUSED = tuple(fault for fault, then in CONSEQUENCES.items() if then.outcome is Outcome.REFUSED)


@dataclass(frozen=True)
class Place:
    """Where a value stands: a box on a page as shown, from the top left, with the text printed in it.

    Units of `box` (left, top, right, bottom): points on pages of a PDF, pixels on images. Pages and parts from 1.
    """

    page: int
    box: tuple[float, float, float, float]
    text: str
    part: int = 1

    def as_json(self) -> dict[str, Any]:
        box = [round(edge, 1) for edge in self.box]
        return {"page": self.page, "box": box, "part": self.part, "text": self.text}


@dataclass(frozen=True)
class PageTruth:
    """Size of the page as shown, in the units of `Place`; `rotated`: its text is turned clockwise by these degrees."""

    page: int
    width: float
    height: float
    rotated: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "page": self.page, "width": round(self.width, 1), "height": round(self.height, 1), "rotated": self.rotated
        }  # fmt: skip


@dataclass(frozen=True)
class TableTruth:
    """Rows as they are meant: ISO dates, plain decimals, None in an empty cell; `page` is where the table begins."""

    name: str
    page: int
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    part: int = 1

    def as_json(self) -> dict[str, Any]:
        rows = [list(row) for row in self.rows]
        return {"name": self.name, "page": self.page, "part": self.part, "columns": list(self.columns), "rows": rows}


@dataclass(frozen=True)
class Part:
    """One document of the file."""

    kind: Kind
    first_page: int
    last_page: int
    fields: Mapping[str, str]
    places: Mapping[str, Place] = field(default_factory=dict)
    tables: tuple[TableTruth, ...] = ()
    conflicts: tuple[str, ...] = ()
    """Names that are printed twice with different values; they are not among `fields`."""


@dataclass(frozen=True)
class Truth:
    """`kind`, `fields` and the rest of the only document; of a file with several, `parts` says what is in each.

    Fields are normalised: ISO 8601 dates, decimals with two places, IBAN and the like without spaces, `yes`/`no`.
    `kind` and `fields` say what can be read: an unreadable page has the kind `unknown` and no fields, and so has a file
    that is refused before it is read.
    """

    kind: Kind
    fields: Mapping[str, str]
    outcome: Outcome
    failing_rules: tuple[str, ...] = ()
    fault: Fault | None = None
    refusal_rule: str | None = None
    language: str = "en"
    country: str = "CHE"
    quality: Quality = Quality.TEXT
    pages: tuple[PageTruth, ...] = ()
    parts: tuple[Part, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "language": self.language,
            "country": self.country,
            "quality": self.quality,
            "kind": self.kind,
            "outcome": self.outcome,
            "failing_rules": list(self.failing_rules),
            "fault": self.fault,
            "refusal_rule": self.refusal_rule,
            "pages": [page.as_json() for page in self.pages],
            "fields": dict(self.fields),
            "places": {name: place.as_json() for name, place in (self._only("places") or {}).items()},
            "conflicts": list(self._only("conflicts")),
            "parts": [_part(number, part) for number, part in enumerate(self.parts, 1)],
            "tables": [table.as_json() for part in self.parts for table in part.tables],
        }

    def _only(self, name: str) -> Any:
        return getattr(self.parts[0], name) if len(self.parts) == 1 else ()


def _part(number: int, part: Part) -> dict[str, Any]:
    return {
        "part": number,
        "kind": part.kind,
        "first_page": part.first_page,
        "last_page": part.last_page,
        "fields": dict(part.fields),
        "places": {name: place.as_json() for name, place in part.places.items()},
        "conflicts": list(part.conflicts),
    }


@dataclass(frozen=True)
class Specimen:
    """A document as bytes, with the file name under which a customer would send it."""

    name: str
    content: bytes
    truth: Truth
    seed: int
    as_of: date
    media_type: str = "application/pdf"

    @property
    def truth_name(self) -> str:
        return f"{self.name.rsplit('.', 1)[0]}.truth.json"

    def as_json(self) -> dict[str, Any]:
        about = {"file": self.name, "seed": self.seed, "as_of": self.as_of.isoformat(), "media_type": self.media_type}
        return {**about, **self.truth.as_json()}

    def truth_text(self) -> str:
        return json.dumps(self.as_json(), indent=2, ensure_ascii=False)
