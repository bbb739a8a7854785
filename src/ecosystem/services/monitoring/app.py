"""Composition of monitoring-service."""

from ecosystem.contracts.index import PREFIXES
from ecosystem.contracts.monitoring import (
    LOGGING_AGENT,
    MONITORING_AGENT,
    SERVICE,
    DescribeHealth,
    DescribeIncident,
    FindAuditEntries,
    VerifyAudit,
)
from ecosystem.kernel.agent.host import AgentHost
from ecosystem.kernel.messaging.log import EventLog
from ecosystem.kernel.registry.registry import Registry
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.services.monitoring.adapters import InstanceMetrics
from ecosystem.services.monitoring.auditing import routes as auditing
from ecosystem.services.monitoring.auditing.repository import Trail
from ecosystem.services.monitoring.auditing.service import AuditService
from ecosystem.services.monitoring.calling.composing import compose
from ecosystem.services.monitoring.consumers import consumers
from ecosystem.services.monitoring.handlers import LoggingHandlers, MonitoringHandlers
from ecosystem.services.monitoring.incidents import routes as incidents_door
from ecosystem.services.monitoring.incidents.reading import IncidentReading
from ecosystem.services.monitoring.incidents.repository import Incidents
from ecosystem.services.monitoring.incidents.reviewing import PostmortemService
from ecosystem.services.monitoring.incidents.service import IncidentService, Parts
from ecosystem.services.monitoring.incidents.status import SERVICES
from ecosystem.services.monitoring.jobs import jobs
from ecosystem.services.monitoring.service import HealthService
from ecosystem.services.monitoring.settings import ServiceSettings


def build(kernel: Kernel) -> Service:
    settings = kernel.source.get(ServiceSettings)
    calling = compose(kernel, settings)
    audit = AuditService(kernel.database, Trail(kernel.database), EventLog(kernel.database))
    kept = Incidents(kernel.database)
    parts = Parts(kernel.database, kernel.outbox, kernel.audit, kernel.clock, kernel.ids, calling.paging)
    incidents = IncidentService(kept, parts, settings)
    reading = IncidentReading(
        kernel.database, kept, kernel.clock, settings.status_seconds, lambda: _without_instance(kernel.registry)
    )
    calling.paging.tell_incidents(incidents.acknowledge, reading.allow_naming)
    postmortems = PostmortemService(kernel.database, kept, reading, kernel.audit, kernel.clock, settings.ticket_project)
    health = HealthService(kernel.registry, InstanceMetrics(), reading, PREFIXES.values())
    trail, told = LoggingHandlers(audit), MonitoringHandlers(reading, health)
    return Service(
        name=SERVICE,
        routers=(
            auditing.router(audit),
            *incidents_door.routers(incidents, reading, postmortems, settings.status_seconds),
            *calling.routers,
        ),
        agents=(
            AgentHost(LOGGING_AGENT, {FindAuditEntries: trail.find, VerifyAudit: trail.verify}),
            AgentHost(
                MONITORING_AGENT,
                {DescribeIncident: told.describe_incident, DescribeHealth: told.describe_health},
            ),
            *calling.agents,
        ),
        consumers=consumers(audit, incidents),
        jobs=(*jobs(incidents, settings.look_seconds), *calling.jobs),
        background=calling.background,
    )


def _without_instance(registry: Registry) -> list[str]:
    """Of the services that the public status speaks of; none while the registry knows nobody, not even us."""
    return [name for name in SERVICES if not registry.ready(name)] if registry.instances() else []
