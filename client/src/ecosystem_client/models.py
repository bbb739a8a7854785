"""What the platform answers. A field that may be absent in an answer is None; `raw` holds everything that came."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ecosystem_client.reading import Model
from ecosystem_client.stories import WaitingCall

FINISHED = frozenset({"completed", "failed"})
"""The states of a document in which nothing more happens by itself."""


@dataclass(frozen=True, kw_only=True)
class Company(Model):
    company_id: str
    name: str
    region: str | None = None
    time_zone: str | None = None
    locale: str | None = None
    currency: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Client(Model):
    """`client_secret` is shown once: when the client is created or its secret rotated.

    `former_secret_until`: after a rotation, how long the old secret still works.
    """

    client_id: str
    name: str | None = None
    company_id: str | None = None
    roles: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    status: str | None = None
    created_at: datetime | None = None
    revoked_at: datetime | None = None
    former_secret_until: datetime | None = None
    client_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Receipt(Model):
    """What an upload is answered with. `replayed`: the platform had this upload already, under the same key."""

    document_id: str
    status: str
    links: Mapping[str, str] = field(default_factory=dict)
    replayed: bool = False
    trace_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Document(Model):
    """`status`: received, processing, completed, failed. `outcome`, once there is one: approved, rejected, review.

    `judged_outcome` is what the rules said, where a person decided otherwise; `open_rules` could not be applied.
    """

    document_id: str
    status: str
    kind: str | None = None
    outcome: str | None = None
    compliance_score: Decimal | None = None
    rule_set: str | None = None
    rule_set_version: int | None = None
    failing_rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    open_rules: tuple[str, ...] = ()
    judged_outcome: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    failure: str | None = None
    customer: str | None = None
    file_name: str | None = None
    media_type: str | None = None
    size_bytes: int | None = None
    pages: int | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None
    erased_at: datetime | None = None

    @property
    def finished(self) -> bool:
        return self.status in FINISHED


@dataclass(frozen=True, kw_only=True)
class Value(Model):
    """One value read from a page. `box` is left, top, right, bottom from the page's top left, in points (of an image:
    in pixels).

    `ambiguous`: a numeric date allowed two readings, and the country or the company's locale decided. `part`: which of
    the documents in the file it stands on, from 1.
    """

    name: str
    value: str
    raw_text: str | None = None
    page: int | None = None
    box: tuple[float, ...] = ()
    confidence: float | None = None
    method: str | None = None
    currency: str | None = None
    ambiguous: bool = False
    part: int = 1


@dataclass(frozen=True, kw_only=True)
class Rule(Model):
    """`status` is passed, failed, not_applicable or not_available; `evidence` says in one sentence why.

    `part` is the document within the file, None for the file as a whole; `changes` says what would change the result.
    """

    rule: str
    status: str
    evidence: str
    title: str | None = None
    weight: Decimal | None = None
    values: tuple[str, ...] = ()
    part: int | None = None
    source: str | None = None
    changes: str | None = None


@dataclass(frozen=True, kw_only=True)
class Decision(Model):
    """What a person decided, and why."""

    outcome: str
    decided_by: str
    decided_at: datetime
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class PageReading(Model):
    """How a page was read: its size in the units of the boxes on it, and `method` text_layer, ocr or none."""

    page: int
    width: float
    height: float
    unit: str = "point"
    method: str | None = None
    engine: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, kw_only=True)
class Result(Model):
    """What was read and how it was judged. The score can be recomputed from the rules' weights."""

    document_id: str
    kind: str | None = None
    outcome: str | None = None
    compliance_score: Decimal | None = None
    rule_set: str | None = None
    rule_set_version: int | None = None
    judged_as_of: date | None = None
    values: tuple[Value, ...] = ()
    rules: tuple[Rule, ...] = ()
    reasons: tuple[str, ...] = ()
    page_readings: tuple[PageReading, ...] = ()
    open_rules: tuple[str, ...] = ()
    judged_outcome: str | None = None
    decision: Decision | None = None
    customer: str | None = None

    @property
    def failing(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.status == "failed")

    def value(self, name: str) -> str | None:
        """The value read under this name, or None."""
        return next((value.value for value in self.values if value.name == name), None)


