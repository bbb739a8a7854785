"""The rules of documents that a caller can break. No message quotes a document."""

from ecosystem.kernel.errors import Conflict, EcosystemError, Invalid, Kind, NotFound, Severity
from ecosystem.services.creditx.reading.refusal import RULES


class DocumentNotFound(NotFound):
    code = "document_not_found"
    rule = "There is no document under this id."
    suggestion = "Check the id; GET /v1/documents lists your documents."


class KindUnknown(Invalid):
    """`details`: `known`, the kinds that there are."""

    code = "kind_unknown"
    rule = "A kind is one of those that the platform reads."


class PageNotFound(NotFound):
    code = "page_not_found"
    rule = "Pages are numbered from 1 to the number of pages of the document."
    suggestion = "GET /v1/documents/{id} says how many pages there are."


class DocumentRefused(EcosystemError):
    """The content breaks a rule of `reading.refusal.RULES`; `code` in the answer is that rule. Nothing is stored.

    `details`: the limits that were passed, by their names.
    """

    code, status, kind, severity = "document_refused", 422, Kind.PERMANENT, Severity.LOW

    def __init__(self, broken: str, **limits: int) -> None:
        sentence, _, next_step = RULES[broken].partition(". ")
        passed = ", ".join(f"{number} {name.removesuffix('_max').replace('_', ' ')}" for name, number in limits.items())
        message = f"{sentence} (at most {passed})." if passed else f"{sentence}."
        super().__init__(message, suggestion=next_step, rule=broken, **limits)
        self.code = broken  # type: ignore[misc]
        self.status = {"type_not_supported": 415}.get(broken, 422)  # type: ignore[misc]


class FileTooLarge(EcosystemError):
    code, status, kind, severity = "file_too_large", 413, Kind.PERMANENT, Severity.LOW
    suggestion = "Split the document or export it in an ordinary quality."

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"A file has at most {bytes_max} bytes.", bytes_max=bytes_max)


class FileNameRefused(Invalid):
    code = "file_name_refused"
    rule = "A file name is 1 to 200 printable characters without a path."
    suggestion = "Rename the file and send it again."


class UploadMalformed(Invalid):
    code = "upload_malformed"
    rule = "An upload is multipart/form-data with one field `file` and, if wanted, `rule_set` and `customer`."
    suggestion = "Send the document as the form field `file` with a file name."


class CustomerRefused(Invalid):
    code = "customer_refused"
    rule = "A customer is your own reference for one: 1 to 64 printable ASCII characters."
    suggestion = "Send a number or a code of your own system, no name."


class UploadsBusy(EcosystemError):
    code, status, kind, severity = "uploads_busy", 503, Kind.TRANSIENT, Severity.MEDIUM
    rule = "Uploads that run at the same time share a limited room; a company takes no more of it than it leaves."
    suggestion = "Send the document again in a moment, with the same Idempotency-Key."


class IntakeFull(EcosystemError):
    code, status, kind, severity = "intake_full", 429, Kind.TRANSIENT, Severity.LOW
    rule = "Only so many documents of a company may be on their way to an outcome at the same time."
    suggestion = "Send it again after the seconds of Retry-After, with the same Idempotency-Key."


class NotReadYet(Conflict):
    code = "document_not_read"
    rule = "A document is read before it is judged, and judged before it is stored."
    suggestion = "Ask extract_metadata and check_compliance first, or let the workflow do it."


class NotJudgedYet(Conflict):
    code, kind = "document_in_progress", Kind.TRANSIENT
    rule = "The document has no outcome yet."
    suggestion = "Look at its status, and ask again when it is completed."


class ValuesErased(EcosystemError):
    code, status, kind, severity = "values_erased", 410, Kind.PERMANENT, Severity.LOW
    rule = "The values of this document were erased on request."
    suggestion = "Nothing can bring them back; upload the document again if you may."


class RuleSetUnknown(Invalid):
    code = "rule_set_unknown"
    rule = "A rule set is one of those that GET /v1/rule-sets lists."
    suggestion = "Choose one of GET /v1/rule-sets."


class RuleSetInvalid(Invalid):
    """`details["problems"]` are `{"line", "rule", "message"}`, by line."""

    code = "rule_set_invalid"
    rule = "A rule set is YAML of the documented form."
    suggestion = "Mend the lines that are named; docs/guides/write-a-rule.md says how a rule is written."


class RuleSetChanged(EcosystemError):
    code, status, kind, severity = "rule_set_changed", 500, Kind.PERMANENT, Severity.CRITICAL
    rule = "A version of a rule set that was used is never edited."
    suggestion = "Give the changed rules a new version; restore the text of the version that was used."


class ReviewNotAsked(Conflict):
    code = "review_not_asked"
    rule = "Only a document whose outcome is review awaits a decision."
    suggestion = "GET /v1/reviews lists what awaits one."


class ReviewClaimed(Conflict):
    """`details`: `claimed_by`, `claimed_until`."""

    code, kind = "review_claimed", Kind.TRANSIENT
    rule = "A review is held by one person at a time."
    suggestion = "Take another, or wait until the claim is released or has run out."


class ReviewNotClaimed(Conflict):
    code = "review_not_claimed"
    rule = "Whoever decides a review has claimed it first."
    suggestion = "POST /v1/reviews/{document_id}/claim, look at the document again, then decide."


class ReviewNotHeld(Conflict):
    code = "review_not_held"
    rule = "A claim is given back by who holds it, and nobody holds this review."
    suggestion = "Nothing needs to be done; POST /v1/reviews/{document_id}/claim takes it."


class ReviewDecided(Conflict):
    """`details`: `decided_by`, `decided_at`, `outcome`."""

    code = "review_decided"
    rule = "A document is decided once."
    suggestion = "GET /v1/documents/{document_id}/result shows the decision; it stands."


class ReasonRefused(Invalid):
    code = "reason_refused"
    rule = "A decision has a reason of 3 to 2000 printable characters."
    suggestion = "Say in a sentence why you decide so."
