"""AES-256-GCM in the two formats that are stored: a sealed text of a data key, and a wrapped key.

sealed:  01 | key version, 4 bytes big endian | nonce, 12 bytes | ciphertext and tag
wrapped: 01 | nonce, 12 bytes | ciphertext of the 32 bytes of the key, and tag
"""

import hmac
import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ecosystem.kernel.keys.errors import CiphertextRefused

FORMAT = 1
NONCE_BYTES = 12
KEY_BYTES = 32

Random = Callable[[int], bytes]


def derive(secret: bytes, purpose: str) -> bytes:
    """A key of its own for each purpose: HMAC-SHA256 of `purpose` under a uniformly random secret."""
    return hmac.digest(secret, purpose.encode(), "sha256")


def bind(*parts: object) -> bytes:
    """Associated data in which no two lists of parts look alike: each with its length in front."""
    encoded = [str(part).encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def wrap(parent: bytes, key: bytes, aad: bytes, random: Random = os.urandom) -> bytes:
    nonce = random(NONCE_BYTES)
    return bytes([FORMAT]) + nonce + AESGCM(parent).encrypt(nonce, key, aad)


def unwrap(parent: bytes, wrapped: bytes, aad: bytes) -> bytes:
    """Raises CiphertextRefused."""
    if len(wrapped) != 1 + NONCE_BYTES + KEY_BYTES + 16 or wrapped[0] != FORMAT:
        raise CiphertextRefused
    return _open(parent, wrapped[1 : 1 + NONCE_BYTES], wrapped[1 + NONCE_BYTES :], aad)


def seal(key: bytes, version: int, plain: bytes, aad: bytes, random: Random = os.urandom) -> bytes:
    nonce = random(NONCE_BYTES)
    return bytes([FORMAT]) + version.to_bytes(4, "big") + nonce + AESGCM(key).encrypt(nonce, plain, aad)


def version_of(sealed: bytes) -> int:
    """The version of the key that sealed it. Raises CiphertextRefused."""
    if len(sealed) < 5 + NONCE_BYTES + 16 or sealed[0] != FORMAT:
        raise CiphertextRefused
    return int.from_bytes(sealed[1:5], "big")


def unseal(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Raises CiphertextRefused."""
    return _open(key, sealed[5 : 5 + NONCE_BYTES], sealed[5 + NONCE_BYTES :], aad)


def _open(key: bytes, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, aad)
    except InvalidTag:
        raise CiphertextRefused from None
