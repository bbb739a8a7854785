"""Composition of events-service."""

from ecosystem.contracts.events import EVENT_BUS_AGENT, SERVICE, PublishEvent
from ecosystem.contracts.index import EVENTS
from ecosystem.kernel.agent.host import AgentHost
from ecosystem.kernel.messaging.log import EventLog
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.services.events import consumers, jobs
from ecosystem.services.events.handlers import EventBusHandlers
from ecosystem.services.events.repository import ArchiveRepository
from ecosystem.services.events.restoring.service import RestoringService
from ecosystem.services.events.routes import routers
from ecosystem.services.events.service import ArchiveService, EventsService, PublishingService
from ecosystem.services.events.settings import ServiceSettings


def build(kernel: Kernel) -> Service:
    settings = kernel.source.get(ServiceSettings)
    files, log = ArchiveRepository(kernel.database, consumers.NAME), EventLog(kernel.database)
    archive = ArchiveService(kernel.database, files, kernel.objects, kernel.clock, kernel.ids, settings)
    restoring = RestoringService(kernel.database, files, log, kernel.objects, kernel.outbox)
    events = EventsService(kernel.database, log, kernel.audit, kernel.clock, settings)
    handlers = EventBusHandlers(PublishingService(kernel.outbox, EVENTS))
    return Service(
        name=SERVICE,
        routers=routers(events, archive),
        agents=(AgentHost(EVENT_BUS_AGENT, {PublishEvent: handlers.publish}),),
        consumers=(consumers.archive(archive), consumers.damaged_files(restoring)),
        jobs=jobs.jobs(archive, restoring, kernel.database, settings.archive_every_seconds),
    )
