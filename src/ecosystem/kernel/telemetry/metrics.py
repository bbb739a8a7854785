"""Prometheus metrics of one process, with the platform's names. Labels are routes, services and codes, never ids."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Metrics:
    """Every metric by name; a part that needs another one makes it on `registry` under its own prefix."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry(auto_describe=True)
        self.http_request_duration_seconds = Histogram(
            "http_request_duration_seconds", "Time from the request's head to the last byte of its answer.",
            ("method", "route"), registry=registry, buckets=_FAST,
        )  # fmt: skip
        self.http_requests_total = Counter(
            "http_requests_total", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self.http_requests_refused_total = Counter(
            "http_requests_refused_total", "Requests sent away because others waited.", ("reason", "priority"),
            registry=registry,
        )  # fmt: skip
        self.database_query_duration_seconds = Histogram(
            "database_query_duration_seconds", "Time of one statement.", ("operation",), registry=registry,
            buckets=_FAST,
        )  # fmt: skip
        self.cache_hit_ratio = Gauge(
            "cache_hit_ratio", "Share of cache reads answered from the cache, since start.", registry=registry
        )
        self.cache_failures_total = Counter(
            "cache_failures_total", "Cache commands that failed.", ("operation",), registry=registry
        )
        self.agent_execution_duration_seconds = Histogram(
            "agent_execution_duration_seconds", "Time of one handled task.", ("agent", "request_type", "status"),
            registry=registry, buckets=_SLOW,
        )  # fmt: skip
        self.agent_calls_total = Counter(
            "agent_calls_total", "Calls made to agents, by outcome.", ("agent", "request_type", "code"),
            registry=registry,
        )  # fmt: skip
        self.circuit_breaker_state_changes = Counter(
            "circuit_breaker_state_changes", "Changes of a breaker's state.", ("breaker", "state"), registry=registry
        )
        self.retry_budget_exhausted_total = Counter(
            "retry_budget_exhausted_total", "Attempts that were not made because a route's budget was spent.",
            ("route",), registry=registry,
        )  # fmt: skip
        self.calls_not_permitted_total = Counter(
            "calls_not_permitted_total", "Calls that were not made, by the code of the refusal.", ("route", "code"),
            registry=registry,
        )  # fmt: skip
        self.policies_refused = Gauge(
            "policies_refused", "1 while the file of policies is wrong and the former policies hold.", registry=registry
        )
        self.job_runs_total = Counter(
            "job_runs_total", "Ticks of timed work, by outcome.", ("job", "outcome"), registry=registry
        )
        self.notification_attempts_total = Counter(
            "notification_attempts_total", "Attempts to send a message to people, by outcome.", ("outcome",),
            registry=registry,
        )  # fmt: skip
        self.sandbox_job_memory_bytes = Histogram(
            "sandbox_job_memory_bytes", "What one job of the sandbox took at its peak, payload included.", ("target",),
            registry=registry, buckets=tuple(float(size << 20) for size in (8, 32, 128, 256, 512, 1024, 2048)),
        )  # fmt: skip
        self.certificate_expires_timestamp_seconds = Gauge(
            "certificate_expires_timestamp_seconds", "When the certificate in use ends.", registry=registry
        )

    def render(self, names: Sequence[str] = ()) -> bytes:
        """Prometheus text format 0.0.4: all, or what has one of these names."""
        return generate_latest(self.registry.restricted_registry(names) if names else self.registry)


METRICS = Metrics()
"""The metrics of this process. Parts of the kernel below `runtime` use it directly."""
