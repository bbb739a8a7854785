"""The door for agent tasks: logging-agent and monitoring-agent."""

from ecosystem.contracts.monitoring import (
    AuditEntriesFound,
    AuditEntryFound,
    AuditVerified,
    DescribeHealth,
    DescribeIncident,
    FindAuditEntries,
    HealthDescribed,
    IncidentDescribed,
    ServiceHealth,
    VerifyAudit,
)
from ecosystem.kernel.agent.call import Call
from ecosystem.services.monitoring.auditing.model import Asked, Proof
from ecosystem.services.monitoring.auditing.service import AuditService
from ecosystem.services.monitoring.errors import OperatorsOnly
from ecosystem.services.monitoring.incidents.model import which
from ecosystem.services.monitoring.incidents.reading import IncidentReading
from ecosystem.services.monitoring.incidents.telling import sentences
from ecosystem.services.monitoring.service import HealthService


class LoggingHandlers:
    def __init__(self, audit: AuditService) -> None:
        self._audit = audit

    async def find(self, task: FindAuditEntries, call: Call) -> AuditEntriesFound:
        """Entries of the asking company's trail, newest first."""
        asked = Asked(task.actor, task.action, task.target, task.since, task.until)
        found = await self._audit.page(call.company_id, asked, None, None, task.limit + 1)
        entries = tuple(
            AuditEntryFound(
                event_id=one.event_id, action=one.action, target=one.target, user_id=one.user_id,
                agent_id=one.agent_id, happened_at=one.happened_at,
            )
            for one in found[: task.limit]
        )  # fmt: skip
        return AuditEntriesFound(entries=entries, more=len(found) > task.limit)

    async def verify(self, task: VerifyAudit, call: Call) -> AuditVerified:
        """Prove the asking company's trail. The deadline of the call ends it: a very long one is proved by HTTP."""
        proof: Proof | None = None
        while proof is None or not proof.done:
            proof = await self._audit.prove(call.company_id, proof)
        return AuditVerified(whole=proof.whole, entries=proof.walked, problems=tuple(map(str, proof.problems)))


class MonitoringHandlers:
    def __init__(self, reading: IncidentReading, health: HealthService) -> None:
        self._reading, self._health = reading, health

    async def describe_incident(self, task: DescribeIncident, call: Call) -> IncidentDescribed:
        """Raises IncidentUnknown: also for one that does not affect the asking company."""
        story = await self._reading.story(call.company_id, which(task.incident))
        incident = story.incident
        return IncidentDescribed(
            incident_id=incident.incident_id, number=incident.number, state=incident.state,
            priority=incident.priority, title=incident.title, sentences=sentences(story),
        )  # fmt: skip

    async def describe_health(self, task: DescribeHealth, call: Call) -> HealthDescribed:
        """Raises ServiceUnknown, and OperatorsOnly where a company asks."""
        if call.company_id is not None:
            raise OperatorsOnly
        found = await self._health.describe(task.service)
        services = tuple(
            ServiceHealth(
                service=one.service, ready=one.ready, instances=one.instances, requests_total=one.counted.requests,
                errors_total=one.counted.errors, reasons=one.reasons,
            )
            for one in found.healths
        )  # fmt: skip
        return HealthDescribed(
            healthy=found.healthy, services=services, open_incidents=found.incidents, sentences=found.sentences
        )
