"""What the cache is and does, and how long its keys may live."""

from dataclasses import dataclass
from datetime import timedelta

from ecosystem.kernel.caching.cache import HOT_KEYS
from ecosystem.kernel.clock import Clock
from ecosystem.services.dragonfly.adapters import CacheEngine
from ecosystem.services.dragonfly.model import CacheServer, HotKey, Lifetime, Tending, excess, warnings
from ecosystem.services.dragonfly.settings import ServiceSettings


@dataclass(frozen=True)
class Overview:
    server: CacheServer
    lifetimes: list[Lifetime]
    warnings: list[str]


class CacheService:
    def __init__(
        self, engine: CacheEngine, lifetimes: dict[str, timedelta], clock: Clock, settings: ServiceSettings
    ) -> None:
        self._engine, self._lifetimes, self._clock, self._settings = engine, lifetimes, clock, settings
        self._cursor = 0

    async def overview(self) -> Overview:
        """Raises CacheAbsent."""
        server = await self._engine.server()
        return Overview(server, self.lifetimes(), warnings(server))

    def lifetimes(self) -> list[Lifetime]:
        return [Lifetime(f"{kind}:*", int(life.total_seconds())) for kind, life in sorted(self._lifetimes.items())]

    async def hot_keys(self) -> list[HotKey]:
        """Raises CacheAbsent."""
        hour = int(self._clock.now().timestamp() // 3600)
        return await self._engine.hot_keys(hour, self._settings.hot_keys_max)

    async def tend(self) -> Tending:
        """Look at some keys, going on where the last round ended; no key of a known pattern outlives its lifetime.

        Raises CacheAbsent.
        """
        self._cursor, found = await self._engine.scan(self._cursor, self._settings.tend_keys_max)
        kinds = {key: key.partition(":")[0] for key in found}
        mended = {
            key: life for key, ttl in found.items() if (life := excess(kinds[key], ttl, self._lifetimes)) is not None
        }
        if mended:
            await self._engine.limit(mended)
        unknown = sum(kind not in self._lifetimes and kind != HOT_KEYS for kind in kinds.values())
        return Tending(len(found), len(mended), unknown)
