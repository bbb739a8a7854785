"""What the routes of documents answer."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from ecosystem.contracts.creditx import Outcome, RuleStatus
from ecosystem.services.creditx.model import Document, Status


class DocumentReceived(BaseModel):
    document_id: UUID
    status: Status
    links: dict[str, str]


class DocumentShown(BaseModel):
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
    file_name: str | None = None
    links: dict[str, str]

    @classmethod
    def of(cls, document: Document, file_name: str | None = None) -> "DocumentShown":
        return cls(
            document_id=document.document_id, status=document.status, kind=document.kind,
            outcome=Outcome(document.outcome) if document.outcome else None, compliance_score=document.score,
            rule_set=document.rule_set, rule_set_version=document.rule_set_version, failing_rules=document.failing,
            reasons=document.reasons, failure=document.failure, media_type=document.media_type,
            size_bytes=document.size_bytes, pages=document.facts["pages"], created_at=document.uploaded_at,
            updated_at=document.updated_at, completed_at=document.completed_at, judged_as_of=document.judged_as_of,
            erased_at=document.erased_at, file_name=file_name, links=links_of(document.document_id),
        )  # fmt: skip


class ValueShown(BaseModel):
    """`box` is left, top, right, bottom in points from the page's top left; `ambiguous` says that a numeric date
    allowed two readings and the company's locale decided."""

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
    source: str


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
    text: str
    box: tuple[float, float, float, float]


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
    """compliance_score = 100 × weights of passed rules / weights of passed and failed rules, two decimals, half up."""

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
        return cls.model_validate({**form, "values": [ValueShown.of(value) for value in form["values"]]})


class EvidenceItem(BaseModel):
    """One rule with the values it looked at, each with its place on the page."""

    rule: str
    title: str
    status: RuleStatus
    evidence: str
    values: list[ValueShown]


class EvidenceShown(BaseModel):
    document_id: UUID
    items: list[EvidenceItem]

    @classmethod
    def of(cls, form: dict[str, Any]) -> "EvidenceShown":
        values = {value["name"]: ValueShown.of(value) for value in form["values"]}
        items = [
            EvidenceItem(
                rule=rule["rule"], title=rule["title"], status=rule["status"], evidence=rule["evidence"],
                values=[values[name] for name in rule["values"] if name in values],
            )
            for rule in form["rules"]
        ]  # fmt: skip
        return cls(document_id=form["document_id"], items=items)


class RuleSetListed(BaseModel):
    name: str
    version: int
    title: str
    sha256: str


class RuleSetsShown(BaseModel):
    items: list[RuleSetListed]
    next_cursor: str | None = None


class RuleSetShown(RuleSetListed):
    """`text` is the YAML whose SHA-256 stands with each decision."""

    text: str


def links_of(document_id: UUID) -> dict[str, str]:
    here = f"/v1/documents/{document_id}"
    links = {name: f"{here}/{name}" for name in ("result", "evidence", "original")}
    return {"self": here, **links, "pages": f"{here}/pages/{{page}}"}
