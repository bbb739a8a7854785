"""Composition of monitoring-service."""

from ecosystem.contracts.monitoring import SERVICE
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.services.monitoring.settings import ServiceSettings


def build(kernel: Kernel) -> Service:
    kernel.source.get(ServiceSettings)
    return Service(name=SERVICE)
