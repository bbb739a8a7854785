"""The door for agent tasks. Each looks again; what has an effect commits it with its answer."""

from ecosystem.contracts.creditx import (
    CheckCompliance,
    ComplianceChecked,
    DocumentStored,
    DocumentValidated,
    ExtractMetadata,
    FailDocument,
    MetadataExtracted,
    Outcome,
    PagesRead,
    Problem,
    ReadPages,
    RuleStatus,
    StoreDocument,
    ValidateDocument,
)
from ecosystem.kernel.agent.call import Call
from ecosystem.services.creditx.errors import DocumentRefused
from ecosystem.services.creditx.judging.service import JudgingService
from ecosystem.services.creditx.paging.page_text import batches_of, mean_confidence
from ecosystem.services.creditx.service import DocumentService

NEEDS_READING = "needs reading"


class Handlers:
    def __init__(self, service: DocumentService, judging: JudgingService) -> None:
        self._service, self._judging = service, judging

    async def validate(self, task: ValidateDocument, call: Call) -> DocumentValidated:
        try:
            facts = await self._service.validate(task.document_id)
        except DocumentRefused as refused:
            problem = Problem(rule=refused.code, message=f"{refused.message} {refused.next_step}")
            return DocumentValidated(status="invalid", validated=False, errors=(problem,))
        warnings = []
        if facts.pages_without_text:
            warnings.append(Problem(rule="readable_text", message=NEEDS_READING))
        if facts.has_attachments:
            warnings.append(Problem(rule="attachments", message="Attached files are kept with it and not read."))
        return DocumentValidated(
            status="validated", validated=True, warnings=tuple(warnings), metadata=facts,
            page_batches=batches_of(facts.pages_to_read),
        )  # fmt: skip

    async def read_pages(self, task: ReadPages, call: Call) -> PagesRead:
        texts = await self._service.pages.read(task.document_id, task.pages)

        async def keep() -> PagesRead:
            await self._service.pages.keep(task.document_id, texts)
            return PagesRead(
                pages=tuple(text.page for text in texts), characters=sum(text.characters for text in texts),
                mean_confidence=mean_confidence(texts),
                engine=next((text.engine for text in texts if text.engine), None),
            )  # fmt: skip

        return await call.commit(keep)

    async def extract(self, task: ExtractMetadata, call: Call) -> MetadataExtracted:
        reading, sealed = await self._service.read(task.document_id)

        async def keep() -> MetadataExtracted:
            await self._service.keep_reading(task.document_id, reading, sealed)
            return MetadataExtracted(
                kind=reading["kind"], kind_confidence=reading["kind_confidence"],
                value_names=tuple(value["name"] for value in reading["values"]), pages=reading["pages"],
                pages_without_text=reading["pages_without_text"],
            )  # fmt: skip

        return await call.commit(keep)

    async def check(self, task: CheckCompliance, call: Call) -> ComplianceChecked:
        judged = await self._judging.judge(task.document_id, task.rule_set)
        judgement = judged.judgement

        async def keep() -> ComplianceChecked:
            await self._judging.keep(task.document_id, judged)
            statuses = [result.status for result in judgement.results]
            return ComplianceChecked(
                outcome=judgement.outcome, compliance_score=judgement.score, rule_set=judgement.rule_set,
                rule_set_version=judgement.version, passed=statuses.count(RuleStatus.PASSED),
                failed=statuses.count(RuleStatus.FAILED), not_applicable=statuses.count(RuleStatus.NOT_APPLICABLE),
                not_available=statuses.count(RuleStatus.NOT_AVAILABLE), failing_rules=judgement.failing,
                open_rules=judgement.open_rules, reasons=judgement.reasons,
            )  # fmt: skip

        return await call.commit(keep)

    async def store(self, task: StoreDocument, call: Call) -> DocumentStored:
        document, terms, cached = await self._service.prepare_store(task.document_id)
        outcome = Outcome(document.outcome or document.judged_outcome or Outcome.REVIEW)
        if document.status != "completed":
            outcome = Outcome(document.judged_outcome or Outcome.REVIEW)

        async def keep() -> DocumentStored:
            await self._service.store(document, terms)
            return DocumentStored(document_id=task.document_id, outcome=outcome, terms=len(terms), cached=cached)

        return await call.commit(keep)

    async def fail(self, task: FailDocument, call: Call) -> DocumentStored:
        document = await self._service.find(task.document_id)
        completed = document.status == "completed"
        outcome = Outcome(document.outcome) if completed and document.outcome else Outcome.REVIEW

        async def keep() -> DocumentStored:
            await self._service.fail(document, task.reason)
            return DocumentStored(document_id=task.document_id, outcome=outcome, terms=0, cached=False)

        return await call.commit(keep)
