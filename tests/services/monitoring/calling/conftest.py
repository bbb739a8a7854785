"""monitoring-service with real providers: a webhook and a mail server on this machine."""

from tests.services.monitoring.calling.fixtures import box, couriers, hook, kernel_harness, monitoring

__all__ = ["box", "couriers", "hook", "kernel_harness", "monitoring"]
