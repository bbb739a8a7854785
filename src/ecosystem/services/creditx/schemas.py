"""What the routes of documents answer."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from ecosystem.contracts.creditx import Outcome, RuleStatus
from ecosystem.services.creditx.judging.wording import readable
from ecosystem.services.creditx.model import Document, Status


class DocumentReceived(BaseModel):
    document_id: UUID
    status: Status
    links: dict[str, str]


class DocumentShown(BaseModel):
    """`outcome` is what stands: the decision of a person where there is one, else `judged_outcome`, that of the rules.

    `open_rules` could not be applied here: an approval is one by the other rules. `file_name` and `customer` come with
    a single document, not in lists.
    """

    document_id: UUID
    status: Status
    kind: str | None
    outcome: Outcome | None
    compliance_score: Decimal | None
    rule_set: str
    rule_set_version: int | None
    failing_rules: list[str]
    reasons: list[str]
    failure: str | None
    media_type: str
    size_bytes: int
    pages: int
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    judged_as_of: date | None
    erased_at: datetime | None
    judged_outcome: Outcome | None
    open_rules: list[str]
    decided_by: str | None
    decided_at: datetime | None
    file_name: str | None = None
    customer: str | None = None
    links: dict[str, str]

    @classmethod
    def of(cls, document: Document, file_name: str | None = None, customer: str | None = None) -> "DocumentShown":
        return cls(
            document_id=document.document_id, status=document.status, kind=document.kind,
            outcome=Outcome(document.outcome) if document.outcome else None, compliance_score=document.score,
            rule_set=document.rule_set, rule_set_version=document.rule_set_version, failing_rules=document.failing,
            reasons=document.reasons, failure=document.failure, media_type=document.media_type,
            size_bytes=document.size_bytes, pages=document.facts["pages"], created_at=document.uploaded_at,
            updated_at=document.updated_at, completed_at=document.completed_at, judged_as_of=document.judged_as_of,
            erased_at=document.erased_at, file_name=file_name, customer=customer,
            judged_outcome=Outcome(document.judged_outcome) if document.judged_outcome else None,
            open_rules=document.open_rules, decided_by=document.decided_by, decided_at=document.decided_at,
            links=links_of(document.document_id),
        )  # fmt: skip


class ValueShown(BaseModel):
    """`box` is left, top, right, bottom from the top left of the page as shown: points of a PDF, pixels of an image.

    `ambiguous` says that a numeric date allowed two readings and the company's locale decided. `part` is the document
    within the file.
    """

    name: str
    value: str
    raw_text: str
    page: int
    box: tuple[float, float, float, float]
    confidence: float
    method: str
    currency: str | None
    ambiguous: bool
    part: int = 1

    @classmethod
    def of(cls, value: dict[str, Any]) -> "ValueShown":
        return cls.model_validate({**value, "raw_text": value["raw"]})


class RuleShown(BaseModel):
    rule: str
    title: str
    status: RuleStatus
    weight: Decimal
    evidence: str
    values: list[str]
    part: int | None = None
    source: str
    changes: str = ""


class DecisionShown(BaseModel):
    """What a person decided, and why."""

    outcome: Outcome
    decided_by: str
    decided_at: datetime
    reason: str | None


class PageReadingShown(BaseModel):
    """How a page was read. Boxes on it are in `unit`s of its `width` and `height` as shown."""

    page: int
    width: float
    height: float
    unit: Literal["point", "pixel"]
    method: Literal["text_layer", "ocr", "none"]
    engine: str | None
    rotation_degrees: float
    skew_degrees: float
    confidence: float


class PartShown(BaseModel):
    """One of the documents in a file, from 1. `missing` and `conflicts` name values."""

    part: int
    kind: str
    kind_confidence: float
    first_page: int
    last_page: int
    missing: list[str] = []
    conflicts: list[str] = []


class TableCellShown(BaseModel):
    """`box` is None where the row has nothing in this column."""

    text: str
    box: tuple[float, float, float, float] | None


class TableShown(BaseModel):
    name: str
    part: int = 1
    page: int
    box: tuple[float, float, float, float]
    columns: list[str]
    rows: list[list[TableCellShown]]


class MachineReadableZoneShown(BaseModel):
    """ICAO Doc 9303: the lines as corrected, which check digits hold, and how it compares with the printed values."""

    part: int = 1
    page: int
    box: tuple[float, float, float, float]
    format: str
    lines: list[str]
    checks: dict[str, bool]
    repaired: int
    against_print: dict[str, str] = {}


class CodeShown(BaseModel):
    """A QR or bar code, and what its text means where that is known."""

    part: int = 1
    page: int
    box: tuple[float, float, float, float]
    symbology: str
    text: str
    meaning: str | None = None


class SignShown(BaseModel):
    """A sign of tampering: evidence, never a verdict."""

    sign: str
    detail: str
    part: int = 1
    page: int | None = None
    box: tuple[float, float, float, float] | None = None


class ResultShown(BaseModel):
    """compliance_score = 100 × weights of passed rules / weights of passed and failed rules, two decimals, half up.

    `outcome` is what stands: that of `decision`, where a person decided, else `judged_outcome`.
    """

    document_id: UUID
    status: Status
    kind: str | None
    outcome: Outcome | None
    compliance_score: Decimal | None
    rule_set: str
    rule_set_version: int | None
    rule_set_sha256: str | None
    judged_at: datetime | None
    judged_as_of: date | None
    reasons: list[str]
    judged_outcome: Outcome | None = None
    open_rules: list[str] = []
    decision: DecisionShown | None = None
    customer: str | None = None
    values: list[ValueShown]
    rules: list[RuleShown]
    language: str | None = None
    country: str | None = None
    page_readings: list[PageReadingShown] = []
    parts: list[PartShown] = []
    tables: list[TableShown] = []
    mrz: list[MachineReadableZoneShown] = []
    barcodes: list[CodeShown] = []
    signs: list[SignShown] = []

    @classmethod
    def of(cls, form: dict[str, Any]) -> "ResultShown":
        values = [ValueShown.of(value) for value in form["values"]]
        rules = [{**rule, "evidence": readable(rule["evidence"])} for rule in form["rules"]]
        return cls.model_validate({**form, "values": values, "rules": rules})


class EvidenceItem(BaseModel):
    """One rule with the values it looked at, each with its place on the page."""

    rule: str
    title: str
    status: RuleStatus
    evidence: str
    part: int | None = None
    source: str = ""
    changes: str = ""
    values: list[ValueShown]


class EvidenceShown(BaseModel):
    document_id: UUID
    items: list[EvidenceItem]

    @classmethod
    def of(cls, form: dict[str, Any]) -> "EvidenceShown":
        values = [ValueShown.of(value) for value in form["values"]]
        items = [
            EvidenceItem(
                rule=rule["rule"], title=rule["title"], status=rule["status"], evidence=readable(rule["evidence"]),
                part=rule.get("part"), source=rule["source"], changes=rule.get("changes", ""),
                values=[value for value in values
                        if value.name in rule["values"] and rule.get("part") in (None, value.part)],
            )
            for rule in form["rules"]
        ]  # fmt: skip
        return cls(document_id=form["document_id"], items=items)


def links_of(document_id: UUID) -> dict[str, str]:
    here = f"/v1/documents/{document_id}"
    links = {name: f"{here}/{name}" for name in ("result", "evidence", "judgement", "original")}
    return {"self": here, **links, "pages": f"{here}/pages/{{page}}"}
