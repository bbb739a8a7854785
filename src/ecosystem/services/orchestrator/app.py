"""The composition root: the only place that picks real adapters."""

from ecosystem.contracts.index import AGENTS
from ecosystem.contracts.orchestrator import ORCHESTRATOR_AGENT, RetryRun, StartRun
from ecosystem.kernel.agent.host import AgentHost
from ecosystem.kernel.agent.redelivery import Redelivery
from ecosystem.kernel.agent.settings import AgentSettings
from ecosystem.kernel.agent.waiting import WaitingCalls
from ecosystem.kernel.durable.settings import DurableSettings
from ecosystem.kernel.durable.worker import DurableWorker
from ecosystem.kernel.messaging.log import EventLog
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.services.orchestrator.adapters import shipped
from ecosystem.services.orchestrator.consumers import consumers
from ecosystem.services.orchestrator.explaining.repository import Stories
from ecosystem.services.orchestrator.explaining.routes import router as stories_router
from ecosystem.services.orchestrator.explaining.service import StoryService
from ecosystem.services.orchestrator.handlers import Handlers
from ecosystem.services.orchestrator.jobs import jobs
from ecosystem.services.orchestrator.repository import Runs
from ecosystem.services.orchestrator.routes import router
from ecosystem.services.orchestrator.service import QUEUE, TASK, Parts, WorkflowService
from ecosystem.services.orchestrator.settings import ServiceSettings
from ecosystem.workflow.passes import TASK as PASS

# Read on import: by the time of `build`, this process may have given up the right to read its own files.
DEFINITIONS = shipped()


def build(kernel: Kernel) -> Service:
    """Compose the orchestrator."""
    settings = kernel.source.get(ServiceSettings)
    limits, cards = kernel.source.get(AgentSettings), dict(AGENTS)
    waiting = WaitingCalls(kernel.database, kernel.durable, cards, limits.waiting_calls_max)
    parts = Parts(
        kernel.database, kernel.durable, kernel.outbox, kernel.audit, kernel.clock, kernel.agents, cards, waiting
    )
    service = WorkflowService(Runs(kernel.database), parts, DEFINITIONS)
    worker = DurableWorker(
        kernel.database, QUEUE, {TASK: service.carry, PASS: service.carry_pass},
        concurrency=settings.runs_at_once_max, rooms={PASS: settings.passes_at_once_max},
        lease_seconds=settings.lease_seconds, on_failure=service.failed, durable=kernel.durable,
        settings=kernel.source.get(DurableSettings), clock=kernel.clock, ids=kernel.ids,
    )  # fmt: skip
    redelivery = Redelivery(
        kernel.database, waiting, kernel.agents, cards, kernel.cache, lambda name: bool(kernel.registry.ready(name)),
        limits, kernel.ids,
    )  # fmt: skip
    handlers = Handlers(service)
    stories = StoryService(kernel.database, Stories(kernel.database), service, EventLog(kernel.database), cards)
    return Service(
        name=kernel.service,
        routers=(router(service), stories_router(stories)),
        agents=(AgentHost(ORCHESTRATOR_AGENT, {StartRun: handlers.start_run, RetryRun: handlers.retry_run}),),
        consumers=consumers(service, worker.take_up),
        jobs=jobs(kernel.database, settings.forget_every),
        workers=(worker,),
        background=(redelivery.run,),
        before_ready=(service.keep_definitions,),
    )
