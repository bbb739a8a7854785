"""What the edge is made from, and the forms that all of its files share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JSON = dict[str, Any]
EXTENSIONS = "type.googleapis.com/envoy.extensions."
TYPES = "type.googleapis.com/"
NO_COLLECTOR = "no-collector"
BUFFER = "buffer"
"""The filter that keeps a request until all of it is there."""


@dataclass(frozen=True)
class Endpoint:
    """One instance that takes requests; `weight` is 1 or more."""

    host: str
    port: int
    weight: int = 100


@dataclass(frozen=True)
class Place:
    """Where Envoy reads its files and certificates, and where it listens."""

    folder: Path
    host: str
    port: int
    pem_file: Path
    ca_file: Path
    trust_domain: str = "eco.local"


@dataclass(frozen=True)
class Limits:
    upload_bytes_max: int = 100 * 1024 * 1024
    body_bytes_max: int = 16 * 1024 * 1024
    request_seconds: float = 35
    transfer_seconds: float = 310
    health_interval_seconds: float = 10


@dataclass(frozen=True)
class Wanted:
    """`prefixes`: public path → service. `endpoints`: service → instances; a service without any answers 503."""

    place: Place
    limits: Limits
    prefixes: Mapping[str, str]
    endpoints: Mapping[str, Sequence[Endpoint]]
    jwks: Mapping[str, Any]
    issuer: str
    audience: str

    @property
    def services(self) -> list[str]:
        return sorted(set(self.prefixes.values()))


def source(place: Place, name: str) -> JSON:
    folder = str(place.folder)
    return {
        "resource_api_version": "V3",
        "path_config_source": {"path": f"{folder}/{name}", "watched_directory": {"path": folder}},
    }


def seconds(value: float) -> str:
    return f"{value:g}s"


def tls_certificate(place: Place) -> list[JSON]:
    return [{"name": "edge", "sds_config": source(place, "sds_edge.json")}]


def secrets(place: Place) -> dict[str, list[JSON]]:
    """Exactly one secret a file: Envoy takes no more."""
    kind = f"{EXTENSIONS}transport_sockets.tls.v3.Secret"
    pem, authorities = {"filename": str(place.pem_file)}, {"filename": str(place.ca_file)}
    edge = {
        "certificate_chain": pem, "private_key": pem, "watched_directory": {"path": str(place.pem_file.parent)},
    }  # fmt: skip
    trusted = {"trusted_ca": authorities, "watched_directory": {"path": str(place.ca_file.parent)}}
    return {
        "sds_edge.json": [{"@type": kind, "name": "edge", "tls_certificate": edge}],
        "sds_ca.json": [{"@type": kind, "name": "ca", "validation_context": trusted}],
    }
