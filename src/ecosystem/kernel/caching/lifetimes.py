"""How long a value may be cached, by the pattern of its key."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from ecosystem.kernel import context
from ecosystem.kernel.errors import EcosystemError, Kind, Severity

LIFETIMES: Mapping[str, timedelta] = {
    "threat": timedelta(minutes=15),
    "auth": timedelta(hours=1),
    "device": timedelta(hours=24),
    "doc": timedelta(days=7),
    "calls": timedelta(seconds=10),
}
"""The kinds of keys there are: `doc` stands for the pattern `doc:*`."""

PLATFORM = "-"


class CacheKeyRefused(EcosystemError):
    code, kind, severity = "cache_key_refused", Kind.PERMANENT, Severity.HIGH
    rule = "A cache key is kind:company:name, with a known kind and the company of the context (or - for the platform)."
    suggestion = "Make the key with `cache_key(...)`."


@dataclass(frozen=True)
class Key:
    kind: str
    company: str
    name: str


def cache_key(kind: str, name: object, company_id: UUID | None = None) -> str:
    """`doc:<company>:<name>`; without a company that of the context, without that one `-`: the platform's."""
    company = company_id or context.current().company_id
    return f"{kind}:{company or PLATFORM}:{name}"


def parse(key: str) -> Key:
    """Raises CacheKeyRefused: also for a key of another company than the context's, which must never be asked for."""
    kind, _, rest = key.partition(":")
    company, _, name = rest.partition(":")
    if not (kind and company and name) or len(key) > 500:
        raise CacheKeyRefused(f"{key[:80]!r} is not a cache key: kind:company:name.")
    ours = context.current().company_id
    if ours is not None and company not in (str(ours), PLATFORM):
        raise CacheKeyRefused("The cache key names another company than the context.")
    return Key(kind, company, name)
