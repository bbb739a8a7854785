"""The door for events: an uploaded document starts its ingestion."""

from collections.abc import Awaitable, Callable

from ecosystem.contracts.creditx import WORKFLOW, DocumentCreated
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.services.orchestrator.service import WorkflowService


def consumers(service: WorkflowService, take_up: Callable[[], Awaitable[None]] | None = None) -> tuple[Consumer, ...]:
    async def document_created(envelope: Envelope) -> None:
        """The run of a document starts once, in the transaction that marks its event as handled."""
        created = envelope.read(DocumentCreated)
        value = {"document_id": str(created.document_id), "rule_set": created.rule_set}
        await service.start(WORKFLOW, value, key=str(created.document_id), take_up=take_up)

    return (Consumer("orchestrator-ingestion", {DocumentCreated: document_created}),)
