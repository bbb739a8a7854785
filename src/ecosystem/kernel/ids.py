"""Identities: UUIDv7 (RFC 9562 section 5.7), sorted by the millisecond of their making."""

import secrets
import time
from typing import Protocol
from uuid import UUID


class Ids(Protocol):
    def uuid(self) -> UUID:
        """A new UUIDv7."""

    def token(self, size_bytes: int = 32) -> str:
        """A new unguessable text, URL-safe."""


class SystemIds:
    def uuid(self) -> UUID:
        milliseconds = time.time_ns() // 1_000_000
        value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | secrets.randbits(80)
        value = value & ~(0xF << 76) | 0x7 << 76
        value = value & ~(0x3 << 62) | 0x2 << 62
        return UUID(int=value)

    def token(self, size_bytes: int = 32) -> str:
        return secrets.token_urlsafe(size_bytes)
