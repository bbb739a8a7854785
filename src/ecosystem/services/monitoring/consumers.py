"""The door for events: deeds for the audit trail, faults for incidents."""

from ecosystem.contracts.monitoring import INCIDENTS_CONSUMER
from ecosystem.contracts.recovery import FaultCleared, FaultObserved, HelpNeeded, RepairRecorded
from ecosystem.kernel.audit.event import AuditRecorded
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.services.monitoring.auditing.service import CONSUMER, AuditService
from ecosystem.services.monitoring.incidents.service import IncidentService


def consumers(audit: AuditService, incidents: IncidentService) -> tuple[Consumer, ...]:
    return (
        # The log has the deed already: the trail follows within a second.
        Consumer(CONSUMER, {AuditRecorded: audit.append}, looks_every_seconds=1),
        Consumer(
            INCIDENTS_CONSUMER,
            {
                FaultObserved: incidents.observed,
                RepairRecorded: incidents.repaired,
                FaultCleared: incidents.cleared,
                HelpNeeded: incidents.help_needed,
            },
        ),
    )
