"""Composition of dragonfly-service."""

from ecosystem.contracts.dragonfly import SERVICE
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.services.dragonfly.adapters import CacheEngine
from ecosystem.services.dragonfly.jobs import jobs
from ecosystem.services.dragonfly.routes import router
from ecosystem.services.dragonfly.service import CacheService
from ecosystem.services.dragonfly.settings import ServiceSettings


def build(kernel: Kernel) -> Service:
    settings = kernel.source.get(ServiceSettings)
    cache = CacheService(CacheEngine(kernel.cache), kernel.cache.lifetimes, kernel.clock, settings)
    return Service(name=SERVICE, routers=(router(cache),), jobs=jobs(cache, settings.tend_every_seconds))
