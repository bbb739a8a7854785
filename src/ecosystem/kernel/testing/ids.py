"""Identities that count, so that a test can write them down."""

from uuid import UUID

_BASE = 0x0000_0000_0000_7000_8000_0000_0000_0000


class SequentialIds:
    """`00000000-0000-7000-8000-000000000001` and so on: valid as UUIDv7, in order."""

    def __init__(self, start: int = 1) -> None:
        self._next = start

    def uuid(self) -> UUID:
        value, self._next = self._next, self._next + 1
        return UUID(int=_BASE | value)

    def token(self, size_bytes: int = 32) -> str:
        return f"token-{self.uuid().int & 0xFFFF_FFFF:0{max(size_bytes - 6, 1)}x}"
