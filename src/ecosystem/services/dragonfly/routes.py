"""The door for HTTP: the cache, its lifetimes and hot keys."""

from typing import Annotated

from fastapi import APIRouter, Depends

from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.services.dragonfly.schemas import (
    CacheServerShown,
    CacheShown,
    HotKeyShown,
    HotKeysShown,
    LifetimeShown,
    LifetimesShown,
)
from ecosystem.services.dragonfly.service import CacheService

Reader = Annotated[Principal, Depends(requires("platform:read"))]


def router(cache: CacheService) -> APIRouter:
    router = APIRouter(prefix="/v1/engines/cache", tags=["engines"])

    @router.get("")
    async def overview(_: Reader) -> CacheShown:
        """Product, version, memory, hit ratio and lifetimes; 503 `cache_absent` while it does not answer."""
        found = await cache.overview()
        return CacheShown(
            healthy=True,
            warnings=found.warnings,
            statistics=CacheServerShown.model_validate(found.server),
            lifetimes=[LifetimeShown.model_validate(one) for one in found.lifetimes],
        )

    @router.get("/lifetimes")
    async def lifetimes(_: Reader) -> LifetimesShown:
        """How long values may be cached, by key pattern."""
        return LifetimesShown(items=[LifetimeShown.model_validate(one) for one in cache.lifetimes()])

    @router.get("/hot-keys")
    async def hot_keys(_: Reader) -> HotKeysShown:
        """The most read keys of this hour and the last, estimated from a sample; keys carry ids only."""
        return HotKeysShown(items=[HotKeyShown.model_validate(one) for one in await cache.hot_keys()])

    return router
