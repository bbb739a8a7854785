"""monitoring-service with real providers: a webhook and a mail server on this machine."""

from tests.services.monitoring.calling.fixtures import box, couriers, delivery_seconds, hook, kernel_harness, monitoring

__all__ = ["box", "couriers", "delivery_seconds", "hook", "kernel_harness", "monitoring"]
