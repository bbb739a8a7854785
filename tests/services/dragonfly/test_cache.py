"""Goal: an operator sees the cache, and no key outlives its pattern. Method: the service on a real Valkey."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import redis.asyncio

from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.dragonfly.app import build
from ecosystem.services.dragonfly.model import CacheServer, warnings
from tests.kernel.db.fixtures import Platform
from tests.support.engines import CacheEngine

ROUTE = "/v1/engines/cache"
AMY = UUID("00000000-0000-7000-8000-00000000000a")
OPERATOR = Principal("operator", None, frozenset({"platform:read"}))
ANALYST = Principal("analyst", None, frozenset({"documents:read"}))
WEEK = 7 * 24 * 3600


@pytest.fixture
async def service(platform: Platform, tmp_path: Path, cache_engine: CacheEngine) -> AsyncIterator[ServiceHarness]:
    overrides = {"cache": {"url": cache_engine.url, "sample_one_in": 1}}
    harness = KernelHarness(platform, tmp_path, ContractIndex(AGENTS, EVENTS), overrides=overrides)
    async with harness:
        yield await harness.service(build, "dragonfly-service", "dragonfly")


@pytest.fixture
async def server(cache_engine: CacheEngine) -> "AsyncIterator[redis.asyncio.Redis]":
    client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(cache_engine.url)
    await client.flushdb()
    yield client
    await client.flushdb()
    await client.aclose()


async def shown(service: ServiceHarness, path: str = "") -> dict[str, Any]:
    answer = await service.client(OPERATOR).get(ROUTE + path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


class TestOverview:
    async def test_product_memory_and_lifetimes(self, service: ServiceHarness, server: "redis.asyncio.Redis") -> None:
        found = await shown(service)

        assert found["healthy"]
        assert (found["statistics"]["product"], found["statistics"]["policy"]) == ("valkey", "allkeys-lru")
        assert found["statistics"]["memory_max_bytes"] == 64 * 1024**2
        assert found["lifetimes"] == (await shown(service, "/lifetimes"))["items"]
        assert {"pattern": "doc:*", "seconds": WEEK} in found["lifetimes"]
        assert found["warnings"] == []

    async def test_hot_keys_most_read_first(self, service: ServiceHarness, server: "redis.asyncio.Redis") -> None:
        cache = service.kernel.cache
        for name, reads in (("a", 3), ("b", 5)):
            for _ in range(reads):
                await cache.get(f"doc:{AMY}:{name}")

        assert (await shown(service, "/hot-keys"))["items"] == [
            {"key": f"doc:{AMY}:b", "reads": 5},
            {"key": f"doc:{AMY}:a", "reads": 3},
        ]

    def test_wrong_policy_and_no_limit_are_warned_of(self) -> None:
        server = CacheServer("redis", "7.4", 1, 0, 1, 1, 0, "noeviction", 0, 0, 0, 0)

        assert len(warnings(server)) == 2
        assert server.hit_ratio is None


class TestLifetimes:
    async def test_key_that_would_live_too_long_is_limited(
        self, service: ServiceHarness, server: "redis.asyncio.Redis"
    ) -> None:
        await server.set(f"doc:{AMY}:for-ever", "x")
        await server.set(f"threat:{AMY}:too-long", "x", ex=3600)
        await server.set(f"auth:{AMY}:right", "x", ex=60)
        await server.set("strange", "x")

        await service.job("tend-cache-lifetimes")

        assert WEEK - 5 <= await server.ttl(f"doc:{AMY}:for-ever") <= WEEK
        assert 895 <= await server.ttl(f"threat:{AMY}:too-long") <= 900
        assert 55 <= await server.ttl(f"auth:{AMY}:right") <= 60
        assert await server.ttl("strange") == -1


class TestRefusals:
    @pytest.mark.parametrize("path", ["", "/lifetimes", "/hot-keys"])
    async def test_needs_a_token_and_the_scope(self, service: ServiceHarness, path: str) -> None:
        assert (await service.client().get(ROUTE + path)).status_code == 401
        refused = await service.client(ANALYST).get(ROUTE + path)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")

    async def test_absent_cache_is_a_clear_problem(self, platform: Platform, tmp_path: Path) -> None:
        overrides = {"cache": {"url": "unix:///tmp/eco-no-cache/x.sock"}}
        async with KernelHarness(platform, tmp_path, ContractIndex(AGENTS, EVENTS), overrides=overrides) as harness:
            service = await harness.service(build, "dragonfly-service", "dragonfly")

            for path in ("", "/hot-keys"):
                refused = await service.client(OPERATOR).get(ROUTE + path)
                assert (refused.status_code, refused.json()["code"]) == (503, "cache_absent")
            assert (await service.client(OPERATOR).get(f"{ROUTE}/lifetimes")).status_code == 200
