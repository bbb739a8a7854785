"""A demonstration: documents go through the edge as a customer's program sends them, and are compared with truth."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem_client import ApiError, Ecosystem, EcosystemFailure
from ecosystem_client.models import Result
from specimens.selections import demonstration as specimens_of

LOCALE = "en_GB"
_TRUTH = ".truth.json"
_ABOUT_US = frozenset({401, 403, 429})
"""Refusals of the sender, not of what was sent."""
SURE = 0.9
"""Who says of a value that it is at least so sure must be right."""
_SEVERAL = "several"
_IMAGES_MAX, _IMAGE_WIDTH = 4, 900


class NothingToSend(EcosystemError):
    code, kind, severity = "nothing_to_send", Kind.PERMANENT, Severity.LOW
    rule = "A demonstration needs at least one file."
    suggestion = "eco specimens --out DIR makes some; eco demo without a folder brings its own"


@dataclass(frozen=True)
class Case:
    """A document to send. `truth` as specimens write it; None for a document of one's own."""

    name: str
    content: bytes | Path
    truth: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class PageImage:
    """A page as it is shown: an image, and its size in the units of the boxes on it."""

    number: int
    content: bytes
    width: float
    height: float


@dataclass
class Report:
    """What came of one document. `outcome` None: it has none, `trouble` says why. Times are seconds.

    `wrong` are the values that were not read as printed, by part and name, with what is printed.
    """

    name: str
    outcome: str | None = None
    kind: str | None = None
    quality: str | None = None
    values: dict[str, str] = field(default_factory=dict)
    score: str | None = None
    failing: list[tuple[str, str]] = field(default_factory=list)
    refusal: str | None = None
    reasons: list[str] = field(default_factory=list)
    seconds: float = 0.0
    document_id: str | None = None
    trace_id: str | None = None
    trouble: str | None = None
    differences: list[str] = field(default_factory=list)
    compared: bool = False
    result: Result | None = None
    pages: int = 0
    images: list[PageImage] = field(default_factory=list)
    values_true: int = 0
    wrong: dict[tuple[int, str], str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return self.outcome is not None and not self.differences

    @property
    def values_exact(self) -> int:
        return self.values_true - len(self.wrong)


def specimen_cases(seed: int, as_of: date) -> list[Case]:
    return [Case(one.name, one.content, one.truth.as_json()) for one in specimens_of(seed, as_of, LOCALE)]


def folder_cases(folder: Path) -> list[Case]:
    """Every file of the folder; a truth written by `eco specimens` beside a file is what it is compared with.

    Raises:
        NothingToSend: no files there.
        OSError: the folder cannot be read.
    """
    files = [path for path in sorted(folder.iterdir()) if _is_sent(path)]
    cases = [
        Case(path.name, path, _truth_beside(path)) for path in files if not path.name.endswith(_TRUTH)
    ]  # fmt: skip
    if not cases:
        raise NothingToSend(f"{folder} holds no files.")
    return cases


def passed_over(folder: Path) -> list[str]:
    """Names in the folder that `folder_cases` leaves out: folders, links to nothing, pipes, hidden files."""
    return [path.name for path in sorted(folder.iterdir()) if not _is_sent(path)]


def _is_sent(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _truth_beside(path: Path) -> Mapping[str, Any] | None:
    beside = path.with_name(path.stem + _TRUTH)
    return dict(json.loads(beside.read_text())) if beside.exists() else None


def send_all(ecosystem: Ecosystem, cases: Iterable[Case], *, timeout_seconds: float) -> Iterator[Report]:
    """One after the other, so that each time is the document's own."""
    for case in cases:
        started = time.monotonic()
        report = Report(case.name)
        try:
            _send(ecosystem, case, report, timeout_seconds)
        except EcosystemFailure as failure:
            report.trouble = str(failure)
        except OSError as failure:
            report.trouble = f"The file cannot be read: {failure.strerror}. Next: give it to the account that sends it"
        report.seconds = time.monotonic() - started
        _explain(ecosystem, report)
        _picture(ecosystem, report)
        if case.truth is not None:
            report.compared, report.quality = True, case.truth.get("quality")
            report.differences = differences(case.truth, report)
        yield report


def _send(ecosystem: Ecosystem, case: Case, report: Report, timeout_seconds: float) -> None:
    try:
        receipt = ecosystem.documents.upload(case.content, name=case.name)
    except ApiError as refusal:
        if refusal.status >= 500 or refusal.status in _ABOUT_US:
            raise
        report.outcome, report.refusal, report.trace_id = "refused", refusal.rule or refusal.code, refusal.trace_id
        report.failing = [(refusal.rule or refusal.code, f"{refusal.detail} {refusal.next_step or ''}".strip())]
        return
    report.document_id, report.trace_id = receipt.document_id, receipt.trace_id
    document = ecosystem.documents.follow(receipt.document_id, timeout_seconds=timeout_seconds)
    report.outcome, report.kind, report.pages = document.outcome, document.kind, document.pages or 0
    if report.outcome is None:
        report.trouble = f"The document is {document.status} without an outcome. {document.failure or ''}".rstrip()


def _explain(ecosystem: Ecosystem, report: Report) -> None:
    """What was read and why it was judged so: asked for after the clock has stopped."""
    if report.document_id is None or report.outcome is None:
        return
    try:
        result: Result = ecosystem.documents.result(report.document_id)
    except EcosystemFailure as failure:
        report.differences = [f"its result cannot be read: {failure}"]
        return
    report.result, report.kind = result, result.kind or report.kind
    report.values = {value.name: value.value for value in result.values}
    report.score = None if result.compliance_score is None else str(result.compliance_score)
    report.failing = [(rule.rule, rule.evidence) for rule in result.failing]
    report.reasons = list(result.reasons)


def _picture(ecosystem: Ecosystem, report: Report) -> None:
    """The pages as they are shown; without them the report still says everything in words."""
    if report.result is None:
        return
    for page in report.result.page_readings[:_IMAGES_MAX]:
        try:
            content = ecosystem.documents.page_image(report.result.document_id, page.page, width=_IMAGE_WIDTH)
        except EcosystemFailure:
            return
        report.images.append(PageImage(page.page, content, page.width, page.height))


def differences(truth: Mapping[str, Any], report: Report) -> list[str]:
    """Where the report is not what the truth says, in words; values that the truth does not name are not judged.

    A value read from pixels may be wrong where it says that it is not sure: then it is noted in `report.wrong` alone.
    """
    if report.outcome is None:
        return [*report.differences, f"no outcome, {truth['outcome']} was expected"]
    found = list(report.differences)
    if report.outcome != truth["outcome"]:
        found.append(f"outcome {report.outcome}, {truth['outcome']} was expected")
    if truth["refusal_rule"] != report.refusal:
        found.append(f"refused by {report.refusal}, {truth['refusal_rule']} was expected")
    if truth["outcome"] == "refused":
        return found
    if (report.kind or "unknown") != truth["kind"]:
        found.append(f"kind {report.kind}, {truth['kind']} was expected")
    failing = sorted({rule for rule, _ in report.failing})
    if failing != sorted(truth["failing_rules"]):
        found.append(f"failing rules {failing}, {sorted(truth['failing_rules'])} were expected")
    return found + _wrong_values(truth, report)


def _wrong_values(truth: Mapping[str, Any], report: Report) -> list[str]:
    """Note each value that is not as printed; in words those that were read from text or said to be sure."""
    read = {(value.part, value.name): value for value in report.result.values} if report.result else {}
    found: list[str] = []
    for part, name, printed in _printed(truth):
        report.values_true += 1
        value = read.get((part, name))
        if value is not None and value.value == printed:
            continue
        report.wrong[part, name] = printed
        from_pixels = truth.get("quality", "text") != "text"
        unsure = value is None or (value.confidence is not None and value.confidence < SURE)
        if not (from_pixels and unsure):
            found.append(f"{name} read as {value.value if value else None!r}, {printed!r} is printed")
    return found


def _printed(truth: Mapping[str, Any]) -> Iterator[tuple[int, str, str]]:
    """Part, name and text of every value that the truth names."""
    if truth["kind"] != _SEVERAL:
        yield from ((1, name, text) for name, text in truth["fields"].items())
        return
    for part in truth["parts"]:
        yield from ((part["part"], name, text) for name, text in part["fields"].items())
