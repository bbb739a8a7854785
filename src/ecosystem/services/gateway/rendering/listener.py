"""The listener: TLS with HTTP/2, what is taken from a request, tokens, compression, refusals, the access log."""

from dataclasses import dataclass

from ecosystem.services.gateway.rendering.shapes import (
    BUFFER,
    EXTENSIONS,
    JSON,
    NO_COLLECTOR,
    TYPES,
    Wanted,
    seconds,
    source,
    tls_certificate,
)

_HTTP = f"{EXTENSIONS}filters.http."
_COMPRESSED = (
    "application/json", "application/problem+json", "text/plain", "text/html", "text/csv", "application/xml",
)  # fmt: skip


def listener(wanted: Wanted) -> JSON:
    place = wanted.place
    tls = {
        "@type": f"{EXTENSIONS}transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "tls_certificate_sds_secret_configs": tls_certificate(place),
        },
    }
    chain = {
        "transport_socket_connect_timeout": "5s",
        "transport_socket": {"name": "tls", "typed_config": tls},
        "filters": [{"name": "hcm", "typed_config": _manager(wanted)}],
    }
    return {
        "@type": f"{TYPES}envoy.config.listener.v3.Listener",
        "name": "edge",
        "address": {"socket_address": {"address": place.host, "port_value": place.port}},
        "per_connection_buffer_limit_bytes": 32768,
        "filter_chains": [chain],
    }


def _manager(wanted: Wanted) -> JSON:
    place = wanted.place
    return {
        "@type": f"{EXTENSIONS}filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "use_remote_address": True,
        "always_set_request_id_in_response": True,
        # One reading of a path for routes and token rules alike, or `//` and `%2F` would open doors.
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
        "forward_client_cert_details": "SANITIZE_SET",
        "set_current_client_cert_details": {"uri": True},
        "server_name": "ecosystem",
        "common_http_protocol_options": {"idle_timeout": "310s", "headers_with_underscores_action": "REJECT_REQUEST"},
        "request_headers_timeout": "10s",
        "request_timeout": seconds(wanted.limits.transfer_seconds),
        "stream_idle_timeout": "310s",
        "drain_timeout": "5s",
        "http2_protocol_options": {"max_concurrent_streams": 100},
        "tracing": _TRACING,
        "rds": {"route_config_name": "edge", "config_source": source(place, "rds.json")},
        "access_log": [_access_log()],
        "local_reply_config": _refusals(),
        "http_filters": [
            _named("strip", "header_mutation.v3.HeaderMutation", mutations={"request_mutations": _STRIPPED}),
            _compressor("br", "brotli", "Brotli", {"quality": 4, "window_bits": 18}, first=True),
            _compressor("gz", "gzip", "Gzip", {"compression_level": "COMPRESSION_LEVEL_5"}, first=False),
            {
                "name": "jwt",
                "config_discovery": {
                    "config_source": source(place, "ecds_jwt.json"),
                    "type_urls": [f"{_HTTP}jwt_authn.v3.JwtAuthentication"],
                },
            },
            # Where a route asks for it.
            _named(BUFFER, "buffer.v3.Buffer", max_request_bytes=1) | {"disabled": True},
            _named("envoy.filters.http.router", "router.v3.Router", suppress_envoy_headers=True),
        ],
    }


# What only the edge may say about a caller, whoever invented it.
_STRIPPED: list[JSON] = [{"remove_on_match": {"key_matcher": {"prefix": "x-jwt-", "ignore_case": True}}}]
# The edge gives each request a trace, or goes on with the caller's; the services export, the edge itself does not.
# Envoy demands a collector all the same: a cluster without any host takes what a caller's sampled flag makes it send.
_COLLECTOR: JSON = {"uri": "http://no-collector/v1/traces", "cluster": NO_COLLECTOR, "timeout": "0.250s"}
_OPEN_TELEMETRY: JSON = {
    "@type": f"{TYPES}envoy.config.trace.v3.OpenTelemetryConfig", "service_name": "edge",
    "http_service": {"http_uri": _COLLECTOR},
}  # fmt: skip
_TRACING: JSON = {
    "random_sampling": {"value": 0}, "client_sampling": {"value": 0},
    "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": _OPEN_TELEMETRY},
}  # fmt: skip


def _named(name: str, kind: str, **config: object) -> JSON:
    return {"name": name, "typed_config": {"@type": f"{_HTTP}{kind}", **config}}


def _compressor(name: str, library: str, kind: str, config: JSON, *, first: bool) -> JSON:
    """Not for event streams: a compressor keeps what it has not filled a block with."""
    matchers = [{"exact": media_type} for media_type in _COMPRESSED]
    common = {"min_content_length": 1024, "content_type_matcher": matchers}
    typed = {"@type": f"{EXTENSIONS}compression.{library}.compressor.v3.{kind}", **config}
    return _named(
        name, "compressor.v3.Compressor", **({"choose_first": True} if first else {}),
        response_direction_config={"common_config": common},
        compressor_library={"name": library, "typed_config": typed},
    )  # fmt: skip


