"""The chain of an audit trail: what is hashed, how entries are linked, and the walk that finds whatever was changed.

A trail has one chain for each slot of the log: within a slot consumers take turns, so a chain has one order. Standard
library only, so that whoever holds an export can prove it without a platform.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

_CONTENT = (
    "company_id", "chain", "event_id", "action", "target", "user_id", "agent_id", "source", "trace_id", "happened_at",
    "before", "after",
)  # fmt: skip


def canonical(entry: Mapping[str, Any]) -> bytes:
    """What of an entry is hashed: its content as JSON with sorted keys, no spaces, ASCII only, times in UTC."""
    content = {name: _plain(entry[name]) for name in _CONTENT}
    content["happened_at"] = _moment(entry["happened_at"])
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def digest_of(entry: Mapping[str, Any]) -> bytes:
    """SHA-256 of the canonical content. Raises KeyError, ValueError where a field is missing or no such value."""
    return hashlib.sha256(canonical(entry)).digest()


def genesis(company_id: UUID, chain: int) -> bytes:
    """What stands before the first entry: it names the chain, so that no chain passes for another."""
    return hashlib.sha256(f"ecosystem audit {company_id} {chain}".encode()).digest()


def link(previous: bytes, digest: bytes) -> bytes:
    """The hash of an entry: of the hash before it, and of its own content."""
    return hashlib.sha256(previous + digest).digest()


class Walk:
    """One chain from its beginning, or from behind entry `number` whose hash is `previous`."""

    def __init__(self, company_id: UUID, chain: int, *, number: int = 0, previous: bytes | None = None) -> None:
        self.chain, self.number = chain, number
        self.previous = previous if previous is not None else genesis(company_id, chain)

    def take(self, number: int, digest: bytes, hash_: bytes) -> str | None:
        """The next entry: None where it follows, else `gap`, `out_of_order` or `altered`. The walk goes on behind it.

        `altered`: the content of this entry, its hash, or its place is not what was written.
        """
        expected, followed = self.number + 1, link(self.previous, digest) == hash_
        self.number, self.previous = number, hash_
        if number > expected:
            return "gap"
        if number < expected:
            return "out_of_order"
        return None if followed else "altered"

    def end(self, number: int, hash_: bytes) -> str | None:
        """Compare with the head: `cut_off` where entries at the end are gone, `head_differs` where it is another."""
        if self.number < number:
            return "cut_off"
        return None if (self.number, self.previous) == (number, hash_) else "head_differs"


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def _moment(value: datetime | str) -> str:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
