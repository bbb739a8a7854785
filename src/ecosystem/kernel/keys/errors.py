"""What can go wrong with keys. No message quotes a key, a subject or what was encrypted."""

from ecosystem.kernel.errors import EcosystemError, Kind, Severity


class MasterKeyRefused(EcosystemError):
    code, kind, severity = "master_key_refused", Kind.PERMANENT, Severity.CRITICAL
    rule = "The master key is a file of mode 0600: 32 bytes, 64 hex digits, or lines `version:64 hex digits`."
    suggestion = "Put the file back from the backup of the home; without it nothing encrypted can be read."


class KeyDestroyed(EcosystemError):
    code, status, kind, severity = "key_destroyed", 410, Kind.PERMANENT, Severity.LOW
    rule = "The data of this subject was erased: its key was destroyed."
    suggestion = "Nothing can bring it back; a new subject needs a new id."


class KeyUnknown(EcosystemError):
    code, kind, severity = "key_unknown", Kind.PERMANENT, Severity.CRITICAL
    rule = "What was encrypted names a version of a key that is not here."
    suggestion = "Put the older line back into the master key file, or restore the table of data keys."


class CiphertextRefused(EcosystemError):
    code, kind, severity = "ciphertext_refused", Kind.PERMANENT, Severity.CRITICAL
    rule = "What was stored is not what was encrypted here, for this row: it was changed, cut or moved."
    suggestion = "Restore the row from the backup and find out who changed it."
