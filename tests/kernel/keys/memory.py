"""A key store in memory, for tests of what stands on a keyring."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from ecosystem.kernel.keys.keyring import Keyring
from ecosystem.kernel.keys.settings import KeysSettings
from ecosystem.kernel.keys.store import WrappedKey

T = TypeVar("T")


class MemoryKeyStore:
    def __init__(self) -> None:
        self.rows: dict[tuple[UUID, str, int], WrappedKey] = {}

    async def load(self, company_id: UUID, subject: str) -> list[WrappedKey]:
        found = (row for row in self.rows.values() if (row.company_id, row.subject) == (company_id, subject))
        return sorted(found, key=lambda row: row.version)

    async def add(self, key: WrappedKey) -> bool:
        return self.rows.setdefault((key.company_id, key.subject, key.version), key) is key

    async def add_first(self, key: WrappedKey) -> None:
        assert await self.add(key), "the subject has a key"

    async def replace(self, key: WrappedKey) -> None:
        self.rows[(key.company_id, key.subject, key.version)] = key

    async def destroy(self, company_id: UUID, subject: str) -> bool:
        rows = [row for row in await self.load(company_id, subject) if row.wrapped is not None]
        for row in rows:
            await self.replace(replace(row, wrapped=None))
        return bool(rows)

    async def companies_below(self, parent_version: int) -> list[UUID]:
        return [row.company_id for row in self.rows.values() if not row.subject and row.parent_version < parent_version]

    async def together(self, company_id: UUID, work: Callable[[], Awaitable[T]]) -> T:
        return await work()

    def once_kept(self, callback: Callable[[], None]) -> None:
        callback()


def master_file(folder: Path, content: str | bytes = b"\x07" * 32) -> Path:
    file = folder / "master.key"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(0o600)
    return file


def a_keyring(folder: Path, store: MemoryKeyStore | None = None) -> Keyring:
    return Keyring(KeysSettings(master_key_file=master_file(folder)), store or MemoryKeyStore())


class Counted:
    """Randomness that a test can predict: 0, 1, 2 … as bytes, never the same twice."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, size: int) -> bytes:
        self.number += 1
        return self.number.to_bytes(size, "big")
