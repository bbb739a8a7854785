"""What the database counts."""

from prometheus_client import Counter

from ecosystem.kernel.telemetry.metrics import METRICS

POOL_EXHAUSTED = Counter(
    "database_pool_exhausted_total", "Units of work that found no connection of the process in time.",
    registry=METRICS.registry,
)  # fmt: skip
