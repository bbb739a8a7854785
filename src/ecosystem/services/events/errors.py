"""What events-service refuses."""

from ecosystem.kernel.errors import EcosystemError, Invalid, Kind, NotFound, Severity


class EventUnknown(NotFound):
    code = "event_unknown"
    rule = "There is no event under this id."


class EventTypeUnknown(Invalid):
    code = "event_type_unknown"
    rule = "Only facts that a contract names are published."
    suggestion = "Add the event to the contract of its service: docs/guides/add-an-event.md."


class EventDataRefused(Invalid):
    code = "event_data_refused"
    rule = "The data of an event fits the schema of its type."


class ReplayStartMissing(Invalid):
    code = "replay_start_missing"
    rule = "A replay begins at `from_position` or at `from_time`: exactly one of them."
    suggestion = "Take a position from a listing, or an ISO 8601 time."


class StreamsFull(EcosystemError):
    code, status, kind, severity = "streams_full", 503, Kind.TRANSIENT, Severity.MEDIUM
    rule = "Only so many event streams are open at the same time."
    suggestion = "Open it again after the seconds of Retry-After; GET /v1/events shows the same events page by page."


class CompanyStreamsFull(EcosystemError):
    code, status, kind, severity = "company_streams_full", 429, Kind.TRANSIENT, Severity.LOW
    rule = "Only so many event streams of a company are open at the same time."
    suggestion = "Close one that nobody reads, or take one without filters for several; then open it again."


class ArchiveBroken(EcosystemError):
    code, kind, severity = "archive_broken", Kind.PERMANENT, Severity.CRITICAL
    rule = "A file of the archive is what its manifest says."
    suggestion = "Restore the file from a backup; the log itself may still hold its events."
