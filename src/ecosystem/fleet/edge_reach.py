"""Whether the edge sends to what runs: each instance stands in its files, and Envoy has taken them up."""

import asyncio
import ssl
from collections.abc import Iterable
from pathlib import Path

import orjson

_ANSWER_SECONDS = 1.0
_QUESTION = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def unreached(folder: Path, host: str, port: int, instances: Iterable[tuple[str, int | None]]) -> str | None:
    """What the edge on `host` and `port` does not reach yet, in words; None: it reaches all.

    `folder`: where its files lie. `instances`: the name of a service and the port of one that runs. Asks the edge for
    what needs no token.
    """
    for service, own in instances:
        if own not in _known_ports(folder, service):
            return f"The edge does not know {service} on port {own}."
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            status = await _asked(host, port)
    except (OSError, TimeoutError):
        return f"The edge does not answer on {host}:{port}."
    return None if status == "200" else f"The edge answers {status or 'nothing'} for authn-service."


def _known_ports(folder: Path, service: str) -> set[int]:
    """Of Envoy's ClusterLoadAssignment, as gateway-service writes it."""
    try:
        assignment = orjson.loads((folder / f"eds_{service}.json").read_bytes())["resources"][0]
        hosts = assignment["endpoints"][0]["lb_endpoints"]
        return {host["endpoint"]["address"]["socket_address"]["port_value"] for host in hosts}
    except (OSError, ValueError, LookupError):
        return set()


async def _asked(host: str, port: int) -> str:
    """The status of the answer. Whose certificate it is does not matter here: nothing secret is said."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        writer.write(_QUESTION)
        return (await reader.readline()).decode("latin-1").partition(" ")[2][:3]
    finally:
        writer.close()
