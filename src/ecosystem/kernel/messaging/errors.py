"""What messaging refuses."""

from ecosystem.kernel.errors import Conflict, EcosystemError, Invalid, Kind, NotFound, Severity


class EventTooLarge(EcosystemError):
    code, status, kind = "event_too_large", 422, Kind.PERMANENT
    rule = "An event carries ids and measures: at most 64 KiB of JSON."
    suggestion = "Keep the content in the service that owns it and send its id."


class PublishedOutside(EcosystemError):
    code, kind, severity = "published_outside", Kind.PERMANENT, Severity.HIGH
    rule = "An event is published in the unit of work that makes it true."
    suggestion = "Call `outbox.add` inside of `database.run(...)`."


class PositionRefused(Invalid):
    code = "position_refused"
    rule = "A position of the log is the text that a listing or a stream gave."
    suggestion = "Take `next_cursor` of a listing as it is, or leave it out to begin at the start."


class ConsumerUnknown(NotFound):
    code = "consumer_unknown"
    rule = "There is no consumer of this name."
    suggestion = "GET /v1/events/consumers lists them."


class DeadLetterUnknown(NotFound):
    code = "dead_letter_unknown"
    rule = "There is no dead letter under this id."
    suggestion = "GET /v1/events/dead-letters lists them."


class AlreadyRedelivered(Conflict):
    code = "already_redelivered"
    rule = "A dead letter is redelivered once; if it fails again it is a dead letter again."
    suggestion = "GET /v1/events/dead-letters shows whether it came back."
