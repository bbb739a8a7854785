"""SCRAM-SHA-256 verifiers (RFC 5803), so that a role's password never reaches the server or its log as text."""

import base64
import hashlib
import hmac
import os
import re

_ITERATIONS = 4096
_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")


def verifier(password: str, salt: bytes | None = None, iterations: int = _ITERATIONS) -> str:
    """What `alter role … password` stores. `password` is ASCII, so that SASLprep leaves it as it is."""
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(iterations, *parts)


def matches(password: str, stored: str | None) -> bool:
    """Whether `stored` (`pg_authid.rolpassword`) is a verifier of `password`."""
    found = _VERIFIER.fullmatch(stored or "")
    if found is None:
        return False
    ours = verifier(password, base64.b64decode(found.group(2)), int(found.group(1)))
    return hmac.compare_digest(ours, found.group(0))
