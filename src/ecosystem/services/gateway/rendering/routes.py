"""Paths: who serves them, for how long, how much they may send, what is tried again, and who must show a token."""

import json

from ecosystem.kernel.http.problems import NOT_NOW
from ecosystem.services.gateway.rendering.shapes import BUFFER, EXTENSIONS, JSON, TYPES, Wanted, seconds

OPEN = ("/oauth", "/.well-known", "/v1/first-administrator", "/v1/status", "/v1/oncall/link")
"""No token: each asks for something else, or shows what everybody may know."""
MAYBE = ("/agent/handle",)
"""A token where one is shown; the service takes a client's credentials as well."""
UPLOADS = ("/v1/documents",)
STREAMS = ("/v1/events/stream",)
REPEATABLE = ("/oauth",)
"""Whatever the method: asking twice for a token changes nothing."""
KEYED = ("/v1/documents", "/agent/handle")
"""Where a service promises that requests with one Idempotency-Key are one request."""
_KEPT_BYTES_MAX = {**dict.fromkeys(OPEN, 64 * 1024), **dict.fromkeys(MAYBE, 1024 * 1024 + 64 * 1024)}
"""Who shows no token takes no connection to a service before the whole request is there, of this length at most."""
_MULTIPART_BYTES = 1024 * 1024
_REPEATED_BYTES_MAX = 1024 * 1024 + 64 * 1024
"""How much of a body is kept to send it again: 1 MiB and what multipart adds to it. A longer one is sent once."""
_LENGTH_MAX = 2**63 - 1
_PREDICATE = f"{EXTENSIONS}retry.host.previous_hosts.v3.PreviousHostsPredicate"
_CONNECT = "connect-failure,refused-stream,reset-before-request"
_READING: JSON = {
    "retry_on": f"{_CONNECT},reset,gateway-error", "num_retries": 3,
    "retry_host_predicate": [{"name": "another", "typed_config": {"@type": _PREDICATE}}],
    "host_selection_retry_max_attempts": 5, "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
}  # fmt: skip
# What may have an effect, and has no key, is sent again only where it certainly did not arrive.
_ACTING: JSON = {
    "retry_on": _CONNECT, "num_retries": 3,
    "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
}  # fmt: skip


def routes(wanted: Wanted) -> JSON:
    """Longest prefix first; nothing matches a path that no contract names."""
    found: list[JSON] = []
    for path in STREAMS:
        service = _service(wanted, path)
        if service is not None:
            found.append(_stream(path, service))
    for prefix, service in sorted(wanted.prefixes.items(), key=lambda item: (-len(item[0]), item[0])):
        found += _routes_of(wanted, prefix, service)
    return {
        "@type": f"{TYPES}envoy.config.route.v3.RouteConfiguration",
        "name": "edge",
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": found}],
        "response_headers_to_add": [
            _set("strict-transport-security", "max-age=31536000"),
            _set("x-content-type-options", "nosniff"),
        ],
        "response_headers_to_remove": [NOT_NOW.lower()],
    }


def token_rules(wanted: Wanted) -> JSON:
    """The filter that checks tokens. The JWKS stands in the text: Envoy does not read a JWKS file again."""
    provider: JSON = {
        "issuer": wanted.issuer, "audiences": [wanted.audience], "forward": True, "clock_skew_seconds": 30,
        "local_jwks": {"inline_string": json.dumps(wanted.jwks, sort_keys=True)},
        "payload_in_metadata": "token", "jwt_cache_config": {"jwt_cache_size": 1000},
    }  # fmt: skip
    needed: JSON = {"provider_name": "eco"}
    if_shown: JSON = {"requires_any": {"requirements": [needed, {"allow_missing": {}}]}}
    rules: list[JSON] = []
    for prefix in sorted(wanted.prefixes, key=lambda prefix: (-len(prefix), prefix)):
        rule: JSON = {"match": {"path_separated_prefix": prefix}}
        if prefix not in OPEN:
            rule["requires"] = if_shown if prefix in MAYBE else needed
        rules.append(rule)
    filter_type = f"{EXTENSIONS}filters.http.jwt_authn.v3.JwtAuthentication"
    return {
        "@type": f"{TYPES}envoy.config.core.v3.TypedExtensionConfig",
        "name": "jwt",
        "typed_config": {"@type": filter_type, "providers": {"eco": provider}, "rules": rules},
    }


def _service(wanted: Wanted, path: str) -> str | None:
    under = [prefix for prefix in wanted.prefixes if path == prefix or path.startswith(f"{prefix}/")]
    return wanted.prefixes[max(under, key=len)] if under else None


def _routes_of(wanted: Wanted, prefix: str, service: str) -> list[JSON]:
    limits, upload = wanted.limits, prefix in UPLOADS
    # A multipart body is a little longer than the file in it; the service counts the file itself.
    bytes_max = limits.upload_bytes_max + _MULTIPART_BYTES if upload else limits.body_bytes_max
    bytes_max = _KEPT_BYTES_MAX.get(prefix, bytes_max)
    timeout = seconds(limits.transfer_seconds if upload else limits.request_seconds)
    match: JSON = {"path_separated_prefix": prefix}
    too_long = {"name": "content-length", "range_match": {"start": bytes_max + 1, "end": _LENGTH_MAX}}
    reading = {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD|OPTIONS"}}}
    found = [
        {"match": {**match, "headers": [too_long]}, "direct_response": _too_large(bytes_max)},
        _route({**match, "headers": [reading]}, service, timeout, _READING),
    ]
    if prefix in KEYED:
        keyed = {"name": "idempotency-key", "present_match": True}
        found.append(_route({**match, "headers": [keyed]}, service, timeout, _READING, _REPEATED_BYTES_MAX))
    found.append(_route(match, service, timeout, _READING if prefix in REPEATABLE else _ACTING))
    if upload:
        # Connections of their own: as many slow ones as there may be keep nobody from reading.
        for route in found[2:]:
            route["route"]["priority"] = "HIGH"
    if prefix in _KEPT_BYTES_MAX:
        for route in found[1:]:
            _keep_until_whole(route, timeout, bytes_max)
    return found


def _keep_until_whole(route: JSON, timeout: str, bytes_max: int) -> None:
    """Pass a request on when all of it is there, and give it no longer for that than for its answer."""
    kept = {"@type": f"{EXTENSIONS}filters.http.buffer.v3.BufferPerRoute", "buffer": {"max_request_bytes": bytes_max}}
    route["route"]["max_stream_duration"] = {"max_stream_duration": timeout}
    route["typed_per_filter_config"] = {BUFFER: kept}


def _too_large(bytes_max: int) -> JSON:
    return {"status": 413, "body": {"inline_string": f"A request's body has at most {bytes_max} bytes here."}}


def _route(match: JSON, service: str, timeout: str, retry: JSON, body_bytes_max: int | None = None) -> JSON:
    route: JSON = {"match": match, "route": {"cluster": service, "timeout": timeout, "retry_policy": retry}}
    return route if body_bytes_max is None else {**route, "request_body_buffer_limit": body_bytes_max}


def _stream(path: str, service: str) -> JSON:
    """A stream has no end; one that says nothing for five minutes has."""
    route = {"cluster": service, "timeout": "0s", "idle_timeout": "300s", "retry_policy": _ACTING}
    return {"match": {"path": path}, "route": route}


def _set(name: str, value: str) -> JSON:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
