"""Which files make the edge that is wanted, and what of the registry belongs into them. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ecosystem.services.gateway.rendering.clusters import cluster, endpoints, nowhere
from ecosystem.services.gateway.rendering.listener import listener
from ecosystem.services.gateway.rendering.routes import routes, token_rules
from ecosystem.services.gateway.rendering.shapes import JSON, Endpoint, Wanted, secrets

_WEIGHT_MAX = 1000
_REFUSED = ("update_rejected", "update_failure")


class Known(Protocol):
    """An instance of the registry, as far as the edge looks at it."""

    @property
    def service(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def http_port(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def weight(self) -> int: ...


@dataclass
class EdgeState:
    """What is known of the edge now. `rejected`: updates that Envoy refuses, with how often."""

    written_at: datetime | None = None
    written: tuple[str, ...] = ()
    instances: Mapping[str, int] = field(default_factory=dict)
    key_ids: tuple[str, ...] = ()
    envoy: str = "unknown"
    rejected: Mapping[str, int] = field(default_factory=dict)
    problem: str | None = None


def takers(instances: Iterable[Known], services: Iterable[str]) -> dict[str, list[Endpoint]]:
    """Instances that take requests now. One that drains or is not ready is left out before it goes."""
    found: dict[str, list[Endpoint]] = {service: [] for service in services}
    for one in instances:
        if one.service in found and one.state == "ready" and one.http_port and one.weight > 0:
            found[one.service].append(Endpoint(one.host, one.http_port, min(one.weight, _WEIGHT_MAX)))
    return {service: sorted(group, key=lambda one: (one.host, one.port)) for service, group in found.items()}


def render(wanted: Wanted) -> dict[str, bytes]:
    """Every file by name, in the order in which they have to be written: what is referred to comes first."""
    place = wanted.place
    content: dict[str, list[JSON]] = {**secrets(place)}
    for service in wanted.services:
        content[f"eds_{service}.json"] = [endpoints(service, wanted.endpoints.get(service, ()))]
    content["cds.json"] = [*(cluster(wanted, service) for service in wanted.services), nowhere()]
    content["ecds_jwt.json"] = [token_rules(wanted)]
    content["rds.json"] = [routes(wanted)]
    content["lds.json"] = [listener(wanted)]
    return {name: file(resources) for name, resources in content.items()}


def file(resources: list[JSON]) -> bytes:
    """`version_info` follows from the content, so that the same configuration is the same file."""
    text = json.dumps(resources, sort_keys=True)
    version = hashlib.sha256(text.encode()).hexdigest()[:16]
    return json.dumps({"version_info": version, "resources": resources}, sort_keys=True).encode()


def public_keys(jwks: Any) -> tuple[str, ...]:
    """The ids of a JWKS. Raises ValueError where it has no key, has a private one, or is none: Envoy never sees it."""
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not keys:
        raise ValueError("a JWKS has keys")
    for key in keys:
        if not isinstance(key, dict) or key.get("kty") != "EC" or "d" in key or not isinstance(key.get("kid"), str):
            raise ValueError("a key of the JWKS is no public EC key with an id")
    return tuple(key["kid"] for key in keys)


def rejected_now(before: Mapping[str, int], now: Mapping[str, int], rejected: Mapping[str, int]) -> dict[str, int]:
    """What Envoy refuses at present, by the name of the update, with how often it did: its counters never go back.

    An update is refused from when its refusals grow until a later one is accepted. Where Envoy began anew, or at the
    first look, it is refused if none was ever accepted.
    """
    if any(now.get(name, 0) < count for name, count in before.items()):
        before, rejected = {}, {}
    found = dict(rejected)
    for name in {name.rpartition(".")[0] for name in now}:
        refused, former = (sum(counts.get(f"{name}.{end}", 0) for end in _REFUSED) for counts in (now, before))
        accepted = now.get(f"{name}.update_success", 0)
        if refused > former and (before or not accepted):
            found[name] = refused
        elif accepted > before.get(f"{name}.update_success", 0):
            found.pop(name, None)
    return found
