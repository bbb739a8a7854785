"""How a job in the sandbox can fail. No message quotes what the job read."""

from ecosystem.kernel.errors import EcosystemError, Kind, Severity


class SandboxError(EcosystemError):
    """The base of what `Sandbox.run` raises about a job."""

    code, status, kind, severity = "sandbox_failed", 500, Kind.UNKNOWN, Severity.MEDIUM
    rule = "The sandboxed work failed."


class SandboxTimeout(SandboxError):
    code, status, kind = "sandbox_timeout", 504, Kind.UNKNOWN
    rule = "Sandboxed work ends within its time."
    suggestion = "The content is too complex to be read automatically; send a simpler copy."


class SandboxMemory(SandboxError):
    code, status, kind = "sandbox_memory", 422, Kind.PERMANENT
    rule = "Sandboxed work stays within its memory."
    suggestion = "The content unfolds to more than may be read; send a simpler copy."


class SandboxOutput(SandboxError):
    code, status, kind = "sandbox_output", 422, Kind.PERMANENT
    rule = "The answer of sandboxed work stays within its size."
    suggestion = "The content holds more than may be read at once; split it."


class SandboxCrash(SandboxError):
    code, status, kind, severity = "sandbox_crash", 500, Kind.UNKNOWN, Severity.HIGH
    rule = "Sandboxed work ends with an answer."
    suggestion = "Try again; content that crashes its parser each time needs a person."


class SandboxRaised(SandboxError):
    """The function itself raised; `details["error"]` is the name of the exception's class, without its text."""

    code, status, kind = "sandbox_raised", 500, Kind.PERMANENT
    rule = "Sandboxed work answers with a value."
    suggestion = "The content cannot be read automatically; a person must look at it."


class SandboxUnavailable(SandboxError):
    code, status, kind, severity = "sandbox_unavailable", 503, Kind.TRANSIENT, Severity.HIGH
    rule = "The sandbox has a worker for every job."
    suggestion = "Try again in a moment; `eco logs` of the service says why its sandbox is not there."
