"""The door for timers: lifetimes are enforced."""

from datetime import timedelta

from ecosystem.kernel.runtime.service import Job
from ecosystem.services.dragonfly.service import CacheService


def jobs(cache: CacheService, every_seconds: float) -> tuple[Job, ...]:
    async def tend() -> None:
        await cache.tend()

    return (Job("tend-cache-lifetimes", timedelta(seconds=every_seconds), tend),)
