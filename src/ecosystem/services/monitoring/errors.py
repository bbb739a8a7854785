"""What monitoring-service refuses."""

from ecosystem.kernel.errors import Conflict, Forbidden, NotFound


class IncidentUnknown(NotFound):
    code = "incident_unknown"
    rule = "There is no incident with this id or number that the caller may see."
    suggestion = "GET /v1/incidents (eco incidents list) shows those there are."


class IncidentOver(Conflict):
    code = "incident_over"
    rule = "A closed incident is neither acknowledged nor resolved again."
    suggestion = "Read it (eco incidents show): it says who closed it and when."


class AuditEntryUnknown(NotFound):
    code = "audit_entry_unknown"
    rule = "There is no audit entry of this id in the caller's trail."
    suggestion = "GET /v1/audit (eco audit list) shows the newest ones; an entry comes a moment after its deed."


class ServiceUnknown(NotFound):
    code = "service_unknown"
    rule = "There is no service of this registered name."
    suggestion = "eco status names every service."


class OperatorsOnly(Forbidden):
    code = "operators_only"
    rule = "What concerns the whole platform is for its operators; the caller belongs to a company."
    suggestion = "Ask the platform engineer, or read /v1/status."
