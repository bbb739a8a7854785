"""What is counted of fallbacks."""

from prometheus_client import Counter, Gauge

from ecosystem.kernel.telemetry.metrics import METRICS

BACKUP_ANSWERS = Counter(
    "agent_backup_answers_total", "Calls that a backup deployment answered.", ("agent", "backup"),
    registry=METRICS.registry,
)  # fmt: skip
WAITING = Gauge("agent_waiting_calls", "Calls in the queue of an absent agent.", ("agent",), registry=METRICS.registry)
WAITING_SECONDS = Gauge(
    "agent_waiting_seconds", "How long the oldest call has been in the queue of its agent.", ("agent",),
    registry=METRICS.registry,
)  # fmt: skip
REDELIVERED = Counter(
    "agent_redelivered_total", "Calls of the queue that were brought again, by outcome.", ("agent", "outcome"),
    registry=METRICS.registry,
)  # fmt: skip