@dataclass(frozen=True, kw_only=True)
class Judgement(Model):
    """A judgement with all that it was computed from: `inputs` and the text of the rule set of that SHA-256.

    `outcome` is what stands now; `judged_outcome` what the rules said.
    """

    document_id: str
    rule_set: str
    rule_set_version: int
    rule_set_sha256: str
    judged_outcome: str
    judged_at: datetime
    judged_as_of: date
    inputs: Mapping[str, Any]
    inputs_kept: bool = True
    kind: str | None = None
    compliance_score: Decimal | None = None
    reasons: tuple[str, ...] = ()
    open_rules: tuple[str, ...] = ()
    results: tuple[Rule, ...] = ()
    values: tuple[Value, ...] = ()
    outcome: str | None = None
    decision: Decision | None = None


@dataclass(frozen=True, kw_only=True)
class RuleSet(Model):
    """One version of a rule set; `text` is its YAML and comes with a single one, not in lists."""

    name: str
    version: int
    sha256: str
    title: str | None = None
    current: bool = False
    rules: int | None = None
    text: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Review(Model):
    """A document that awaits a decision (`awaits`), or the `decision` it came to. `claimed_by`: who holds it now."""

    document_id: str
    awaits: bool = True
    kind: str | None = None
    outcome: str | None = None
    judged_outcome: str | None = None
    compliance_score: Decimal | None = None
    failing_rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    uploaded_at: datetime | None = None
    requested_at: datetime | None = None
    claimed_by: str | None = None
    claimed_until: datetime | None = None
    decision: Decision | None = None


@dataclass(frozen=True, kw_only=True)
class Transition(Model):
    state: str
    at: datetime
    step: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Step(Model):
    """One attempt of one call to an agent; `code` is None where the agent answered.

    `pass_number` (from 1) is that of a pass of a loop.
    """

    name: str
    agent: str
    attempt: int
    began_at: datetime
    ended_at: datetime
    task: str | None = None
    code: str | None = None
    pass_number: int | None = None


@dataclass(frozen=True, kw_only=True)
class Loop(Model):
    """How far a loop has come: `ended` of its `passes`, one for each of what `each` names."""

    name: str
    each: str
    passes: int
    ended: int


@dataclass(frozen=True, kw_only=True)
class Run(Model):
    """One execution of a workflow. `state` is IDLE, VALIDATING, …, FINALIZING, or ERROR until it is retried.

    `status` is running, completed, failed or cancelled. Transitions and steps come with a single run, not in lists.
    """

    run_id: str
    state: str
    workflow: str | None = None
    version: str | None = None
    status: str | None = None
    outcome: str | None = None
    code: str | None = None
    reason: str | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = None
    transitions: tuple[Transition, ...] = ()
    steps: tuple[Step, ...] = ()
    loops: tuple[Loop, ...] = ()
    waiting: tuple[WaitingCall, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Event(Model):
    """A fact of the log. `position` is opaque: give it back as `after` to go on from here."""

    id: str
    type: str
    position: str | None = None
    subject: str | None = None
    time: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DeadLetter(Model):
    """An event that a consumer gave up on, with why."""

    id: str
    consumer: str
    event_id: str | None = None
    type: str | None = None
    attempts: int | None = None
    reason: str | None = None
    failed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Replay(Model):
    """What a replay would read again (`dry_run`), or does; the consumer passes over what it has handled already."""

    consumer: str
    events: int | None = None
    already_handled: int | None = None
    to_handle: int | None = None
    dry_run: bool | None = None


@dataclass(frozen=True, kw_only=True)
class AgentAnswer(Model):
    """`status` is success, failure, timeout or error; `error` is the message of a failure."""

    request_id: str
    status: str
    result: Any = None
    error: str | None = None
    execution_time_ms: float | None = None
    timestamp: Any = None
