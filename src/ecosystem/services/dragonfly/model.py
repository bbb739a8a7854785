"""What is known about the cache, and what about it deserves a warning."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class CacheServer:
    """Sizes in bytes. `hit_ratio` is None before the first read; `memory_max_bytes` is 0 where there is no limit."""

    product: str
    version: str
    uptime_seconds: int
    keys: int
    clients: int
    memory_bytes: int
    memory_max_bytes: int
    policy: str
    hits: int
    misses: int
    evicted: int
    expired: int

    @property
    def hit_ratio(self) -> float | None:
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


@dataclass(frozen=True)
class Lifetime:
    """`pattern` is `doc:*`; a value of it is forgotten after `seconds`."""

    pattern: str
    seconds: int


@dataclass(frozen=True)
class HotKey:
    """`reads` in this hour and the last, estimated from a sample."""

    key: str
    reads: int


@dataclass(frozen=True)
class Tending:
    """One round: keys looked at, lifetimes set on keys that had none or too long a one, keys of no known pattern."""

    looked_at: int
    mended: int
    unknown: int


def excess(kind: str, ttl_milliseconds: int, lifetimes: dict[str, timedelta]) -> timedelta | None:
    """The lifetime to set on a key: None where its own is right. `ttl_milliseconds` is -1 where it has none."""
    allowed = lifetimes.get(kind)
    if allowed is None or 0 <= ttl_milliseconds <= allowed.total_seconds() * 1000:
        return None
    return allowed


def warnings(server: CacheServer) -> list[str]:
    """One sentence for each thing that an operator should mend, with what to do."""
    found = []
    if server.memory_max_bytes == 0:
        found.append("The cache has no memory limit: set maxmemory.")
    if server.policy not in ("allkeys-lru", "cache-mode"):
        found.append(f"The cache evicts by {server.policy}: set maxmemory-policy allkeys-lru.")
    return found
