"""What durable execution counts."""

from prometheus_client import Counter, Gauge

from ecosystem.kernel.telemetry.metrics import METRICS

RUNNING = Gauge("durable_tasks_running", "Tasks being worked on here.", ("queue",), registry=METRICS.registry)
ENDED = Counter(
    "durable_attempts_total", "Attempts by how they ended.", ("queue", "outcome"), registry=METRICS.registry
)
