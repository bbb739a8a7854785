"""Composition of objects-service."""

from ecosystem.contracts.objects import SERVICE
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.services.objects.adapters import Folder
from ecosystem.services.objects.consumers import restored_objects
from ecosystem.services.objects.jobs import jobs
from ecosystem.services.objects.repository import CareRepository
from ecosystem.services.objects.routes import router
from ecosystem.services.objects.service import CareService
from ecosystem.services.objects.settings import ServiceSettings


def build(kernel: Kernel) -> Service:
    settings = kernel.source.get(ServiceSettings)
    care = CareService(
        kernel.database, CareRepository(kernel.database), kernel.objects, Folder(kernel.objects), kernel.outbox,
        kernel.audit, kernel.clock, settings,
    )  # fmt: skip
    return Service(
        name=SERVICE, routers=(router(care),), consumers=(restored_objects(care),),
        jobs=jobs(care, settings.check_every_seconds),
    )  # fmt: skip
