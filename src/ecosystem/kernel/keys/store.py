"""What a keyring needs of whoever keeps the wrapped keys; `kernel/db` does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

T = TypeVar("T")


@dataclass(frozen=True)
class WrappedKey:
    """One version of one key. `wrapped` is None once it was destroyed; the company's own key has subject ''."""

    company_id: UUID
    subject: str
    version: int
    parent_version: int
    wrapped: bytes | None


class KeyStore(Protocol):
    """Every method sees the rows of `company_id` only, and works inside an open unit of work or opens its own."""

    async def load(self, company_id: UUID, subject: str) -> list[WrappedKey]:
        """All versions, oldest first."""

    async def add(self, key: WrappedKey) -> bool:
        """Keep a new version; False where it exists already: the one that is there stays."""

    async def add_first(self, key: WrappedKey) -> None:
        """Keep the key of a new subject, inside an open unit of work: it fails, at the latest with its commit, where
        the subject has one.
        """

    async def replace(self, key: WrappedKey) -> None:
        """The same key wrapped anew; a destroyed one stays destroyed."""

    async def destroy(self, company_id: UUID, subject: str) -> bool:
        """Forget every version for good; False where there was nothing to forget."""

    async def companies_below(self, parent_version: int) -> list[UUID]:
        """Companies whose own key is wrapped by an older master key."""

    async def together(self, company_id: UUID, work: Callable[[], Awaitable[T]]) -> T:
        """`work` as one unit of work of this company."""

    def once_kept(self, callback: Callable[[], None]) -> None:
        """Call `callback` when what was read or written here is committed: at once, or with the open unit."""
