"""The composition root: the only place that picks real adapters."""

import asyncio
import os
import signal

from ecosystem.contracts.creditx import (
    CREDITX_COMPLIANCE_AGENT,
    METADATA_EXTRACTION_AGENT,
    OCR_AGENT,
    STORAGE_AGENT,
    VALIDATION_AGENT,
    CheckCompliance,
    ExtractMetadata,
    FailDocument,
    ReadPages,
    StoreDocument,
    ValidateDocument,
)
from ecosystem.kernel.agent.host import AgentHost
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.kernel.sandbox.errors import SandboxUnavailable
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.kernel.telemetry.log import log
from ecosystem.services.creditx.consumers import consumers
from ecosystem.services.creditx.handlers import Handlers
from ecosystem.services.creditx.judging import routes as judging_routes
from ecosystem.services.creditx.judging.rule_set import shipped
from ecosystem.services.creditx.judging.service import JudgingService
from ecosystem.services.creditx.paging.pages import PICTURES
from ecosystem.services.creditx.receiving.arrivals import ARRIVAL
from ecosystem.services.creditx.repository import Documents
from ecosystem.services.creditx.reviewing import routes as reviewing_routes
from ecosystem.services.creditx.reviewing.repository import Reviews
from ecosystem.services.creditx.reviewing.service import ReviewService
from ecosystem.services.creditx.routes import router
from ecosystem.services.creditx.service import DocumentService, Parts
from ecosystem.services.creditx.settings import ServiceSettings

# Read on import: by the time of `build`, this process may have given up the right to read its own files.
shipped()


def build(kernel: Kernel) -> Service:
    """Compose creditx."""
    settings = kernel.source.get(ServiceSettings)
    documents = Documents(kernel.database)
    parts = Parts(
        kernel.database, documents, kernel.keyring, kernel.objects, kernel.cache, kernel.sandbox, kernel.outbox,
        kernel.audit, kernel.clock, kernel.ids, kernel.heavy_sandbox,
    )  # fmt: skip
    service, judging = DocumentService(parts, settings), JudgingService(parts)
    reviews = ReviewService(parts, Reviews(kernel.database))
    handlers = Handlers(service, judging)
    return Service(
        name=kernel.service,
        routers=(
            router(service, settings),
            judging_routes.router(judging),
            reviewing_routes.router(reviews, kernel.clock),
        ),
        agents=(
            AgentHost(VALIDATION_AGENT, {ValidateDocument: handlers.validate}),
            AgentHost(OCR_AGENT, {ReadPages: handlers.read_pages}),
            AgentHost(METADATA_EXTRACTION_AGENT, {ExtractMetadata: handlers.extract}),
            AgentHost(CREDITX_COMPLIANCE_AGENT, {CheckCompliance: handlers.check}),
            AgentHost(STORAGE_AGENT, {StoreDocument: handlers.store, FailDocument: handlers.fail}),
        ),
        consumers=consumers(kernel.database, documents),
        background=(lambda stop: _warm(kernel.sandbox, kernel.heavy_sandbox, stop), service.outcomes.waiting.run),
    )


async def _warm(sandbox: Sandbox, heavy: Sandbox, stop: asyncio.Event) -> None:
    """Have a worker ready before the first document; end this process where there can be none any more.

    Whoever starts this process starts another, which begins with the rights that a sandbox needs.
    """
    try:
        await sandbox.warm(ARRIVAL, PICTURES)
    except SandboxUnavailable as error:
        log.error("the sandbox has no worker: no document can be read", reason=error.message)
    waiting = [asyncio.ensure_future(one) for one in (stop.wait(), sandbox.lost(), heavy.lost())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            log.error("the sandbox is lost: this process ends, so that another takes its place")
            os.kill(os.getpid(), signal.SIGTERM)
            await stop.wait()
    finally:
        for task in waiting:
            task.cancel()
