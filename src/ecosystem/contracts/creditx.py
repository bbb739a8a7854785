"""creditx-service: compliance documents, their reading and their judgement."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ecosystem.kernel.agent.card import AgentCard, AgentType, Fallback, Limits, OnTimeout, Prompt, Result, Task
from ecosystem.kernel.messaging.event import Event

SERVICE = "creditx-service"
BACKUP = "creditx-backup"
PREFIXES = ("/v1/documents", "/v1/reviews", "/v1/rule-sets")
WORKFLOW = "compliance_document_ingestion"
PAGES_MAX = 500
PAGES_OF_BATCH_MAX = 4
Page = Annotated[int, Field(ge=1, le=PAGES_MAX)]
"""Pages count from 1."""


class Outcome(StrEnum):
    APPROVED = "approved"
    REJECTED = "rejected"
    REVIEW = "review"


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(Part):
    """A broken rule of a document: `rule` is stable and machine-readable, `message` names the next step."""

    rule: str
    message: str


class Facts(Part):
    """What the bytes of a document say about themselves. `media_type` is found by content, never by name.

    `pages_to_read` are those without a usable text layer: all pages of an image. `hidden_text_pages`: how many have
    one that is never painted, as scanners put what they read beneath a scan.
    """

    media_type: str
    size_bytes: int
    pages: int
    pages_without_text: int = 0
    pages_to_read: tuple[Page, ...] = Field(default=(), max_length=PAGES_MAX)
    hidden_text_pages: int = 0
    encrypted: bool = False
    has_javascript: bool = False
    has_attachments: bool = False


class Value(Part):
    """One value read from a page. `box` is left, top, right, bottom in points from the top left of the page (1-based).

    `value` is normalised: ISO 8601 dates, plain decimal amounts, IBAN without spaces; `raw` is the text as printed.
    """

    name: str
    value: str
    raw: str
    page: int
    box: tuple[float, float, float, float]
    confidence: float = Field(ge=0, le=1)
    method: Literal["text_layer", "ocr", "mrz", "barcode"]
    currency: str | None = None


class RuleStatus(StrEnum):
    """`not_available`: the rule needs what this platform does not have; it neither passes nor fails, and is named."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"
    NOT_AVAILABLE = "not_available"


class RuleResult(Part):
    """`evidence` names the values (by name) that decided and says in one sentence why.

    `part` is the document within the file (from 1), None where the rule looks at the file as a whole. `source` is the
    law or standard behind the rule, `changes` what would change the result.
    """

    rule: str
    title: str
    status: RuleStatus
    weight: Decimal
    evidence: str
    values: tuple[str, ...] = ()
    part: int | None = None
    source: str = ""
    changes: str = ""


class DocumentRef(Part):
    document_id: UUID


class DocumentValidated(Result):
    """`status` is `validated` or `invalid`; `compliance_score` is None until rules have judged the document.

    `page_batches` are the pages that OCR must read, a few at a time; none for a document with a text layer.
    """

    status: Literal["validated", "invalid"]
    validated: bool
    compliance_score: Decimal | None = None
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    metadata: Facts | None = None
    page_batches: tuple[tuple[Page, ...], ...] = ()


class PagesRead(Result):
    """What stands on the pages stays in creditx under the document's key; this answer counts it.

    `mean_confidence` (0 to 1) and `engine` are None where nothing was found on any of the pages.
    """

    pages: tuple[Page, ...]
    characters: int
    mean_confidence: float | None
    engine: str | None


class MetadataExtracted(Result):
    """The values themselves stay in creditx under the document's key; this answer carries counts and kinds only."""

    kind: str
    kind_confidence: float
    value_names: tuple[str, ...]
    pages: int
    pages_without_text: int


class ComplianceChecked(Result):
    """score = 100 × Σ weight of passed / Σ weight of passed and failed, two decimals, half up.

    `open_rules` could not be applied because what they need is not available; an approval names them.
    """

    outcome: Outcome
    compliance_score: Decimal | None
    rule_set: str
    rule_set_version: int
    passed: int
    failed: int
    not_applicable: int
    not_available: int = 0
    failing_rules: tuple[str, ...] = ()
    open_rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class DocumentStored(Result):
    document_id: UUID
    outcome: Outcome
    terms: int
    cached: bool


# Repeatable: the content of a document never changes, nor does what it says of itself.
class ValidateDocument(Task, request_type="validate_document", result=DocumentValidated, repeatable=True):
    document_id: UUID


