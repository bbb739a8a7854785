"""Composition of recovery-agent."""

from ecosystem.contracts.recovery import RECOVERY_AGENT, SERVICE, ClassifyError, ExplainEpisode
from ecosystem.kernel.agent.host import AgentHost
from ecosystem.kernel.agent.settings import AgentSettings
from ecosystem.kernel.http.scraping import scrape
from ecosystem.kernel.messaging.log import EventLog
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.kernel.runtime.settings import RuntimeSettings
from ecosystem.services.recovery.adapters import CacheWatch, Disk, Leaves
from ecosystem.services.recovery.consumers import damaged_objects
from ecosystem.services.recovery.consumers import work as work_events
from ecosystem.services.recovery.handlers import RecoveryHandlers
from ecosystem.services.recovery.jobs import jobs
from ecosystem.services.recovery.queueing.repository import Queues
from ecosystem.services.recovery.queueing.routes import router as queue_router
from ecosystem.services.recovery.queueing.service import QueueService
from ecosystem.services.recovery.repairing.repairing import Parts, Repairing
from ecosystem.services.recovery.repairing.repairs import repairs
from ecosystem.services.recovery.repository import Recovery
from ecosystem.services.recovery.routes import router
from ecosystem.services.recovery.service import RecoveryService
from ecosystem.services.recovery.settings import ServiceSettings
from ecosystem.services.recovery.watching.consumers import Consumers
from ecosystem.services.recovery.watching.counters import Counters
from ecosystem.services.recovery.watching.database import Horizon, Runs, Server, Services, Waiting
from ecosystem.services.recovery.watching.detecting import Detecting, Detector
from ecosystem.services.recovery.watching.episodes import Episodes
from ecosystem.services.recovery.watching.following import Following
from ecosystem.services.recovery.watching.journal import JournalFile
from ecosystem.services.recovery.watching.objects import DamagedObjects
from ecosystem.services.recovery.working.repository import Work
from ecosystem.services.recovery.working.routes import router as work_router
from ecosystem.services.recovery.working.service import WorkService


def build(kernel: Kernel) -> Service:
    settings = kernel.source.get(ServiceSettings)
    recovery = Recovery(kernel.database)
    episodes = Episodes(recovery, kernel.outbox)
    parts = Parts(kernel.database, recovery, episodes, kernel.clock, settings)
    log = EventLog(kernel.database)
    following = Following(
        kernel.database, recovery, episodes, JournalFile(settings.journal_file), kernel.clock, settings.calm_seconds
    )
    detecting = Detecting(kernel.database, recovery, episodes, _detectors(kernel, settings, log), kernel.clock)
    repairing = Repairing(
        parts,
        repairs(
            kernel.database, log, horizon_seconds=settings.horizon_seconds_max,
            run_seconds=settings.stuck_run_seconds_max,
        ),
    )  # fmt: skip
    service = RecoveryService(parts, repairing, kernel.audit, kernel.ids)
    handlers = RecoveryHandlers(service)
    queue = QueueService(kernel.database, Queues(kernel.database), kernel.audit)
    work = WorkService(kernel.database, Work(kernel.database), kernel.agents, kernel.audit, kernel.clock, queue)
    return Service(
        name=SERVICE,
        routers=(router(service), queue_router(queue), work_router(work, kernel.clock)),
        agents=(AgentHost(RECOVERY_AGENT, {ClassifyError: handlers.classify, ExplainEpisode: handlers.explain}),),
        consumers=(damaged_objects(DamagedObjects(kernel.database, recovery, episodes)), work_events(work)),
        jobs=jobs(following, detecting, repairing, service, settings),
    )


def _detectors(kernel: Kernel, settings: ServiceSettings, log: EventLog) -> tuple[Detector, ...]:
    clock, database = kernel.clock, kernel.database
    return (
        Horizon(database, clock, settings.horizon_seconds_max),
        Consumers(log, clock, settings.consumer_lag_seconds_max),
        Runs(database, clock, settings.stuck_run_seconds_max),
        Waiting(database, clock, settings.waiting_call_seconds_max, kernel.source.get(AgentSettings).waiting_calls_max),
        Server(database, clock, settings.connections_share_max),
        Services(database, clock),
        CacheWatch(kernel.cache, clock),
        Disk(kernel.source.get(RuntimeSettings).home, clock, settings.disk_free_bytes_min),
        Leaves(settings.certificates_folder, kernel.identity.is_revoked, clock, settings.certificate_life_share_min),
        # Behind those whose faults cause what is counted.
        Counters(kernel.registry.instances, scrape, clock, settings),
    )
