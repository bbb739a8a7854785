"""What the routes of dragonfly-service return."""

from pydantic import BaseModel, ConfigDict


class _Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class CacheServerShown(_Shown):
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
    hit_ratio: float | None
    evicted: int
    expired: int


class LifetimeShown(_Shown):
    pattern: str
    seconds: int


class LifetimesShown(BaseModel):
    items: list[LifetimeShown]


class HotKeyShown(_Shown):
    key: str
    reads: int


class HotKeysShown(BaseModel):
    items: list[HotKeyShown]


class CacheShown(BaseModel):
    healthy: bool
    warnings: list[str]
    statistics: CacheServerShown
    lifetimes: list[LifetimeShown]