def _access_log() -> JSON:
    """One JSON line a request on standard output. Ids only: no query, no address, no user agent."""
    fields = {
        "timestamp": "%START_TIME%", "level": "info", "service": "edge", "message": "request",
        "trace_id": "%TRACE_ID%", "request_id": "%REQ(X-REQUEST-ID)%", "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ)%", "status": "%RESPONSE_CODE%", "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%", "duration_ms": "%DURATION%", "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%", "upstream": "%UPSTREAM_CLUSTER%", "upstream_host": "%UPSTREAM_HOST%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "protocol": "%PROTOCOL%",
        "user_id": "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:token:sub)%",
        "company_id": "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:token:company_id)%",
    }  # fmt: skip
    kind = f"{EXTENSIONS}access_loggers.stream.v3.StdoutAccessLog"
    return {"name": "lines", "typed_config": {"@type": kind, "log_format": {"json_format": fields}}}


@dataclass(frozen=True)
class _Refusal:
    status: int
    code: str
    title: str
    detail: str
    next_step: str
    retryable: bool = False


_RETRY_AFTER: JSON = {"header": {"key": "retry-after", "value": "1"}, "append_action": "ADD_IF_ABSENT"}
_REFUSALS = (
    _Refusal(400, "bad_request", "Bad request", "The request cannot be read.", "Correct its form and send it again."),
    _Refusal(401, "unauthenticated", "Unauthenticated", "The edge found no valid token.",
             "Get a token from POST /oauth/token and send it as `Authorization: Bearer`."),
    _Refusal(403, "forbidden", "Forbidden", "The token is not for this platform.", "Get a token of this platform."),
    _Refusal(404, "not_found", "Not found", "There is nothing here.", "Check the path."),
    _Refusal(408, "timeout", "Timed out", "The request did not arrive in time.", "Send it again.", True),
    # The route says the limit, which is another for uploads.
    _Refusal(413, "file_too_large", "Too large", "%LOCAL_REPLY_BODY%", "Send less at once."),
    _Refusal(426, "protocol_not_supported", "Upgrade required", "The edge speaks HTTP/1.1 and HTTP/2.",
             "Send it again by HTTP/1.1."),
    _Refusal(429, "too_many_requests", "Too many requests", "The edge has too much to do.", "Wait a second.", True),
    _Refusal(431, "headers_too_large", "Headers too large", "The headers have a limit.", "Send shorter headers."),
    _Refusal(502, "unavailable", "Bad gateway", "A service did not answer rightly.", "Try again in a moment.", True),
    _Refusal(503, "unavailable", "Unavailable", "No instance of the service is ready.",
             "Try again in a moment; `eco status` shows what is down.", True),
    _Refusal(504, "timeout", "Timed out", "A service did not answer in time.", "Try again in a moment.", True),
)  # fmt: skip


def _refusals() -> JSON:
    """Answers that the edge makes itself, as problems (RFC 9457) like those of the services."""
    other = _Refusal(0, "request_failed", "Failed", "The edge could not pass the request on.", "Check the request.")
    return {"mappers": [_no_upgrade(), *(_mapper(one) for one in _REFUSALS)], "body_format": _body(other)}


def _no_upgrade() -> JSON:
    """Envoy refuses an upgrade with 403, as it does a token. It drops `Upgrade` of requests that ask for none."""
    asked = {"header_filter": {"header": {"name": "upgrade", "present_match": True}}}
    refused = _Refusal(
        400, "upgrade_refused", "Bad request", "The edge upgrades no connection, and speaks no WebSocket.",
        "Send it again without the header `Upgrade`; GET /v1/events/stream sends events as they come.",
    )  # fmt: skip
    return {
        "filter": {"and_filter": {"filters": [_status(403), asked]}},
        "status_code": refused.status,
        "body_format_override": _body(refused),
    }


def _mapper(one: _Refusal) -> JSON:
    return {
        "filter": _status(one.status),
        "body_format_override": _body(one),
        "headers_to_add": [_RETRY_AFTER] if one.status in (429, 503) else [],
    }


def _status(status: int) -> JSON:
    value = {"default_value": status, "runtime_key": f"edge.refusal.{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _body(one: _Refusal) -> JSON:
    return {
        "content_type": "application/problem+json",
        "json_format": {
            "type": f"urn:ecosystem:problem:{one.code}", "title": one.title, "status": "%RESPONSE_CODE%",
            "detail": one.detail, "code": one.code, "next_step": one.next_step, "retryable": one.retryable,
            # Envoy knows no trace id here; by its request id `eco logs --trace` finds the line that has both.
            "trace_id": "%REQ(X-REQUEST-ID)%",
        },
    }  # fmt: skip
