"""Services as clusters: mTLS with a name check, weighted round robin, health checks, ejection of outliers."""

from collections.abc import Sequence

from ecosystem.services.gateway.rendering.shapes import (
    EXTENSIONS,
    JSON,
    NO_COLLECTOR,
    TYPES,
    Endpoint,
    Place,
    Wanted,
    seconds,
    source,
    tls_certificate,
)


def endpoints(service: str, instances: Sequence[Endpoint]) -> JSON:
    """The file of one cluster: Envoy takes exactly one assignment from each."""
    hosts = [
        {
            "endpoint": {"address": {"socket_address": {"address": one.host, "port_value": one.port}}},
            "health_status": "HEALTHY",
            "load_balancing_weight": one.weight,
        }
        for one in instances
    ]
    return {
        "@type": f"{TYPES}envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": service,
        "endpoints": [{"locality": {}, "lb_endpoints": hosts}],
    }


def cluster(wanted: Wanted, service: str) -> JSON:
    protocol = f"{EXTENSIONS}upstreams.http.v3.HttpProtocolOptions"
    return {
        "@type": f"{TYPES}envoy.config.cluster.v3.Cluster",
        "name": service,
        "type": "EDS",
        "connect_timeout": "1s",
        "lb_policy": "ROUND_ROBIN",
        "eds_cluster_config": {"eds_config": source(wanted.place, f"eds_{service}.json")},
        # Without it a removed instance would stay until its health check fails.
        "ignore_health_on_host_removal": True,
        # An instance that is not healthy gets nothing, unless there is no other: the one that takes the place of all
        # has not been looked at when they go. No merge window: a new one gets requests at once, not in a second.
        "common_lb_config": {"healthy_panic_threshold": {"value": 1}, "update_merge_window": "0s"},
        "health_checks": [_health_check(wanted, service)],
        "outlier_detection": _OUTLIERS,
        "circuit_breakers": {"thresholds": [_THRESHOLD, {**_THRESHOLD, "priority": "HIGH"}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": protocol,
                # Shorter than the service keeps an idle connection: it never closes one that we are about to use.
                "common_http_protocol_options": {"idle_timeout": "30s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
        "transport_socket": {"name": "tls", "typed_config": _upstream_tls(wanted.place, service)},
    }


def nowhere() -> JSON:
    """A cluster without any host."""
    return {
        "@type": f"{TYPES}envoy.config.cluster.v3.Cluster", "name": NO_COLLECTOR, "type": "STATIC",
        "connect_timeout": "1s", "load_assignment": {"cluster_name": NO_COLLECTOR, "endpoints": []},
    }  # fmt: skip


def _health_check(wanted: Wanted, service: str) -> JSON:
    """Every 10 s; a dead instance is out after three looks of 2 s, so within 30 s of its death."""
    interval = wanted.limits.health_interval_seconds
    return {
        "timeout": "2s",
        "interval": seconds(interval),
        "no_traffic_interval": seconds(interval),
        "unhealthy_interval": seconds(min(interval, 2)),
        "unhealthy_threshold": 3,
        "healthy_threshold": 1,
        "initial_jitter": "0.05s",
        "http_health_check": {"path": "/health/ready", "host": service},
    }


_OUTLIERS: JSON = {
    "consecutive_5xx": 5, "consecutive_gateway_failure": 5, "enforcing_consecutive_gateway_failure": 100,
    "split_external_local_origin_errors": True, "consecutive_local_origin_failure": 2,
    "enforcing_local_origin_success_rate": 0, "enforcing_success_rate": 0,
    "interval": "1s", "base_ejection_time": "5s", "max_ejection_percent": 50,
}  # fmt: skip
_THRESHOLD: JSON = {
    "max_connections": 1024, "max_pending_requests": 1024, "max_requests": 4096,
    # The default of 10 at once lost requests when an instance was killed under load.
    "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 64},
}  # fmt: skip


def _upstream_tls(place: Place, service: str) -> JSON:
    name = f"spiffe://{place.trust_domain}/{service}"
    return {
        "@type": f"{EXTENSIONS}transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": f"{service}.eco.internal",
        "common_tls_context": {
            # The maximum is 1.2 where it is not said, and our services speak 1.3 only.
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
            "tls_certificate_sds_secret_configs": tls_certificate(place),
            "combined_validation_context": {
                "default_validation_context": {
                    "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": name}}]
                },
                "validation_context_sds_secret_config": {"name": "ca", "sds_config": source(place, "sds_ca.json")},
            },
        },
    }
