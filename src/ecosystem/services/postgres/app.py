"""Composition of postgres-service."""

from ecosystem.contracts.postgres import SERVICE
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.services.postgres.jobs import jobs
from ecosystem.services.postgres.repository import ClusterRepository
from ecosystem.services.postgres.routes import router
from ecosystem.services.postgres.service import ClusterService
from ecosystem.services.postgres.settings import ServiceSettings


def build(kernel: Kernel) -> Service:
    settings = kernel.source.get(ServiceSettings)
    cluster = ClusterService(kernel.database, ClusterRepository(kernel.database), kernel.metrics, settings)
    return Service(name=SERVICE, routers=(router(cluster),), jobs=jobs(cluster, settings.measure_every_seconds))
