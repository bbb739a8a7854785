"""SPIFFE names: `spiffe://<trust domain>/<service>`, and the DNS name that stands beside each."""

from collections.abc import Iterable
from typing import Any


def spiffe_id(trust_domain: str, name: str) -> str:
    return f"spiffe://{trust_domain}/{name}"


def dns_name(name: str) -> str:
    """What a client checks a server by where its TLS library compares DNS names only."""
    return f"{name}.eco.internal"


def peer_service(uri: str, trust_domain: str = "eco.local") -> str | None:
    """`creditx-service` of `spiffe://eco.local/creditx-service`; None for any other domain or form."""
    prefix = f"spiffe://{trust_domain}/"
    name = uri.removeprefix(prefix)
    return name if uri.startswith(prefix) and name and "/" not in name else None


def peer_of_certificate(certificate: dict[str, Any] | None, trust_domain: str) -> str | None:
    """The service of a peer certificate in the form of `ssl.SSLObject.getpeercert()`."""
    names: Iterable[tuple[str, str]] = (certificate or {}).get("subjectAltName", ())
    found = [peer_service(value, trust_domain) for kind, value in names if kind == "URI"]
    return found[0] if len(found) == 1 else None
