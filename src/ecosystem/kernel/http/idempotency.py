"""`Idempotency-Key`: the same request under the same key takes effect once, however often it is sent."""

import hashlib
from typing import Annotated

from fastapi import Header

from ecosystem.kernel.errors import Conflict, Invalid

KEY_CHARACTERS_MAX = 200
REPLAYED = {"Idempotency-Replayed": "true"}
"""The header of an answer that was given before."""
IdempotencyKey = Annotated[
    str | None, Header(description="A fresh UUID for each request; the same again repeats it without a second effect.")
]
"""The header as a route declares it; `checked_key` reads it."""


class IdempotencyKeyInvalid(Invalid):
    code = "idempotency_key_invalid"
    rule = f"An Idempotency-Key is 1 to {KEY_CHARACTERS_MAX} visible ASCII characters."
    suggestion = "Use a fresh UUID for each request."


class IdempotencyKeyReused(Conflict):
    code = "idempotency_key_reused"
    rule = "An Idempotency-Key stands for one request."
    suggestion = "Use a fresh key for another request; the same key only repeats the same one."


def checked_key(key: str | None) -> str | None:
    """Raises IdempotencyKeyInvalid."""
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX or not all(33 <= ord(character) <= 126 for character in key):
        raise IdempotencyKeyInvalid
    return key


def digest_of_key(key: str) -> bytes:
    """What is kept of a key: 32 bytes that find it again."""
    return hashlib.sha256(key.encode()).digest()
