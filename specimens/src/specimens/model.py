"""What a specimen is and what is true about it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    BANK_STATEMENT = "bank_statement"
    PROOF_OF_ADDRESS = "proof_of_address"
    CERTIFICATE_OF_INCORPORATION = "certificate_of_incorporation"
    INVOICE = "invoice"
    KYC_QUESTIONNAIRE = "kyc_questionnaire"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    APPROVED = "approved"
    REJECTED = "rejected"
    REVIEW = "review"
    REFUSED = "refused"


class Fault(StrEnum):
    """What can be planted. The first group is text that breaks a rule, the second a file that is refused."""

    OLD_PROOF_OF_ADDRESS = "old_proof_of_address"
    WRONG_IBAN_CHECK_DIGITS = "wrong_iban_check_digits"
    BALANCE_DOES_NOT_FOLLOW = "balance_does_not_follow"
    DATE_IN_FUTURE = "date_in_future"
    PERIOD_REVERSED = "period_reversed"
    MISSING_VALUE = "missing_value"
    DUE_BEFORE_INVOICE = "due_before_invoice"
    PEP_DECLARED = "pep_declared"
    UNKNOWN_KIND = "unknown_kind"
    PAGE_WITHOUT_TEXT = "page_without_text"

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
    Fault.PAGE_WITHOUT_TEXT: Consequence(Outcome.REVIEW, ("readable",)),
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
    Fault.DATE_IN_FUTURE: (Kind.CERTIFICATE_OF_INCORPORATION,),
    Fault.PERIOD_REVERSED: (Kind.BANK_STATEMENT,),
    Fault.MISSING_VALUE: (
        Kind.BANK_STATEMENT,
        Kind.PROOF_OF_ADDRESS,
        Kind.CERTIFICATE_OF_INCORPORATION,
        Kind.INVOICE,
        Kind.KYC_QUESTIONNAIRE,
    ),
    Fault.DUE_BEFORE_INVOICE: (Kind.INVOICE,),
    Fault.PEP_DECLARED: (Kind.KYC_QUESTIONNAIRE,),
    Fault.UNKNOWN_KIND: (Kind.UNKNOWN,),
}
"""A fault that is not named here can be planted in a document of any kind."""

REFUSED = tuple(fault for fault, then in CONSEQUENCES.items() if then.outcome is Outcome.REFUSED)


@dataclass(frozen=True)
class Truth:
    """`fields` are normalised: ISO 8601 dates, plain decimals, IBAN without spaces, `yes`/`no`.

    `kind` and `fields` say what can be read: a page without text has the kind `unknown` and no fields, and so has a
    file that is refused before it is read.
    """

    kind: Kind
    fields: Mapping[str, str]
    outcome: Outcome
    failing_rules: tuple[str, ...] = ()
    fault: Fault | None = None
    refusal_rule: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


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

    def truth_text(self) -> str:
        return json.dumps(
            {"file": self.name, "seed": self.seed, "as_of": self.as_of.isoformat(), **self.truth.as_json()},
            indent=2,
            ensure_ascii=False,
        )


@dataclass
class Cell:
    """A label with the text printed beside or below it."""

    label: str
    text: str


@dataclass
class Table:
    """Rows under a header; the last column is set to the right."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    totals: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Draft:
    """A document before it is set: what stands on it, not yet where."""

    kind: Kind
    letterhead: str
    title: str
    cells: list[Cell] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    opening: str = ""
    table: Table | None = None
    closing: str = ""
