"""What messaging counts."""

from prometheus_client import Counter, Histogram

from ecosystem.kernel.telemetry.metrics import METRICS

HANDLED = Counter(
    "events_handled_total", "Events by what became of them.", ("consumer", "outcome"), registry=METRICS.registry
)
DIRECT = Counter(
    "events_delivered_directly_total", "Events brought past a log that was late, by consumer and outcome.",
    ("consumer", "outcome"), registry=METRICS.registry,
)  # fmt: skip
DELAY = Histogram(
    "event_delay_seconds", "From the append of an event to the start of its handler.", ("consumer",),
    registry=METRICS.registry, buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300),
)  # fmt: skip
