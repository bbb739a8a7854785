"""The cache server, asked about itself. Dragonfly, Valkey and Redis speak one protocol and differ in INFO."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from ecosystem.kernel.caching.cache import HOT_KEYS, Cache
from ecosystem.kernel.errors import Unavailable
from ecosystem.services.dragonfly.model import CacheServer, HotKey


class CacheAbsent(Unavailable):
    code = "cache_absent"
    rule = "The cache did not answer, or none is configured."
    suggestion = "`eco status` shows its state; requests go on without it."


class CacheEngine:
    """Each method raises CacheAbsent."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def server(self) -> CacheServer:
        client = self._client()
        try:
            info: dict[str, Any] = await client.info()
            keys = int(await client.dbsize())
            policy = await _policy(client, info)
        except (RedisError, OSError) as error:
            raise CacheAbsent from error
        product, version = _product(info)
        return CacheServer(
            product, version, int(info.get("uptime_in_seconds", 0)), keys, int(info.get("connected_clients", 0)),
            int(info.get("used_memory", 0)), int(info.get("maxmemory", 0)), policy,
            int(info.get("keyspace_hits", 0)), int(info.get("keyspace_misses", 0)),
            int(info.get("evicted_keys", 0)), int(info.get("expired_keys", 0)),
        )  # fmt: skip

    async def hot_keys(self, hour: int, keys_max: int) -> list[HotKey]:
        """The most read in the hours `hour` (since 1970) and before, most read first."""
        reads: dict[str, int] = {}
        try:
            for name in (f"{HOT_KEYS}:{hour}", f"{HOT_KEYS}:{hour - 1}"):
                scored: Any = await self._client().zrevrange(name, 0, keys_max - 1, withscores=True)
                for key, score in scored:
                    reads[key.decode()] = reads.get(key.decode(), 0) + int(score)
        except (RedisError, OSError) as error:
            raise CacheAbsent from error
        ordered = sorted(reads.items(), key=lambda item: (-item[1], item[0]))
        return [HotKey(key, count) for key, count in ordered[:keys_max]]

    async def scan(self, cursor: int, keys_max: int) -> tuple[int, dict[str, int]]:
        """(next cursor, 0 at the end; keys with their remaining milliseconds, -1 where they live for ever)."""
        found: dict[str, int] = {}
        try:
            while len(found) < keys_max:
                answer: tuple[int, list[Any]] = await self._client().scan(cursor, count=200)
                cursor, keys = answer
                async with self._client().pipeline(transaction=False) as pipe:
                    for key in keys:
                        pipe.pttl(key)
                    found.update(zip((key.decode() for key in keys), await pipe.execute(), strict=True))
                if cursor == 0:
                    break
        except (RedisError, OSError) as error:
            raise CacheAbsent from error
        return cursor, found

    async def limit(self, lifetimes: Mapping[str, timedelta]) -> None:
        """Let each key live for its lifetime from now, at most."""
        try:
            async with self._client().pipeline(transaction=False) as pipe:
                for key, lifetime in lifetimes.items():
                    pipe.pexpire(key, int(lifetime.total_seconds() * 1000))
                await pipe.execute()
        except (RedisError, OSError) as error:
            raise CacheAbsent from error

    def _client(self) -> "redis.asyncio.Redis":
        if self._cache.client is None:
            raise CacheAbsent
        return self._cache.client


def _product(info: Mapping[str, Any]) -> tuple[str, str]:
    """Valkey and Dragonfly also give a `redis_version`, that of the protocol they speak."""
    if "dragonfly_version" in info:
        return "dragonfly", str(info["dragonfly_version"]).removeprefix("df-").removeprefix("v")
    if "valkey_version" in info:
        return "valkey", str(info["valkey_version"])
    return "redis", str(info.get("redis_version", ""))


async def _policy(client: "redis.asyncio.Redis", info: Mapping[str, Any]) -> str:
    if "dragonfly_version" in info:
        return "cache-mode" if str(info.get("cache_mode", "")) in ("cache", "1", "true") else "none"
    if "maxmemory_policy" in info:
        return str(info["maxmemory_policy"])
    found = await client.config_get("maxmemory-policy")
    return str(found.get("maxmemory-policy", "unknown"))