class ReadPages(Task, request_type="read_pages", result=PagesRead, effect=True):
    """Read pages that have no text layer. A page that was read before is not read again."""

    document_id: UUID
    pages: tuple[Page, ...] = Field(min_length=1, max_length=PAGES_OF_BATCH_MAX)


class ExtractMetadata(Task, request_type="extract_metadata", result=MetadataExtracted, effect=True):
    document_id: UUID


class CheckCompliance(Task, request_type="check_compliance", result=ComplianceChecked, effect=True):
    document_id: UUID
    rule_set: str = "kyc_aml_v2"


class StoreDocument(Task, request_type="store_document", result=DocumentStored, effect=True):
    """Fix the outcome, index the values for search and put the normalised document in the cache."""

    document_id: UUID


class FailDocument(Task, request_type="fail_document", result=DocumentStored, effect=True):
    """Record that the ingestion failed and why; the document goes to review, never to approval."""

    document_id: UUID
    reason: str = Field(max_length=500)


class DocumentCreated(Event, event_type="compliance_document_created", subject="document_id"):
    document_id: UUID
    media_type: str
    size_bytes: int
    rule_set: str
    uploaded_at: datetime


class DocumentProcessed(Event, event_type="compliance_document_processed", subject="document_id"):
    document_id: UUID
    kind: str
    outcome: Outcome
    compliance_score: Decimal | None
    rule_set: str
    rule_set_version: int
    judged_as_of: date | None = None


class DocumentFailed(Event, event_type="compliance_document_failed", subject="document_id"):
    document_id: UUID
    code: str


class DocumentReviewRequested(Event, event_type="compliance_document_review_requested", subject="document_id"):
    document_id: UUID
    reasons: tuple[str, ...]


class DocumentDecided(Event, event_type="compliance_document_decided", subject="document_id"):
    """A person decided a document that awaited review; `judged_outcome` is what the rules had said, if they could."""

    document_id: UUID
    outcome: Outcome
    judged_outcome: Outcome | None
    decided_by: str
    decided_at: datetime


def _card(
    agent_id: str, purpose: str, task: tuple[type[Task], ...], seconds: float, timeout: OnTimeout,
    clients: bool = True, consumers: tuple[str, ...] = (),
) -> AgentCard:  # fmt: skip
    return AgentCard(
        id=agent_id, service=SERVICE, type=AgentType.DOMAIN, purpose=purpose, tasks=task,
        prompt=Prompt(system=f"You are {agent_id}. {purpose}", constraints=("Answer only from the document.",)),
        limits=Limits(timeout_seconds=seconds), on_timeout=timeout, callers=("orchestrator-agent",), clients=clients,
        consumers=consumers, fallback=Fallback(backup=BACKUP, queue=True),
    )  # fmt: skip


VALIDATION_AGENT = _card(
    "validation-agent", "Say by content, never by name, whether a document can be read.",
    (ValidateDocument,), 5, OnTimeout.FAIL_CLOSED,
)  # fmt: skip
OCR_AGENT = _card(
    "ocr-agent", "Read the pages that are pictures: every line with its place and how sure it is.",
    (ReadPages,), 120, OnTimeout.FAIL_OPEN,
)  # fmt: skip
METADATA_EXTRACTION_AGENT = _card(
    "metadata-extraction-agent", "Read kind, names, dates, amounts and account numbers with page, box and confidence.",
    (ExtractMetadata,), 30, OnTimeout.FAIL_OPEN,
)  # fmt: skip
CREDITX_COMPLIANCE_AGENT = _card(
    "creditx-compliance-agent", "Judge a document against a rule set, each rule with its evidence.",
    (CheckCompliance,), 60, OnTimeout.FAIL_OPEN, consumers=("creditx-companies",),
)  # fmt: skip
STORAGE_AGENT = _card(
    "storage-agent", "Fix the outcome of a document, index it and keep its normalised form at hand.",
    (StoreDocument, FailDocument), 15, OnTimeout.FAIL_CLOSED, clients=False,
)  # fmt: skip
AGENTS = (VALIDATION_AGENT, OCR_AGENT, METADATA_EXTRACTION_AGENT, CREDITX_COMPLIANCE_AGENT, STORAGE_AGENT)
EVENTS: tuple[type[Event], ...] = (
    DocumentCreated, DocumentProcessed, DocumentFailed, DocumentReviewRequested, DocumentDecided,
)  # fmt: skip
