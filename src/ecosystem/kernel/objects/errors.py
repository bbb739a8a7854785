"""What can go wrong with objects."""

from ecosystem.kernel.errors import EcosystemError, Invalid, Kind, NotFound, Severity, Unavailable


class ObjectNotFound(NotFound):
    code = "object_not_found"
    rule = "There is no object with this name."


class ObjectTooLarge(EcosystemError):
    code, status, kind, severity = "object_too_large", 413, Kind.PERMANENT, Severity.LOW
    rule = "An object has at most `objects.object_bytes_max` bytes."
    suggestion = "Store it in parts."


class ObjectDamaged(EcosystemError):
    code, kind, severity = "object_damaged", Kind.PERMANENT, Severity.CRITICAL
    rule = "What is stored is not what was put: it was changed, cut or moved."
    suggestion = "Restore the object from the backup and find out who changed it."


class RetentionNotOver(EcosystemError):
    code, status, kind, severity = "retention_not_over", 409, Kind.PERMANENT, Severity.MEDIUM
    rule = "An object is kept until its retention date has passed."
    suggestion = "Wait for that date; to erase a person's data, destroy the key of the subject."


class RangeRefused(Invalid):
    code = "range_refused"
    rule = "A range begins inside of the object and has a length of 0 or more."


class StorageUnavailable(Unavailable):
    code = "storage_unavailable"
    rule = "The object storage did not do what it was asked."
    suggestion = "Try again in a moment; objects-service shows what is wrong with the storage."
